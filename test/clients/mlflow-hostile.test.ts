import { afterEach, describe, expect, test } from "vitest";
import { openMlflow } from "../../src/clients/mlflow/open-mlflow.ts";
import { sha256 } from "../../src/lib/hash.ts";
import { type Answer, type FakeServer, fakeServer, json } from "../fakes/http-server.ts";

const servers: FakeServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});
async function serve(answer: Answer) {
  const server = await fakeServer(answer);
  servers.push(server);
  return { server, ...openMlflow(server.uri, { variables: {} }) };
}
const good = { name: "m", version: "1", creation_timestamp: 1 };
const DIGEST = sha256("x");

describe("one version that is not understood is exit 4, not a value", () => {
  test.each([
    ["a version that is no number", { version: "latest" }],
    ["a version of nought", { version: 0 }],
    ["a version with a fraction", { version: 1.5 }],
    ["a negative version", { version: "-1" }],
    ["a version in another writing", { version: "1e3" }],
    ["a version that leads elsewhere", { version: "1/../2" }],
    ["another version than asked for", { version: "2" }],
    ["another model than asked for", { name: "n" }],
    ["no name", { name: undefined }],
    ["a name that is an object", { name: {} }],
    ["a time that is a word", { creation_timestamp: {} }],
    ["aliases that are a text", { aliases: "champion" }],
    ["aliases that are objects", { aliases: [{ alias: "champion" }] }],
    ["aliases that are null", { aliases: null }],
    ["tags that are a map", { tags: { a: "b" } }],
    ["a tag whose value is a number", { tags: [{ key: "a", value: 1 }] }],
    ["a tag of a megabyte", { tags: [{ key: "a", value: "x".repeat(1 << 20) }] }],
    ["a key of a kilobyte and more", { tags: [{ key: "x".repeat(2000), value: "" }] }],
  ])("%s", async (_, wrong) => {
    const { registry } = await serve((__, response) => json(response, 200, { model_version: { ...good, ...wrong } }));
    const failure = await registry.version("m", "1").catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "mlflow.form", exit: 4 });
    expect(String(failure).length).toBeLessThan(500);
  });

  test("tags named like the parts of an object stay tags", async () => {
    const tags = [
      { key: "__proto__", value: "p" },
      { key: "constructor", value: "c" },
    ];
    const { registry } = await serve((_, response) => json(response, 200, { model_version: { ...good, tags } }));
    const version = await registry.version("m", "1");
    expect(Object.keys(version?.tags ?? {})).toEqual(["__proto__", "constructor"]);
    expect(version?.tags["factory.digest"]).toBeUndefined();
  });
});

test.each([
  ["aliases that are a map", { aliases: { champion: "1" } }],
  ["an alias without a version", { aliases: [{ alias: "champion" }] }],
  ["an alias of a version that is no number", { aliases: [{ alias: "champion", version: "x" }] }],
  ["another model", { name: "n" }],
])("a registered model with %s", async (_, wrong) => {
  const { registry } = await serve((__, response) =>
    json(response, 200, { registered_model: { name: "m", ...wrong } }),
  );
  await expect(registry.model("m")).rejects.toMatchObject({ code: "mlflow.form", exit: 4 });
});

describe("pages", () => {
  test("are followed, and sorted by number", async () => {
    const { server, registry } = await serve((request, response) => {
      if (request.url.includes("registered-models"))
        return json(response, 200, {
          registered_model: { name: "m", aliases: [{ alias: "champion", version: "10" }] },
        });
      const second = request.url.includes("page_token=two");
      const versions = (second ? ["10", "1"] : ["2", "9"]).map((version) => ({ ...good, version }));
      return json(response, 200, { model_versions: versions, ...(!second && { next_page_token: "two" }) });
    });
    const versions = await registry.versions("m");
    expect(versions.map((each) => each.version)).toEqual(["10", "9", "2", "1"]);
    expect(versions[0]?.aliases).toEqual(["champion"]);
    expect(server.seen).toHaveLength(3);
  });

  test("without end are cut off", async () => {
    const { registry } = await serve((request, response) =>
      request.url.includes("registered-models")
        ? json(response, 200, { registered_model: { name: "m" } })
        : json(response, 200, { next_page_token: "again" }),
    );
    await expect(registry.versions("m")).rejects.toMatchObject({ code: "mlflow.pages", exit: 4 });
  });
});

test.each([
  [{ run_id: "1", experiment_id: "1", artifact_uri: "mlflow-artifacts:/1/../../etc" }, []],
  [{ run_id: "1", experiment_id: "1", artifact_uri: "s3://bucket" }, []],
  [{ run_id: "1", experiment_id: "1" }, []],
  [{ run_id: "1", experiment_id: "1", artifact_uri: "mlflow-artifacts:/1/r" }, [{ path: "../../x", file_size: 1 }]],
  [{ run_id: "1", experiment_id: "1", artifact_uri: "mlflow-artifacts:/1/r" }, [{ path: "..", file_size: 1 }]],
  [{ run_id: "1", experiment_id: "1", artifact_uri: "mlflow-artifacts:/1/r" }, [{ path: "a/b", file_size: 1 }]],
  [{ run_id: "1", experiment_id: "1", artifact_uri: "mlflow-artifacts:/1/r" }, [{ path: "%2e%2e", file_size: 1 }]],
])("evidence at %j with %j is refused", async (info, files) => {
  const { objects } = await serve((request, response) => {
    if (request.url.includes("get-by-name")) return json(response, 200, { experiment: { experiment_id: "1" } });
    if (request.url.includes("runs/search")) return json(response, 200, { runs: [{ info }] });
    return json(response, 200, { files });
  });
  await expect(objects("prod", "m").list(DIGEST)).rejects.toMatchObject({ code: "mlflow.artifacts", exit: 4 });
});

test("a page instead of an answer is not taken for done", async () => {
  const { registry } = await serve((_, response) =>
    response.writeHead(200, { "content-type": "text/html" }).end("<html>"),
  );
  for (const write of [
    registry.setAlias("m", "champion", "1"),
    registry.removeAlias("m", "champion"),
    registry.setModelTags("m", { a: "b" }),
    registry.setVersionTags("m", "1", { a: "b" }),
    registry.ensureModel("m"),
    registry.removeVersion("m", "1"),
  ])
    await expect(write).rejects.toMatchObject({ code: "mlflow.form", exit: 4 });
});

test("a busy server is asked again, and named so in the end", async () => {
  const busy = { error_code: "BAD_REQUEST", message: "QueuePool limit of size 5 overflow 10 reached" };
  const { server, registry } = await serve((_, response, count) =>
    count < 3 ? json(response, 400, busy) : json(response, 200, {}),
  );
  await registry.setAlias("m", "champion", "1");
  expect(server.seen).toHaveLength(3);
  const always = await serve((_, response) => json(response, 400, busy));
  await expect(always.registry.setAlias("m", "champion", "1")).rejects.toMatchObject({ code: "mlflow.busy", exit: 4 });
});

test("a filter is never made from a name with quotes", async () => {
  const { registry, server } = await serve((_, response) => json(response, 200, {}));
  await expect(registry.versions("m' or name != '")).rejects.toThrow("no quotes");
  const tags = { "factory.digest": "' or '1' = '1" };
  const from = { model: "m", tags, above: 0, environment: "dev", runId: "1", loggedModelId: "m-1" };
  await expect(registry.createFromRun(from)).rejects.toThrow("no quotes");
  expect(server.seen.map((each) => each.method)).not.toContain("POST");
});

test.each([
  ["http://127.0.0.1:5000", true],
  ["http://127.8.9.1", true],
  ["http://localhost:5000/mlflow/", true],
  ["http://LOCALHOST", true],
  ["http://[::1]:5000", true],
  ["http://0x7f.1", true],
  ["http://mlflow.example.com", false],
  ["http://localhost.example.com", false],
  ["http://127.0.0.1.example.com", false],
  ["http://10.0.0.1", false],
  ["http://0.0.0.0", false],
  ["http://[::2]", false],
])("%s is on this machine: %s", (uri, local) => {
  const { registry } = openMlflow(uri, { variables: { MLFLOW_TRACKING_TOKEN: "tok-12345678" } });
  expect(registry.local).toBe(local);
  expect(registry.place).toBe(uri.toLowerCase().replace(/\/$/, "").replace("0x7f.1", "127.0.0.1"));
});

test("the clock is the last reply's; a reply without a date does not change it", async () => {
  let count = 0;
  const dates = ["Thu, 01 Jan 2026 00:00:00 GMT", "Thu, 01 Jan 2026 00:00:05 GMT", "soon"];
  const { registry } = await serve((_, response) => {
    response.sendDate = false;
    json(response, 404, { error_code: "RESOURCE_DOES_NOT_EXIST" }, { date: dates[count++] ?? "" });
  });
  await registry.version("m", "1");
  expect(registry.clock()?.serverMs).toBe(Date.parse("2026-01-01T00:00:00Z"));
  await registry.version("m", "1");
  await registry.version("m", "1");
  expect(registry.clock()?.serverMs).toBe(Date.parse("2026-01-01T00:00:05Z"));
  expect(Math.abs((registry.clock()?.localMs ?? 0) - Date.now())).toBeLessThan(5000);
});
