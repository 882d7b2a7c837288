import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import * as z from "zod";
import { sha256 } from "../../../src/lib/hash.ts";
import { digestModel, fetchModel } from "../../../src/registry/model-files.ts";
import type { Fault } from "../../fakes/workspace/faults.ts";
import { unity as unityState } from "../../fakes/workspace/unity/store.ts";
import { covering } from "../../support/sample.ts";
import { MODEL, type Unity, unity, wanted } from "./parts.ts";

let it: Unity;
beforeAll(async () => {
  it = await unity();
}, 300_000);
afterAll(() => it?.stop());
beforeEach(() => {
  it.fake.log.length = 0;
});

const report = (event: Unity["events"][number]) => void it.events.push(event);

test("a version with bytes of its own: made, read back, told with its tags", { timeout: 120_000 }, async () => {
  const model = await it.model("first");
  expect(await it.registry.model(MODEL)).toBeUndefined();
  expect(await it.registry.versions(MODEL)).toEqual([]);
  const made = await it.registry.createFromFolder(
    { ...wanted(model), seen: { earlierTry: false, model: false } },
    report,
  );
  expect(made).toMatchObject({ model: MODEL, version: "1", aliases: [] });
  expect(made.tags).toMatchObject(wanted(model).tags);
  expect((await digestModel(it.registry.filesOf(made), report)).digest).toBe(model.digest);
  const fetched = await fetchModel(it.registry.filesOf(made), join(it.folder, "fetched"), report);
  expect(fetched.manifest).toBe(model.manifest);
  expect(await it.registry.version(MODEL, "1")).toEqual(made);
  expect(it.events).toContainEqual(
    expect.objectContaining({ type: "task.started", task: "model.upload", unit: "bytes" }),
  );
});

test("the same digest again is the same version, from a run too; an unfinished one is no version", {
  timeout: 120_000,
}, async () => {
  const model = await it.model("again");
  const name = "acme_test.claims.again";
  const { folder, files, ...request } = wanted(model, { name });
  const bytes = { folder, files, report };
  const made = await it.registry.createFromRun({ ...request, runId: "a".repeat(32), loggedModelId: "m-1" }, bytes);
  expect(made.version).toBe("1");
  expect((await it.registry.createFromFolder({ ...request, folder, files }, report)).version).toBe("1");
  expect(
    (await it.again().registry.createFromRun({ ...request, runId: "a".repeat(32), loggedModelId: "m-1" }, bytes))
      .version,
  ).toBe("1");
  expect(it.fake.asked("model-versions/create")).toHaveLength(1);

  const other = await it.model("unfinished");
  await pending(name, { factory_digest: other.digest });
  await pending(name, { factory_digest: "f".repeat(64) });
  expect((await it.registry.versions(name)).map((each) => each.version)).toEqual(["1"]);
  expect(await it.registry.version(name, "2")).toBeUndefined();
  // Alone here: what is not finished was left behind. A version of other bytes is somebody else's.
  const next = await it.registry.createFromFolder(
    { ...wanted(other, { name, above: 1 }), seen: { earlierTry: true, model: true } },
    report,
  );
  expect(next.version).toBe("4");
  expect(await all(name)).toEqual({ "1": "READY", "3": "PENDING_REGISTRATION", "4": "READY" });
});

test("who is not alone waits for what another one is making, and removes what a dead one left", {
  timeout: 120_000,
}, async () => {
  const name = "acme_test.claims.beside";
  const model = await it.model("beside");
  const { folder, files, ...request } = wanted(model, { name });
  await it.registry.ensureModel(name);
  // A process of this machine that is no more.
  const dead = `${sha256(hostname()).slice(0, 12)}_999999_${Buffer.from("x").toString("hex")}`;
  await pending(name, { factory_digest: model.digest, factory_attempt: dead });
  // One of another machine, at it since a moment ago.
  await pending(name, { factory_digest: model.digest, factory_attempt: "elsewhere_1_00" });
  const run = { ...request, runId: "b".repeat(32), loggedModelId: "m-2" };
  const waiting = it.registry.createFromRun(run, { folder, files, report });
  await pause(1500);
  expect(await all(name)).toEqual({ "2": "PENDING_REGISTRATION" });
  await call("DELETE", `${UC}/model-versions/delete`, { name, version: "2" });
  expect((await waiting).version).toBe("3");
});

describe("a reply is lost after its effect", () => {
  const losses: { loss: Fault; route: string }[] = [
    { loss: { kind: "status", status: 500 }, route: "model-versions/create" },
    { loss: { kind: "status", status: 503, retryAfter: 1 }, route: "model-versions/create" },
    { loss: { kind: "status", status: 504 }, route: "model-versions/create" },
    { loss: { kind: "reset" }, route: "model-versions/create" },
    { loss: { kind: "html" }, route: "model-versions/create" },
    { loss: { kind: "status", status: 503, retryAfter: 1 }, route: "model-versions/finalize" },
    { loss: { kind: "reset" }, route: "model-versions/finalize" },
    { loss: { kind: "html" }, route: "model-versions/finalize" },
  ];
  const chosen = covering(
    losses,
    7,
    ({ loss, route }) => `${loss.kind} ${loss.status} ${route}`,
    ({ route }) => route,
  );
  test.each(chosen)("$loss.kind $loss.status of $route", { timeout: 120_000 }, async ({ loss, route }) => {
    const text = `lost ${JSON.stringify(loss)} ${route}`;
    const model = await it.model(text);
    const name = `acme_test.claims.lost_${model.digest.slice(0, 12)}`;
    const fault = it.fake.fault({ ...loss, route, when: "after" });
    const made = await it.registry.createFromFolder(
      { ...wanted(model, { name }), seen: { earlierTry: false, model: false } },
      report,
    );
    expect(fault.struck).toBe(1);
    fault.clear();
    expect(await all(name)).toEqual({ [made.version]: "READY" });
    expect((await digestModel(it.registry.filesOf(made), report)).digest).toBe(model.digest);
  });
});

test("a create that was turned away comes again when the server said, by the same client", {
  timeout: 120_000,
}, async () => {
  const model = await it.model("throttled");
  const name = "acme_test.claims.throttled";
  const fault = it.fake.fault({ kind: "status", status: 429, retryAfter: 1, route: "model-versions/create", times: 2 });
  const made = await it.registry.createFromFolder(
    { ...wanted(model, { name }), seen: { earlierTry: false, model: false } },
    report,
  );
  expect(fault.struck).toBe(2);
  expect(made.version).toBe("1");
  const [first = 0, second = 0, third = 0] = it.fake.asked("model-versions/create").map(({ at }) => at);
  expect(second - first).toBeGreaterThan(980);
  expect(third - second).toBeGreaterThan(980);
  // Nobody had to begin anew, and look for what an earlier try may have made.
  expect(it.fake.asked("model-versions/search")).toEqual([]);
});

test("a workspace that turns every create away is said to be busy, and nothing is left there", {
  timeout: 120_000,
}, async () => {
  const model = await it.model("busy");
  const name = "acme_test.claims.busy";
  const fault = it.fake.fault({ kind: "status", status: 429, retryAfter: 1, route: "model-versions/create", times: 0 });
  const making = it.registry.createFromFolder(
    { ...wanted(model, { name }), seen: { earlierTry: false, model: false } },
    report,
  );
  await expect(making).rejects.toMatchObject({ code: "unity.throttled", exit: 4 });
  // One and four retries, by one client: not begun anew.
  expect(fault.struck).toBe(5);
  fault.clear();
  expect(await all(name)).toEqual({});
});

test("aliases by one call, tags by the names that Unity Catalog takes", { timeout: 120_000 }, async () => {
  const name = "acme_test.claims.aliases";
  const made = await it.registry.createFromFolder(
    { ...wanted(await it.model("alias"), { name }), seen: { earlierTry: false, model: false } },
    report,
  );
  await it.registry.setAlias(name, "challenger", made.version);
  await it.registry.setAlias(name, "champion", made.version);
  await it.registry.setModelTags(name, { "factory.ledger.head": "3:abc", "factory.policy": "p" });
  await it.registry.setVersionTags(name, made.version, { "factory.bundle": "b" });
  it.fake.log.length = 0;
  expect(await it.registry.model(name)).toEqual({
    name,
    tags: { "factory.ledger.head": "3:abc", "factory.policy": "p" },
    aliases: { champion: "1", challenger: "1" },
  });
  expect(it.fake.log.map((each) => each.route)).toEqual([
    "GET /api/2.0/mlflow/unity-catalog/registered-models/get",
    "GET /api/2.1/unity-catalog/models/:full_name",
  ]);
  expect(await it.registry.versionByAlias(name, "champion")).toMatchObject({
    version: "1",
    tags: { "factory.bundle": "b" },
  });
  expect(await it.registry.versionByAlias(name, "none")).toBeUndefined();
  expect((await it.registry.versions(name, () => false))[0]).toMatchObject({
    version: "1",
    tags: {},
    aliases: ["champion", "challenger"],
  });
  await expect(it.registry.removeVersion(name, "1")).rejects.toMatchObject({ code: "version.alias", exit: 5 });
  await it.registry.removeAlias(name, "challenger");
  await it.registry.removeAlias(name, "challenger");
  await it.registry.removeAlias(name, "champion");
  expect((await it.registry.model(name))?.aliases).toEqual({});
  await it.registry.removeVersion(name, "1");
  expect(await it.registry.version(name, "1")).toBeUndefined();
  const stored = await call("GET", `${UC}/registered-models/get?name=${name}`);
  expect(JSON.stringify(stored)).toContain('"factory_ledger_head"');
});

test("hundreds of versions come in pages, tags only of those that are asked for", { timeout: 120_000 }, async () => {
  const name = "acme_test.claims.pages";
  const made = await it.registry.createFromFolder(
    { ...wanted(await it.model("pages"), { name }), seen: { earlierTry: false, model: false } },
    report,
  );
  const stored = unityState.of(it.fake.state).models.get(name);
  const first = stored?.versions.get(1);
  if (stored === undefined || first === undefined) throw new Error("nothing was stored");
  for (let number = 2; number <= 1100; number++)
    stored.versions.set(number, { ...first, version: number, tags: new Map(first.tags) });
  it.fake.log.length = 0;
  const versions = await it.registry.versions(name, (version) => version === "7");
  expect(versions).toHaveLength(1100);
  expect(versions.map((each) => each.version).slice(0, 2)).toEqual(["1100", "1099"]);
  expect(versions.find((each) => each.version === "7")?.tags).toEqual(made.tags);
  expect(it.fake.asked("model-versions/search")).toHaveLength(2);
  expect(it.fake.asked("model-versions/get")).toHaveLength(1);
});

test("a model that Unity Catalog would refuse leaves nothing behind", { timeout: 120_000 }, async () => {
  const name = "acme_test.claims.unsigned";
  const model = await it.model("unsigned", { MLmodel: "flavors: {}\n" });
  await expect(
    it.registry.createFromFolder({ ...wanted(model, { name }), seen: { earlierTry: false, model: false } }, report),
  ).rejects.toMatchObject({ exit: 4, message: expect.stringContaining("signature") });
  expect(await all(name)).toEqual({});
});

const UC = "/api/2.0/mlflow/unity-catalog";

/** Status of every version by number, as the workspace has it. */
async function all(name: string): Promise<Record<string, string>> {
  const listed = z
    .object({ model_versions: z.array(z.object({ version: z.string(), status: z.string() })).default([]) })
    .parse(await call("GET", `${UC}/model-versions/search?filter=name%3D'${name}'`));
  return Object.fromEntries(listed.model_versions.map(({ version, status }) => [version, status]));
}

/** A version as a client leaves it that is killed before it sent the files. */
async function pending(name: string, tags: Record<string, string>): Promise<void> {
  const pairs = Object.entries(tags).map(([key, value]) => ({ key, value }));
  await call("POST", `${UC}/model-versions/create`, { name, source: "/somewhere", tags: pairs });
}

async function call(method: string, path: string, json?: unknown): Promise<unknown> {
  const { token } = it.fake.identity("factory-test");
  const response = await fetch(`${it.fake.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    ...(json !== undefined && { body: JSON.stringify(json) }),
  });
  expect(response.status, `${method} ${path}`).toBe(200);
  return response.json();
}
