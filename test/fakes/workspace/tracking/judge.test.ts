import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test, vi } from "vitest";
import { holdJudged } from "../judged.ts";
import { judge } from "../python-judge.ts";
import { type FakeWorkspace, startWorkspace } from "../server.ts";
import { tracking } from "./state.ts";

const here = dirname(fileURLToPath(import.meta.url));
const script = join(here, "judge.py");
const storage = join(here, "judge-storage.py");
const MIB = 1024 * 1024;
vi.setConfig({ testTimeout: 300_000 });

let workspace: FakeWorkspace | undefined;
afterEach(async () => {
  await workspace?.stop();
  workspace = undefined;
});

async function start(): Promise<FakeWorkspace> {
  workspace = await startWorkspace({ principals: [{ name: "ann@example.com" }] });
  return workspace;
}

const expected = {
  files: ["d", "empty.txt", "with space"],
  folder: [["d/info.json", 12]],
  info: { k: 1 },
  space: "a b",
  empty: 0,
  predictions: [0, 0, 1, 1],
  big: true,
  found: 1,
  history: [
    [3, 0.5],
    [4, 0.75],
  ],
  models: ["model"],
  status: "FINISHED",
  metric: 0.75,
  dataset: "train",
  logged: ["READY", "r", ["m2", "m3", "after"]],
  changed: "INVALID_PARAMETER_VALUE",
  again: "RESOURCE_ALREADY_EXISTS",
  sdk_run: "judged",
  sdk_history: [3, 4],
  sdk_files: ["d", "deep", "empty.txt", "with space"],
  sdk_listed: true,
};

test("MLflow's client tracks a run with a model and a big file in parts, through presigned URLs", async () => {
  const fake = await start();
  const { token } = fake.identity("ann@example.com");
  // One part is refused as if its URL had expired: the client asks for another.
  const refusal = fake.fault({ kind: "status", status: 403, method: "PUT", route: "/presigned", path: "/big.bin" });
  const seen = await judge(script, { url: fake.url, token }, ["/Users/ann@example.com/judged", String(12 * MIB)], {
    MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE: String(6 * MIB),
    MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE: String(5 * MIB),
    MLFLOW_MULTIPART_DOWNLOAD_MINIMUM_FILE_SIZE: String(6 * MIB),
    MLFLOW_MULTIPART_DOWNLOAD_CHUNK_SIZE: String(5 * MIB),
  });
  expect(seen).toMatchObject(expected);
  expect(refusal.struck).toBe(1);
  for (const route of [
    "get-presigned-upload-part-url",
    "create-multipart-upload",
    "complete-multipart-upload",
    "credentials-for-upload",
    "credentials-for-download",
  ])
    expect(
      fake.asked(route).every(({ status }) => status === 200),
      route,
    ).toBe(true);
  expect(fake.asked("PUT /presigned").length).toBeGreaterThan(10);
  expect(fake.asked("GET /presigned").map(({ status }) => status)).toContain(206);
  await holdJudged("tracking", fake.log);
  expect(fake.log.filter(({ route, url }) => route === undefined && !url.includes("well-known"))).toEqual([]);
});

const BIG = 12 * MIB;
const stored = {
  status: "READY",
  listed: [["big.bin", BIG]],
  files: ["deep", "empty.txt", "with space"],
  big: true,
  empty: 0,
  space: "a b",
  model: true,
};

async function store(change: (fake: FakeWorkspace) => void): Promise<FakeWorkspace> {
  const fake = await start();
  change(fake);
  const { token } = fake.identity("ann@example.com");
  const chunk = { MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE: String(5 * MIB) };
  expect(await judge(storage, { url: fake.url, token }, [String(BIG)], chunk)).toEqual(stored);
  return fake;
}

test("artifacts through the Files API, which MLflow's client tries first", async () => {
  const fake = await store(({ state }) => {
    tracking.of(state).settings.filesApi = true;
  });
  expect(fake.asked("/presigned")).toEqual([]);
  await holdJudged("tracking-files", fake.log);
});

for (const type of ["AZURE_SAS_URI", "AZURE_ADLS_GEN2_SAS_URI"])
  test(`artifacts with credentials of type ${type}`, async () => {
    const fake = await store(({ state }) => {
      tracking.of(state).settings.credentialType = type;
    });
    expect(fake.asked("/presigned").length).toBeGreaterThan(8);
    await holdJudged(`tracking-${type.toLowerCase().replaceAll("_", "-")}`, fake.log);
    expect(fake.asked("/presigned").every(({ status }) => status < 300)).toBe(true);
  });
