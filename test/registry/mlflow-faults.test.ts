import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Mlflow } from "../../src/clients/mlflow/open-mlflow.ts";
import type { StoredFile } from "../../src/evidence/object-store.ts";
import { sha256 } from "../../src/lib/hash.ts";
import { fetchModel } from "../../src/registry/model-files.ts";
import { FAULTS, type Fault, type LosingProxy, losingProxy } from "../fakes/losing-proxy.ts";
import { type MlflowServer, startMlflowServer } from "../support/mlflow-server.ts";
import { covering } from "../support/sample.ts";
import { call, loggedModel, type ModelFolder, open, openThrough, remove, smallModel, temporary } from "./world.ts";

let server: MlflowServer;
let root = "";
let model: ModelFolder;
let logged: { runId: string; loggedModelId: string };
beforeAll(async () => {
  root = temporary();
  server = await startMlflowServer();
  model = await smallModel(root);
  logged = await loggedModel(server, model, "train-faults");
  await open(server.uri).registry.createFromRun(fromRun("shared"));
});
afterAll(async () => {
  await server.stop();
  remove(root);
});

let cases = 0;
const SHARED = "dev.shared";
const OBJECT = sha256("an object");
const FILES: StoredFile[] = ["evidence.json", "gates/unit.json", "junit/unit.xml"].map((path) => ({
  path,
  sha256: sha256(path),
  bytes: async () => Buffer.from(path),
}));
const fromFolder = (name: string, above = 0) => ({
  model: `prod.${name}`,
  tags: { "factory.digest": model.digest },
  above,
  environment: "prod",
  folder: model.folder,
  files: model.files,
});
const fromRun = (name: string) => ({
  model: `dev.${name}`,
  tags: { "factory.digest": model.digest, "factory.commit": "1".repeat(40) },
  above: 0,
  environment: "dev",
  ...logged,
});

/** What one writing member does, from the same beginning each time, and what is on the server in the end. */
interface Operation {
  /** The calls that write, each of which meets each fault; which one of its kind it is that has the effect. */
  kinds: Readonly<Record<string, number>>;
  prepare?(direct: Mlflow, name: string): Promise<unknown>;
  act(through: Mlflow, name: string): Promise<unknown>;
  state(direct: Mlflow, name: string): Promise<unknown>;
  expected: unknown;
}

const numbered = async (direct: Mlflow, name: string) =>
  (await direct.registry.versions(name)).map((each) => [each.version, each.tags["factory.digest"] === model.digest]);

async function ownBytes(direct: Mlflow, name: string): Promise<unknown> {
  const [version] = await direct.registry.versions(`prod.${name}`);
  if (version === undefined) return "no version";
  const folder = `${root}/fetched-${++cases}`;
  const { digest } = await fetchModel(direct.registry.filesOf(version), folder, () => {});
  remove(folder);
  return {
    versions: await numbered(direct, `prod.${name}`),
    sameBytes: digest === model.digest,
    loggedModels: await statesOf(`factory/prod/${name}`),
  };
}

/** Status of every logged model in an experiment. */
async function statesOf(experiment: string): Promise<string[]> {
  const found = JSON.stringify(
    await call(server, "GET", `experiments/get-by-name?experiment_name=${encodeURIComponent(experiment)}`),
  );
  const id = /"experiment_id":"(\d+)"/.exec(found)?.[1];
  const models = JSON.stringify(await call(server, "POST", "logged-models/search", { experiment_ids: [id] }));
  return [...models.matchAll(/"status":"(LOGGED_MODEL_\w+)"/g)].map((match) => match[1] ?? "");
}

async function objectRuns(direct: Mlflow, name: string): Promise<unknown> {
  const id = await direct.tracking.ensureExperiment(`factory/prod/${name}`);
  const found = JSON.stringify(await call(server, "POST", "runs/search", { experiment_ids: [id] }));
  return {
    runs: [...found.matchAll(/"status":"(\w+)"/g)].map((match) => match[1] ?? ""),
    files: await direct.objects("prod", name).list(OBJECT),
    read: (await direct.objects("prod", name).read(OBJECT, "junit/unit.xml", 100))?.toString(),
  };
}

const OPERATIONS: Record<string, Operation> = {
  ensureModel: {
    kinds: { "POST registered-models/create": 1 },
    act: ({ registry }, name) => registry.ensureModel(`dev.${name}`),
    state: (direct, name) => direct.registry.model(`dev.${name}`),
    expected: { name: expect.any(String), tags: {}, aliases: {} },
  },
  createFromRun: {
    // The first one is refused, since there is no such model yet.
    kinds: { "POST registered-models/create": 1, "POST model-versions/create": 2 },
    act: ({ registry }, name) => registry.createFromRun(fromRun(name)),
    state: (direct, name) => numbered(direct, `dev.${name}`),
    expected: [["1", true]],
  },
  createFromFolder: {
    kinds: {
      "POST experiments/create": 1,
      "POST logged-models": 1,
      "PUT artifact": 2,
      "PATCH logged-models/*": 1,
      "POST registered-models/create": 1,
      "POST model-versions/create": 2,
    },
    act: ({ registry }, name) => registry.createFromFolder(fromFolder(name), () => {}),
    state: ownBytes,
    expected: { versions: [["1", true]], sameBytes: true, loggedModels: ["LOGGED_MODEL_READY"] },
  },
  removeVersion: {
    kinds: { "DELETE model-versions/delete": 1 },
    async prepare({ registry }, name) {
      await registry.createFromRun(fromRun(name));
      await registry.createFromRun({ ...fromRun(name), above: 1 });
    },
    act: ({ registry }, name) => registry.removeVersion(`dev.${name}`, "2"),
    state: (direct, name) => numbered(direct, `dev.${name}`),
    expected: [["1", true]],
  },
  "aliases and tags": {
    kinds: {
      "POST registered-models/alias": 1,
      "DELETE registered-models/alias": 1,
      "POST registered-models/set-tag": 1,
      "POST model-versions/set-tag": 1,
    },
    // One model for all, with names of its own for each case.
    prepare: ({ registry }, name) => registry.setAlias(SHARED, `old-${name}`, "1"),
    async act({ registry }, name) {
      await registry.setAlias(SHARED, `new-${name}`, "1");
      await registry.removeAlias(SHARED, `old-${name}`);
      await registry.setModelTags(SHARED, { [name]: "m" });
      await registry.setVersionTags(SHARED, "1", { [name]: "v" });
    },
    async state({ registry }, name) {
      const [model, version] = await Promise.all([registry.model(SHARED), registry.version(SHARED, "1")]);
      const aliases = Object.keys(model?.aliases ?? {}).filter((each) => each.endsWith(`-${name}`));
      return { aliases, model: model?.tags[name], version: version?.tags[name] };
    },
    expected: { aliases: [expect.stringMatching(/^new-/)], model: "m", version: "v" },
  },
  "objects.write": {
    kinds: { "POST experiments/create": 1, "POST runs/create": 1, "PUT artifact": 2, "POST runs/update": 1 },
    act: ({ objects }, name) => objects("prod", name).write(OBJECT, FILES, { model: name, what: "evidence" }),
    state: objectRuns,
    expected: { runs: ["FINISHED"], files: FILES.map((each) => each.path), read: "junit/unit.xml" },
  },
};

/** A page instead of an answer, and half an answer, may end a call that would do no harm when repeated: the next run repeats it. */
const mayEnd = (fault: Fault): boolean => fault.what === "html" || fault.what === "broken";

describe.each(Object.entries(OPERATIONS))("%s", (operationName, operation) => {
  const table = Object.entries(operation.kinds).flatMap(([kind, nth]) =>
    FAULTS.map((fault) => ({ kind, nth, fault, ...fault })),
  );
  const chosen = covering(
    table,
    10,
    (row) => `${operationName} ${row.kind} ${row.what} ${row.when}`,
    ({ kind }) => kind,
  );
  test.concurrent.each(chosen)("$kind: $what $when its effect", async ({ kind, nth, fault }) => {
    const name = `fault-${++cases}`;
    const direct = open(server.uri);
    await operation.prepare?.(direct, name);
    const proxy = await losingProxy(server.uri);
    try {
      proxy.break(kind, fault, nth);
      const failure: unknown = await operation.act(openThrough(proxy), name).then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(proxy.spent()).toBe(true);
      // What was made is found; it is not made again and then thrown away.
      if (fault.when === "after" && /^POST (?:.*create|logged-models)$/.test(kind))
        expect(proxy.counts()[kind]).toBe(nth);
      if (failure !== undefined) {
        expect(failure).toMatchObject({ exit: 4 });
        expect(mayEnd(fault)).toBe(true);
        await operation.act(openThrough(proxy), name);
      }
      expect(await operation.state(direct, name)).toEqual(operation.expected);
    } finally {
      await proxy.stop();
    }
  });
});

describe.each(["createFromFolder", "objects.write"])("%s, ended at any request", (which) => {
  const operation = OPERATIONS[which];
  test.each(["before", "after"] as const)("%s it: the next run carries on", async (when) => {
    if (operation === undefined) throw new Error("unknown");
    let end = 1;
    for (let last = false; !last && end < 60; end++) {
      const name = `crash-${++cases}`;
      const died = new AbortController();
      const die = (n: number): void => {
        if (n === end) died.abort(new Error("killed"));
      };
      const proxy = await losingProxy(server.uri, when === "before" ? { beforeRequest: die } : { afterReply: die });
      const first = operation.act(openThrough(proxy, died.signal), name);
      last = await first.then(
        () => true,
        () => false,
      );
      await operation.act(openThrough(proxy), name);
      await proxy.stop();
      const state = await operation.state(open(server.uri), name);
      // The call that makes a run may arrive after its caller died and the next one has looked; that run stays empty.
      const stray =
        when === "before" && which === "objects.write" ? { runs: expect.arrayContaining(["FINISHED"]) } : {};
      expect(state, `request ${end}`).toEqual({ ...Object(operation.expected), ...stray });
    }
    expect(end).toBeGreaterThan(8);
    expect(end).toBeLessThan(60);
  });
});

test("a call that comes through late, after it was made again: the first version stays, the second goes", async () => {
  const name = `late-${++cases}`;
  let creations = 0;
  const proxy: LosingProxy = await losingProxy(server.uri, {
    async beforeRequest(_, { kind }) {
      if (kind === "POST model-versions/create" && ++creations === 2) await proxy.release();
    },
  });
  await open(server.uri).registry.ensureModel(`dev.${name}`);
  proxy.break("POST model-versions/create", { when: "late", what: 504 });
  const made = await openThrough(proxy).registry.createFromRun(fromRun(name));
  await proxy.stop();
  expect(creations).toBe(2);
  expect(made.version).toBe("1");
  expect(await numbered(open(server.uri), `dev.${name}`)).toEqual([["1", true]]);
});

test.each(["createFromFolder", "objects.write"])("%s, any reply lost: it carries on by itself", async (which) => {
  const operation = OPERATIONS[which];
  if (operation === undefined) throw new Error("unknown");
  let nth = 1;
  for (let met = true; met && nth < 60; nth++) {
    const name = `lost-${++cases}`;
    const proxy = await losingProxy(server.uri);
    proxy.break(/./, { when: "after", what: "close" }, nth);
    await operation.act(openThrough(proxy), name);
    met = proxy.spent();
    await proxy.stop();
    expect(await operation.state(open(server.uri), name), `request ${nth}`).toEqual(operation.expected);
  }
  expect(nth).toBeGreaterThan(8);
  expect(nth).toBeLessThan(60);
});

test("two at once from nothing: one experiment, one registered model, and both end", async () => {
  const name = `both-${++cases}`;
  const write = () => open(server.uri).objects("prod", name).write(OBJECT, FILES, { model: name, what: "bundle" });
  await Promise.all([write(), write(), open(server.uri).registry.ensureModel(`prod.${name}`)]);
  expect(await open(server.uri).objects("prod", name).list(OBJECT)).toEqual(FILES.map((each) => each.path));
  const made = await Promise.all(
    [1, 2].map(() => open(server.uri).registry.createFromFolder(fromFolder(name), () => {})),
  );
  // The ledger keeps two promotions of one candidate apart; here both may have looked before either made.
  expect(new Set(made.map((each) => each.version)).size).toBeLessThanOrEqual(2);
});
