import { afterAll, beforeAll, expect, test } from "vitest";
import type { StoredFile } from "../../src/evidence/object-store.ts";
import { sha256 } from "../../src/lib/hash.ts";
import { losingProxy } from "../fakes/losing-proxy.ts";
import { call, open, openThrough } from "../registry/world.ts";
import { type MlflowServer, startMlflowServer } from "../support/mlflow-server.ts";

let server: MlflowServer;
beforeAll(async () => {
  server = await startMlflowServer();
});
afterAll(() => server.stop());

const file = (path: string, content: string | Buffer): StoredFile => ({
  path,
  sha256: sha256(content),
  bytes: async () => Buffer.from(content),
});
const INDEX = "index";
const DIGEST = sha256(INDEX);
const FILES = [
  file("evidence.json", INDEX),
  file("gates/unit.json", "{}"),
  file("empty", ""),
  file("wheel/a.whl", Buffer.alloc(3 << 20, 1)),
];
const NOTE = { model: "claims.triage", what: "evidence" } as const;
const others = (counts: Record<string, number>) =>
  Object.fromEntries(Object.entries(counts).filter(([kind]) => !kind.includes("artifact")));

test("written once, read back, listed; written again nothing changes; few calls beside the files", async () => {
  const proxy = await losingProxy(server.uri);
  const store = openThrough(proxy).objects("prod", "written");
  expect(await store.list(DIGEST)).toEqual([]);
  expect(await store.read(DIGEST, "evidence.json", 100)).toBeUndefined();
  await store.write(DIGEST, FILES, NOTE);
  expect(proxy.counts()["PUT artifact"]).toBe(4);
  expect(proxy.counts()["GET artifact"]).toBe(4);
  expect(await store.list(DIGEST)).toEqual(["empty", "evidence.json", "gates/unit.json", "wheel/a.whl"]);
  expect(await store.read(DIGEST, "evidence.json", 100)).toEqual(Buffer.from(INDEX));
  expect(await store.read(DIGEST, "empty", 0)).toEqual(Buffer.alloc(0));
  expect(await store.read(DIGEST, "absent", 100)).toBeUndefined();
  await expect(store.read(DIGEST, "wheel/a.whl", 1000)).rejects.toMatchObject({ code: "http.size", exit: 4 });

  const other = sha256("another");
  const more = [file("evidence.json", "another")];
  proxy.heal();
  await store.write(other, more, NOTE);
  expect(others(proxy.counts())).toEqual({ "POST runs/search": 1, "POST runs/create": 1, "POST runs/update": 1 });
  proxy.heal();
  const fresh = openThrough(proxy).objects("prod", "written");
  expect(await fresh.read(other, "evidence.json", 100)).toEqual(Buffer.from("another"));
  expect(await fresh.list(other)).toEqual(["evidence.json"]);
  expect(others(proxy.counts())).toEqual({ "GET experiments/get-by-name": 1, "POST runs/search": 1 });
  proxy.heal();
  await fresh.write(other, more, NOTE);
  expect(proxy.seen.filter((each) => each.method === "PUT")).toEqual([]);
  expect(others(proxy.counts())).toEqual({ "POST runs/search": 1 });
  await proxy.stop();
});

test("a file that is there with other bytes is named, and stays as it is", async () => {
  const store = open(server.uri).objects("prod", "other");
  await store.write(DIGEST, [file("evidence.json", INDEX), file("a", "1")], NOTE);
  const write = store.write(DIGEST, [file("evidence.json", INDEX), file("a", "2"), file("b", "3")], NOTE);
  await expect(write).rejects.toMatchObject({
    code: "object.bytes",
    exit: 4,
    message: expect.stringContaining("a is in"),
  });
  expect(await store.read(DIGEST, "a", 10)).toEqual(Buffer.from("1"));
});

test("a file that is not what its digest says is not sent", async () => {
  const store = open(server.uri).objects("prod", "changed");
  const write = store.write(DIGEST, [{ ...file("a", "1"), sha256: sha256("2") }], NOTE);
  await expect(write).rejects.toMatchObject({ code: "upload.changed", exit: 5 });
  expect(await store.list(DIGEST)).toEqual([]);
});

test("what several runs of one digest hold counts together, the earliest first", async () => {
  const { tracking, objects } = open(server.uri);
  const experimentId = await tracking.ensureExperiment("factory/prod/several");
  const put = async (runId: string, path: string, body: string) => {
    const { run } = Object(await call(server, "GET", `runs/get?run_id=${runId}`));
    const root = String(run.info.artifact_uri).replace("mlflow-artifacts:/", "");
    const url = `${server.uri}/api/2.0/mlflow-artifacts/artifacts/${root}/factory-evidence/${DIGEST}/${path}`;
    expect((await fetch(url, { method: "PUT", body })).status).toBe(200);
  };
  for (const [day, path, body] of [
    [2, "a", "late"],
    [1, "a", "early"],
    [3, "b", "only"],
  ] as const) {
    const startedAt = new Date(day * 86_400_000);
    const { id } = await tracking.createRun({ experimentId, name: "x", tags: { "factory.object": DIGEST }, startedAt });
    await put(id, path, body);
  }
  const store = objects("prod", "several");
  expect(await store.list(DIGEST)).toEqual(["a", "b"]);
  expect((await store.read(DIGEST, "a", 10))?.toString()).toBe("early");
  expect((await store.read(DIGEST, "b", 10))?.toString()).toBe("only");
});

test("one environment does not see what another keeps", async () => {
  await open(server.uri)
    .objects("prod", "apart")
    .write(DIGEST, [file("a", "1")], NOTE);
  expect(await open(server.uri).objects("test", "apart").list(DIGEST)).toEqual([]);
});

test.each(["../a", "a/../../b", "/a", "a//b", "", "a\\b"])("the path %j never leaves this program", async (path) => {
  const store = open(server.uri).objects("prod", "paths");
  await expect(store.write(DIGEST, [file(path, "x")], NOTE)).rejects.toThrow("no path of an object");
  await expect(store.read(DIGEST, path, 10)).rejects.toThrow("no path of an object");
  await expect(store.list("../x")).rejects.toThrow();
});
