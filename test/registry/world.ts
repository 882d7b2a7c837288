import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { type Mlflow, openMlflow } from "../../src/clients/mlflow/open-mlflow.ts";
import { sendHttp } from "../../src/lib/http.ts";
import { type FetchedModel, manifestOfFolder } from "../../src/registry/model-files.ts";
import { type MlflowServer, processVariables } from "../support/mlflow-server.ts";

/** What MLflow's Python flavour loads: a model whose code is in its own folder. */
const MLMODEL = `flavors:
  python_function:
    loader_module: tiny_model
    code: code
    env: {}
    python_version: 3.11.0
model_uuid: 00000000000000000000000000000001
mlflow_version: 3.17.2
utc_time_created: '2026-01-01 00:00:00.000000'
`;
const CODE = `class Tiny:
    def __init__(self, factor):
        self.factor = factor
    def predict(self, frame, params=None):
        return frame["x"] * self.factor
def _load_pyfunc(path):
    return Tiny(3)
`;

export interface ModelFolder {
  folder: string;
  files: FetchedModel["files"];
  digest: string;
}

/** A model that loads, in a folder of its own below `root`; `salt` gives it a digest of its own. */
export async function modelFolder(
  root: string,
  salt: string,
  more: Record<string, string | Uint8Array> = {},
): Promise<ModelFolder> {
  const folder = mkdtempSync(join(root, "model-"));
  const files = {
    MLmodel: MLMODEL,
    "code/tiny_model.py": CODE,
    "data/salt.txt": salt,
    "data/empty": "",
    "with space/ü 100% & more.txt": "x",
    ...more,
  };
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
  return described(folder);
}

/** Two small files, for tests that send a model many times. It does not load. */
export async function smallModel(root: string): Promise<ModelFolder> {
  const folder = mkdtempSync(join(root, "model-"));
  mkdirSync(join(folder, "data"));
  writeFileSync(join(folder, "MLmodel"), MLMODEL);
  writeFileSync(join(folder, "data/weights"), "1");
  return described(folder);
}

async function described(folder: string): Promise<ModelFolder> {
  const { files, digest } = await manifestOfFolder(folder);
  return { folder, files, digest };
}

export const temporary = (): string => mkdtempSync(join(tmpdir(), "factory-registry-"));
export const remove = (folder: string): void => rmSync(folder, { recursive: true, force: true });
export const open = (uri: string): Mlflow => openMlflow(uri, { variables: {} });

/** Calls the server's own interface, beside factory. */
export async function call(
  server: Pick<MlflowServer, "uri">,
  method: "GET" | "POST" | "PATCH" | "DELETE",
  path: string,
  json?: unknown,
): Promise<unknown> {
  const reply = await sendHttp({
    method,
    url: `${server.uri}/api/2.0/mlflow/${path}`,
    ...(json !== undefined && { json }),
  });
  if (reply.status !== 200) throw new Error(`${method} ${path}: ${reply.status} ${reply.text}`);
  return reply.json;
}

/** Runs a program of MLflow's own Python environment against the server, and returns what it prints. */
export async function python(server: MlflowServer, code: string): Promise<string> {
  return run(server, "python", ["-c", code]);
}
export async function run(server: MlflowServer, program: string, args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(join(server.bin, program), [...args], {
    cwd: server.folder,
    env: {
      ...processVariables(),
      PATH: `${server.bin}:${process.env.PATH}`,
      MLFLOW_TRACKING_URI: server.uri,
      MLFLOW_DISABLE_TELEMETRY: "true",
    },
  });
  return stdout;
}

/** A run with one finished logged model in it, as training leaves it. */
export async function loggedModel(
  server: MlflowServer,
  model: ModelFolder,
  experiment: string,
): Promise<{ runId: string; loggedModelId: string }> {
  const { tracking } = open(server.uri);
  const experimentId = await tracking.ensureExperiment(experiment);
  const { id: runId } = await tracking.createRun({ experimentId, name: "train", tags: {}, startedAt: new Date() });
  const made = await sendHttp({
    method: "POST",
    url: `${server.uri}/api/2.0/mlflow/logged-models`,
    json: { experiment_id: experimentId, name: "model", source_run_id: runId },
  });
  const id = /"model_id":\s*"(m-[0-9a-f]{32})"/.exec(made.text)?.[1] ?? "";
  const uri = /"artifact_uri":\s*"mlflow-artifacts:\/([^"]+)"/.exec(made.text)?.[1] ?? "";
  for (const { path } of model.files) {
    const to = `${uri}/${path}`.split("/").map(encodeURIComponent).join("/");
    await sendHttp({
      method: "PUT",
      url: `${server.uri}/api/2.0/mlflow-artifacts/artifacts/${to}`,
      body: readFileSync(join(model.folder, path)),
    });
  }
  await call(server, "PATCH", `logged-models/${id}`, { model_id: id, status: "LOGGED_MODEL_READY" });
  await tracking.finishRun(runId, "FINISHED", new Date());
  return { runId, loggedModelId: id };
}

/** A client that reaches the server through something that harms its calls. */
export function openThrough(proxy: { uri: string }, signal?: AbortSignal): Mlflow {
  return openMlflow(proxy.uri, { variables: {}, ...(signal !== undefined && { signal }) });
}
