import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Sizes } from "../../../src/clients/databricks/artifacts.ts";
import { openWorkspace } from "../../../src/clients/databricks/open-workspace.ts";
import { openTracking } from "../../../src/clients/databricks/tracking.ts";
import type { Workspace } from "../../../src/clients/databricks/workspace.ts";
import { openMlflow } from "../../../src/clients/mlflow/open-mlflow.ts";
import { sendHttp } from "../../../src/lib/http.ts";
import type { Tracking } from "../../../src/training/tracking.ts";
import { type FakeWorkspace, startWorkspace } from "../../fakes/workspace/server.ts";
import { type MlflowServer, startMlflowServer } from "../../support/mlflow-server.ts";

export const TRAINER = "trainer@example.com";

export interface Side {
  name: "an MLflow server" | "a workspace";
  tracking: Tracking;
  /** A second process' view. */
  again(): Tracking;
  /** Calls MLflow's API beside factory; throws unless it answers 200. */
  call(method: "GET" | "POST" | "PATCH", path: string, json?: unknown): Promise<unknown>;
  /** A run that logged one model with these files, as training leaves it. */
  logged(experiment: string, files: Readonly<Record<string, string | Uint8Array>>): Promise<Logged>;
}

export interface Logged {
  runId: string;
  modelId: string;
}

export interface BothSides {
  sides: Side[];
  fake: FakeWorkspace;
  server: MlflowServer;
  folder: string;
  stop(): Promise<void>;
}

export async function openFake(
  fake: FakeWorkspace,
  folder: string,
  as = TRAINER,
  signal?: AbortSignal,
): Promise<Workspace> {
  const home = mkdtempSync(join(folder, "home-"));
  const { token } = fake.identity(as);
  writeFileSync(join(home, ".databrickscfg"), `[dev]\nhost = ${fake.url}\ntoken = ${token}\n`, { mode: 0o600 });
  const places = { config: join(home, "config"), cache: join(home, "cache") };
  const options = { variables: { HOME: home }, home, places, version: "0.0.0", ...(signal && { signal }) };
  return openWorkspace({ profile: "dev" }, options);
}

export const newFolder = (): string => mkdtempSync(join(tmpdir(), "factory-tracking-"));

/** A real MLflow server, and the fake workspace. */
export async function bothSides(): Promise<BothSides> {
  const folder = newFolder();
  const fake = await startWorkspace({ principals: [{ name: TRAINER }, { name: "reader@example.com" }] });
  const server = await startMlflowServer();
  const workspace = await openFake(fake, folder);
  return {
    sides: [serverSide(server), workspaceSide(fake, workspace)],
    fake,
    server,
    folder,
    async stop() {
      await fake.stop();
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function caller(uri: string, headers: Record<string, string>): Side["call"] {
  return async (method, path, json) => {
    const url = `${uri}/api/2.0/mlflow/${path}`;
    const reply = await sendHttp({ method, url, headers, ...(json !== undefined && { json }) });
    if (reply.status !== 200) throw new Error(`${method} ${path}: ${reply.status} ${reply.text}`);
    return reply.json;
  };
}

function serverSide(server: MlflowServer): Side {
  const open = () => openMlflow(server.uri, { variables: {} }).tracking;
  const call = caller(server.uri, {});
  return {
    name: "an MLflow server",
    tracking: open(),
    again: open,
    call,
    logged: (experiment, files) =>
      logModel({ tracking: open(), call }, experiment, files, async (path, body, uri) => {
        const place = `${uri.replace("mlflow-artifacts:/", "")}/${path}`.split("/").map(encodeURIComponent).join("/");
        const url = `${server.uri}/api/2.0/mlflow-artifacts/artifacts/${place}`;
        await sendHttp({ method: "PUT", url, body });
      }),
  };
}

export function workspaceSide(fake: FakeWorkspace, workspace: Workspace, sizes?: Partial<Sizes>): Side {
  const open = () => openTracking(workspace, undefined, sizes);
  const call = caller(fake.url, { authorization: `Bearer ${fake.identity(TRAINER).token}` });
  return {
    name: "a workspace",
    tracking: open(),
    again: open,
    call,
    logged: (experiment, files) =>
      logModel({ tracking: open(), call }, experiment, files, async (path, body, _, id) => {
        const given = await call("POST", `logged-models/${id}/artifacts/credentials-for-upload`, { paths: [path] });
        const url = /"signed_uri":"([^"]+)"/.exec(JSON.stringify(given))?.[1] ?? "";
        const reply = await sendHttp({ method: "PUT", url, body });
        if (reply.status !== 200) throw new Error(`${path}: ${reply.status} ${reply.text}`);
      }),
  };
}

async function logModel(
  { tracking, call }: Pick<Side, "tracking" | "call">,
  experiment: string,
  files: Readonly<Record<string, string | Uint8Array>>,
  put: (path: string, body: Uint8Array, uri: string, id: string) => Promise<void>,
): Promise<Logged> {
  const experimentId = await tracking.ensureExperiment(experiment);
  const { id: runId } = await tracking.createRun({ experimentId, name: "train", tags: {}, startedAt: new Date() });
  const made = JSON.stringify(
    await call("POST", "logged-models", { experiment_id: experimentId, name: "model", source_run_id: runId }),
  );
  const modelId = /"model_id":"(m-[0-9a-f]{32})"/.exec(made)?.[1] ?? "";
  const uri = /"artifact_uri":"([^"]+)"/.exec(made)?.[1] ?? "";
  for (const [path, content] of Object.entries(files)) await put(path, Buffer.from(content), uri, modelId);
  await call("PATCH", `logged-models/${modelId}`, { model_id: modelId, status: "LOGGED_MODEL_READY" });
  await call("POST", "runs/outputs", { run_id: runId, models: [{ model_id: modelId, step: 0 }] });
  await tracking.finishRun(runId, "FINISHED", new Date());
  return { runId, modelId };
}

/** Writes files below a folder. */
export function writeFiles(folder: string, files: Readonly<Record<string, string | Uint8Array>>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
}
