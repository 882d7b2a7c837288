import { appendFileSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sha256 } from "../../src/lib/hash.ts";
import type { TaskEvent } from "../../src/lib/progress.ts";
import { digestModel, fetchModel } from "../../src/registry/model-files.ts";
import { losingProxy, type Passed } from "../fakes/losing-proxy.ts";
import { type MlflowServer, startMlflowServer } from "../support/mlflow-server.ts";
import {
  call,
  loggedModel,
  modelFolder,
  open,
  openThrough,
  python,
  remove,
  run,
  smallModel,
  temporary,
} from "./world.ts";

let server: MlflowServer;
let root = "";
beforeAll(async () => {
  root = temporary();
  server = await startMlflowServer();
});
afterAll(async () => {
  await server.stop();
  remove(root);
});

const quiet = (): void => {};
const request = (model: string, digest: string, above = 0, more: Record<string, string> = {}) => ({
  model,
  tags: { "factory.digest": digest, ...more },
  above,
  environment: "prod",
});
let folders = 0;
const fetched = () => join(root, `fetched-${++folders}`);

test("a model is made once; there is nothing before", async () => {
  const { registry } = open(server.uri);
  expect(await registry.model("dev.made")).toBeUndefined();
  expect(await registry.versions("dev.made")).toEqual([]);
  expect(await registry.version("dev.made", "1")).toBeUndefined();
  expect(await registry.versionByAlias("dev.made", "champion")).toBeUndefined();
  await Promise.all([registry.ensureModel("dev.made"), open(server.uri).registry.ensureModel("dev.made")]);
  await registry.ensureModel("dev.made");
  expect(await registry.model("dev.made")).toEqual({ name: "dev.made", tags: {}, aliases: {} });
  expect(await registry.versions("dev.made")).toEqual([]);
});

test("the name of a prompt is no name of a model", async () => {
  const { registry } = open(server.uri);
  const tags = [{ key: "mlflow.prompt.is_prompt", value: "true" }];
  await call(server, "POST", "registered-models/create", { name: "dev.prompt", tags });
  await expect(registry.ensureModel("dev.prompt")).rejects.toMatchObject({ code: "model.prompt", exit: 4 });
});

test("a run's model: tags are there from the start, and the same digest again is the same version", async () => {
  const { registry } = open(server.uri);
  const model = await modelFolder(root, "run");
  const logged = await loggedModel(server, model, "train-run");
  const wanted = { ...request("dev.run", model.digest, 0, { "factory.x": "ü \"'" }), ...logged };
  const made = await registry.createFromRun(wanted);
  expect(made).toMatchObject({ model: "dev.run", version: "1", runId: logged.runId, aliases: [] });
  expect(made.tags).toEqual(wanted.tags);
  expect(Math.abs(made.createdAt - Date.now())).toBeLessThan(60_000);
  expect(await registry.version("dev.run", "1")).toEqual(made);
  expect(await registry.createFromRun(wanted)).toMatchObject({ version: "1", createdAt: made.createdAt });
  const arrived = await fetchModel(registry.filesOf(made), fetched(), quiet);
  expect(arrived.digest).toBe(model.digest);
  expect(await digestModel(registry.filesOf(made), quiet)).toEqual(arrived);
  // Only versions above the recorded number can be an earlier try.
  expect((await registry.createFromRun({ ...wanted, above: 1 })).version).toBe("2");
  expect((await registry.versions("dev.run")).map((each) => each.version)).toEqual(["2", "1"]);
  await expect(registry.createFromRun({ ...wanted, tags: {} })).rejects.toThrow("factory.digest");
});

test("a version that another digest made is not taken for ours", async () => {
  const { registry } = open(server.uri);
  const logged = await loggedModel(server, await smallModel(root), "train-other");
  await registry.createFromRun({ ...request("dev.other", "a".repeat(64)), ...logged });
  const second = await registry.createFromRun({ ...request("dev.other", "b".repeat(64)), ...logged });
  expect(second.version).toBe("2");
});

describe("bytes of its own", () => {
  test("equal bytes, progress in bytes, at most four files at once, and few calls beside them", async () => {
    const large = Buffer.alloc(5 << 20, 7);
    const model = await modelFolder(root, "own", { "data/large.bin": large, "data/what?&more": "y" });
    let now = 0;
    let most = 0;
    const puts = (passed: Passed, change: number): void => {
      if (passed.kind !== "PUT artifact") return;
      now += change;
      most = Math.max(most, now);
    };
    const proxy = await losingProxy(server.uri, {
      beforeRequest: (_, passed) => puts(passed, 1),
      afterReply: (_, passed) => puts(passed, -1),
    });
    const { registry } = openThrough(proxy);
    const events: TaskEvent[] = [];
    const made = await registry.createFromFolder({ ...request("prod.own", model.digest), ...model }, (event) =>
      events.push(event),
    );
    expect(made).toMatchObject({ model: "prod.own", version: "1", runId: undefined, aliases: [] });
    const total = model.files.reduce((sum, each) => sum + each.bytes, 0);
    expect(events[0]).toMatchObject({ type: "task.started", task: "model.upload", total, unit: "bytes" });
    expect(events.at(-2)).toMatchObject({ type: "task.advanced", done: total });
    expect(events.at(-1)).toMatchObject({ type: "task.finished", outcome: "done" });
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(4);
    expect((await fetchModel(registry.filesOf(made), fetched(), quiet)).digest).toBe(model.digest);

    // The second model of the same name: what promotion costs each time.
    const second = await modelFolder(root, "own again");
    proxy.heal();
    await registry.createFromFolder({ ...request("prod.own", second.digest, 1), ...second }, quiet);
    const calls = Object.entries(proxy.counts()).filter(([kind]) => !kind.includes("artifact"));
    expect(Object.fromEntries(calls)).toEqual({
      "GET model-versions/search": 1,
      "POST logged-models/search": 1,
      "POST logged-models": 1,
      "PATCH logged-models/*": 1,
      "POST model-versions/create": 1,
    });
    proxy.heal();
    expect(
      (await registry.createFromFolder({ ...request("prod.own", second.digest, 1), ...second }, quiet)).version,
    ).toBe("2");
    expect(proxy.seen.filter((each) => each.method === "PUT")).toEqual([]);
    await proxy.stop();
  });

  test.each([
    ["grew", (path: string) => appendFileSync(path, "more")],
    ["went away", (path: string) => unlinkSync(path)],
  ])("a file that %s since its digest was read: exit 5, and no version", async (how, change) => {
    const { registry } = open(server.uri);
    const model = await modelFolder(root, how);
    change(join(model.folder, "data/salt.txt"));
    const name = `prod.changed-${how.replace(" ", "-")}`;
    const made = registry.createFromFolder({ ...request(name, model.digest), ...model }, quiet);
    await expect(made).rejects.toMatchObject({ code: "upload.changed", exit: 5 });
    expect(await registry.versions(name)).toEqual([]);
  });

  test.each(["data/100%25.txt", "data/a#b", "data/a\u0007b"])(
    "a file called %j cannot be kept, and is said",
    async (path) => {
      const model = await modelFolder(root, path, { [path]: "x" });
      const made = open(server.uri).registry.createFromFolder(
        { ...request("prod.names", model.digest), ...model },
        quiet,
      );
      await expect(made).rejects.toMatchObject({ code: "mlflow.path", exit: 4 });
    },
  );

  test("what somebody put beside an interrupted try is left behind", async () => {
    const { registry } = open(server.uri);
    const model = await smallModel(root);
    const proxy = await losingProxy(server.uri);
    proxy.break("PATCH logged-models/*", { when: "before", what: 503 }, 1, 9);
    const wanted = { ...request("prod.beside", model.digest), ...model };
    await expect(openThrough(proxy).registry.createFromFolder(wanted, quiet)).rejects.toMatchObject({
      code: "http.503",
    });
    const put = proxy.seen.find((each) => each.kind === "PUT artifact")?.url ?? "";
    await proxy.stop();
    const folder = /^(.*\/models\/m-[0-9a-f]{32}\/artifacts)\//.exec(put)?.[1];
    expect(folder).toBeDefined();
    expect((await fetch(`${server.uri}${folder}/extra.txt`, { method: "PUT", body: "x" })).status).toBe(200);
    const made = await registry.createFromFolder(wanted, quiet);
    expect((await fetchModel(registry.filesOf(made), fetched(), quiet)).digest).toBe(model.digest);
  });
});

test("aliases: set, moved, removed; one that is not there is no error", async () => {
  const { registry } = open(server.uri);
  const logged = await loggedModel(server, await smallModel(root), "train-alias");
  await registry.createFromRun({ ...request("dev.alias", "a".repeat(64)), ...logged });
  await registry.createFromRun({ ...request("dev.alias", "b".repeat(64)), ...logged });
  await registry.setAlias("dev.alias", "challenger", "1");
  await registry.setAlias("dev.alias", "challenger", "1");
  await registry.setAlias("dev.alias", "champion", "1");
  await registry.setAlias("dev.alias", "champion", "2");
  expect(await registry.model("dev.alias")).toMatchObject({ aliases: { challenger: "1", champion: "2" } });
  expect((await registry.versionByAlias("dev.alias", "champion"))?.version).toBe("2");
  expect((await registry.versions("dev.alias")).map((each) => each.aliases)).toEqual([["champion"], ["challenger"]]);
  await registry.removeAlias("dev.alias", "challenger");
  await registry.removeAlias("dev.alias", "challenger");
  await registry.removeAlias("dev.nothing", "challenger");
  expect(await registry.versionByAlias("dev.alias", "challenger")).toBeUndefined();
  await expect(registry.setAlias("dev.alias", "champion", "9")).rejects.toMatchObject({ exit: 4 });
  await expect(registry.setAlias("dev.alias", "latest", "1")).rejects.toMatchObject({ exit: 4, code: "http.400" });
});

test("a version is removed unless an alias names it; its number is not used again", async () => {
  const { registry } = open(server.uri);
  const logged = await loggedModel(server, await smallModel(root), "train-remove");
  const make = (digest: string, above: number) =>
    registry.createFromRun({ ...request("dev.remove", digest.repeat(64), above), ...logged });
  await make("a", 0);
  await make("b", 1);
  await registry.setAlias("dev.remove", "champion", "1");
  await expect(registry.removeVersion("dev.remove", "1")).rejects.toMatchObject({ code: "version.alias", exit: 5 });
  expect((await registry.versionByAlias("dev.remove", "champion"))?.version).toBe("1");
  await registry.removeVersion("dev.remove", "2");
  await registry.removeVersion("dev.remove", "2");
  await registry.removeVersion("dev.gone", "1");
  expect((await registry.versions("dev.remove")).map((each) => each.version)).toEqual(["1"]);
  // The removed one carried the digest too, and is not found.
  expect((await make("b", 1)).version).toBe("3");
});

test("tags of models and versions: set, set again, long ones", async () => {
  const { registry } = open(server.uri);
  const logged = await loggedModel(server, await smallModel(root), "train-tags");
  await registry.createFromRun({ ...request("dev.tags", "a".repeat(64)), ...logged });
  await registry.setModelTags("dev.tags", {
    "factory.policy": "1",
    "factory.rollback": '{"version":"1"}',
    c: "ü",
    d: "",
    e: "5",
  });
  await registry.setModelTags("dev.tags", { "factory.policy": "2" });
  await registry.setVersionTags("dev.tags", "1", { "factory.bundle": "x".repeat(50_000) });
  expect((await registry.model("dev.tags"))?.tags).toEqual({
    "factory.policy": "2",
    "factory.rollback": '{"version":"1"}',
    c: "ü",
    d: "",
    e: "5",
  });
  expect((await registry.version("dev.tags", "1"))?.tags["factory.bundle"]).toHaveLength(50_000);
  await expect(registry.setVersionTags("dev.tags", "9", { a: "b" })).rejects.toMatchObject({ exit: 4 });
});

test("the server's clock, once something was asked", async () => {
  const { registry, tracking } = open(server.uri);
  expect(registry.clock()).toBeUndefined();
  await tracking.run("0".repeat(32));
  const clock = registry.clock();
  expect(Math.abs((clock?.serverMs ?? 0) - (clock?.localMs ?? Number.NaN))).toBeLessThan(5000);
});

test("the first run and the latest", async () => {
  const { tracking } = open(server.uri);
  const tag = { key: "factory.project", value: "claims" };
  expect(await tracking.firstRun("train-order", tag)).toBeUndefined();
  const experimentId = await tracking.ensureExperiment("train-order");
  expect(await tracking.firstRun("train-order", tag)).toBeUndefined();
  for (const [name, day] of [
    ["second", 2],
    ["first", 1],
    ["third", 3],
  ] as const)
    await tracking.createRun({
      experimentId,
      name,
      tags: { [tag.key]: tag.value },
      startedAt: new Date(day * 86_400_000),
    });
  await tracking.createRun({ experimentId, name: "other", tags: {}, startedAt: new Date(0) });
  expect((await tracking.firstRun("train-order", tag))?.name).toBe("first");
  expect((await tracking.latestRun("train-order", tag))?.name).toBe("third");
});

test("after the run is deleted and collected, own bytes load in MLflow's client, which reads aliases, tags and evidence", async () => {
  const { registry, objects, tracking } = open(server.uri);
  const model = await modelFolder(root, "collected");
  const logged = await loggedModel(server, model, "train-collected");
  const inDev = await registry.createFromRun({ ...request("dev.collected", model.digest), ...logged });
  const own = { ...request("prod.collected", model.digest, 0, { "factory.source": "dev.collected/1" }), ...model };
  const inProd = await registry.createFromFolder(own, quiet);
  await registry.setAlias("prod.collected", "champion", "1");
  await registry.setModelTags("prod.collected", { "factory.ledger.head": "7:abc" });
  const index = '{"v":1}\n';
  const digest = sha256(index);
  await objects("prod", "collected").write(
    digest,
    [{ path: "evidence.json", sha256: digest, bytes: async () => Buffer.from(index) }],
    { model: "collected", what: "evidence" },
  );

  await call(server, "POST", "runs/delete", { run_id: logged.runId });
  await call(server, "DELETE", `logged-models/${logged.loggedModelId}`);
  const database = `sqlite:///${server.folder}/mlflow.db`;
  await run(server, "mlflow", [
    "gc",
    "--backend-store-uri",
    database,
    "--artifacts-destination",
    join(server.folder, "artifacts"),
  ]);
  await expect(fetchModel(registry.filesOf(inDev), fetched(), quiet)).rejects.toMatchObject({ exit: 4 });
  expect((await fetchModel(registry.filesOf(inProd), fetched(), quiet)).digest).toBe(model.digest);
  expect(await tracking.run(logged.runId)).toBeUndefined();

  const said: unknown = JSON.parse(
    await python(
      server,
      `
import json, mlflow, pandas
from mlflow import MlflowClient
client = MlflowClient()
version = client.get_model_version_by_alias("prod.collected", "champion")
model = client.get_registered_model("prod.collected")
experiment = client.get_experiment_by_name("factory/prod/collected")
[evidence] = client.search_runs([experiment.experiment_id], "tags.\`factory.object\` = '${digest}'")
path = mlflow.artifacts.download_artifacts(run_id=evidence.info.run_id, artifact_path="factory-evidence/${digest}/evidence.json")
loaded = mlflow.pyfunc.load_model("models:/prod.collected@champion")
print(json.dumps({
  "version": str(version.version), "tags": version.tags, "aliases": list(version.aliases), "model": model.tags,
  "evidence": open(path).read(), "run": [evidence.info.run_name, evidence.info.status, evidence.data.tags["factory.object.kind"]],
  "predicted": loaded.predict(pandas.DataFrame({"x": [1, 2]})).tolist(),
}))`,
    ),
  );
  expect(said).toEqual({
    version: "1",
    tags: own.tags,
    aliases: ["champion"],
    model: { "factory.ledger.head": "7:abc" },
    evidence: index,
    run: [`evidence ${digest.slice(0, 12)}…`, "FINISHED", "evidence"],
    predicted: [3, 6],
  });
});
