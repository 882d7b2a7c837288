import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fetchModel } from "../../src/registry/model-files.ts";
import { type MlflowServer, startMlflowServer } from "../support/mlflow-server.ts";
import { call, loggedModel, modelFolder, open, python, remove, run, temporary } from "./world.ts";

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

const request = (model: string, digest: string, above = 0, more: Record<string, string> = {}) => ({
  model,
  tags: { "factory.digest": digest, ...more },
  above,
  environment: "prod",
});

describe("a version of a run's model", () => {
  test("tags are there from the start; the same digest again is the same version, unless it is to be above it", async () => {
    const { registry } = open(server.uri);
    const model = await modelFolder(root, "run");
    const logged = await loggedModel(server, model, "train-run");
    expect(await registry.model("dev.run")).toBeUndefined();
    expect(await registry.versions("dev.run")).toEqual([]);
    await registry.ensureModel("dev.run");
    await registry.ensureModel("dev.run");
    expect(await registry.model("dev.run")).toEqual({ name: "dev.run", tags: {}, aliases: {} });
    const made = await registry.createFromRun({
      ...request("dev.run", model.digest, 0, { "factory.x": "ü \"'" }),
      ...logged,
    });
    expect(made).toMatchObject({ model: "dev.run", version: "1", runId: logged.runId, aliases: [] });
    expect(made.tags).toEqual({ "factory.digest": model.digest, "factory.x": "ü \"'" });
    expect(Math.abs(made.createdAt - Date.now())).toBeLessThan(60_000);
    expect((await registry.createFromRun({ ...request("dev.run", model.digest), ...logged })).version).toBe("1");
    expect((await registry.createFromRun({ ...request("dev.run", model.digest, 1), ...logged })).version).toBe("2");
    const fetched = await fetchModel(registry.filesOf(made), join(root, "run-fetched"), () => {});
    expect(fetched.digest).toBe(model.digest);
  });
});

describe("a version with bytes of its own", () => {
  test("smoke", async () => {
    const { registry } = open(server.uri);
    const model = await modelFolder(root, "own", { "data/large.bin": Buffer.alloc(5 << 20, 7) });
    const made = await registry.createFromFolder({ ...request("prod.own.bytes", model.digest), ...model }, () => {});
    expect(made).toMatchObject({ version: "1", tags: { "factory.digest": model.digest } });
    expect((await fetchModel(registry.filesOf(made), join(root, "own-fetched"), () => {})).digest).toBe(model.digest);
    expect(
      (await registry.createFromFolder({ ...request("prod.own.bytes", model.digest), ...model }, () => {})).version,
    ).toBe("1");
    const said = await python(
      server,
      `
import mlflow, pandas
m = mlflow.pyfunc.load_model("models:/prod.own.bytes/1")
print(m.predict(pandas.DataFrame({"x": [1, 2]})).tolist())`,
    );
    expect(said.trim()).toBe("[3, 6]");
  });
  test("objects", async () => {
    const { objects } = open(server.uri);
    const { sha256 } = await import("../../src/lib/hash.ts");
    const store = objects("prod", "own.bytes");
    const d = sha256("x");
    expect(await store.list(d)).toEqual([]);
    const f = (path: string, t: string) => ({ path, sha256: sha256(t), bytes: async () => Buffer.from(t) });
    const files = [f("evidence.json", "idx"), f("junit/a.xml", "<x/>"), f("model/empty", "")];
    await store.write(d, files, { model: "own.bytes", what: "evidence" });
    await store.write(d, files, { model: "own.bytes", what: "evidence" });
    expect(await store.list(d)).toEqual(["evidence.json", "junit/a.xml", "model/empty"]);
    expect((await open(server.uri).objects("prod", "own.bytes").read(d, "junit/a.xml", 100))?.toString()).toBe("<x/>");
    await expect(
      store.write(d, [f("junit/a.xml", "other")], { model: "own.bytes", what: "evidence" }),
    ).rejects.toMatchObject({ exit: 4, code: "object.bytes" });
    void call;
    void run;
  });
});
