import { join } from "node:path";
import { outsideError } from "../../lib/error.ts";
import { inParallel } from "../../lib/parallel.ts";
import { type Report, withTask } from "../../lib/progress.ts";
import type { FetchedModel, RemoteFile } from "../../registry/model-files.ts";
import type { ModelVersion, VersionRequest } from "../../registry/registry.ts";
import { DIGEST_TAG, digestOf } from "../version-tags.ts";
import { createVersion, earlierVersion } from "./create-version.ts";
import { ensureOwnExperiment } from "./experiments.ts";
import { remake } from "./make-once.ts";
import { demand, type MlflowApi } from "./mlflow-api.ts";
import { makeModel } from "./registered-models.ts";
import { pairs, tagFilter } from "./runs.ts";
import { type LoggedModelBody, loggedModels, oneLoggedModel } from "./schemas.ts";

/** Marks a logged model that factory made, so that an interrupted try is found again: registered name and model digest. */
const BYTES_TAG = "factory.bytes";
const AT_ONCE = 4;

export interface OwnBytes {
  /** Holds exactly `files`. */
  folder: string;
  files: FetchedModel["files"];
  /** Absent: everything is looked for. */
  seen?: { earlierTry: boolean; model: boolean };
}

/**
 * A version whose bytes belong to its environment: a logged model without a run, in an experiment of factory's own, filled from a
 * folder. Each step looks before it acts, so an interrupted try is carried on. Does not read back what arrived.
 */
export async function createFromFolder(
  api: MlflowApi,
  request: VersionRequest & OwnBytes,
  report: Report,
): Promise<ModelVersion> {
  demandKeepable(api, request.files);
  const modelName = request.model.slice(request.model.indexOf(".") + 1);
  const { seen = { earlierTry: true, model: true } } = request;
  const [there, experimentId] = await Promise.all([
    seen.earlierTry ? earlierVersion(api, request) : undefined,
    ensureOwnExperiment(api, request.environment, modelName),
  ]);
  if (there !== undefined) return there;
  const [{ model, fresh }] = await Promise.all([
    bytesOf(api, experimentId, modelName, request, report),
    seen.model ? undefined : makeModel(api, request.model),
  ]);
  // A try that was cut off a moment ago may have its version by now: its last call can have been on the way.
  return createVersion(api, request, { loggedModelId: model.info.model_id }, { looked: fresh });
}

/** Throws exit 4 for a file whose path the store would bend. */
export function demandKeepable(api: MlflowApi, files: OwnBytes["files"]): void {
  for (const { path } of files) {
    const problem = api.artifacts.unkeepable(path);
    if (problem !== undefined)
      throw outsideError(
        "mlflow.path",
        `the model holds the file ${JSON.stringify(path)}, which ${problem}`,
        "log the model again without that file",
      );
  }
}

/** A logged model without a run that holds all these bytes, finished. `fresh`: no earlier try had begun one. */
export async function bytesOf(
  api: MlflowApi,
  experimentId: string,
  modelName: string,
  request: VersionRequest & OwnBytes,
  report: Report,
): Promise<{ model: LoggedModelBody; fresh: boolean }> {
  const made = await ensureLoggedModel(api, experimentId, modelName, request);
  const { model_id } = made.model.info;
  await upload(api, made.model, request, report);
  const json = { model_id, status: "LOGGED_MODEL_READY" };
  const path = `logged-models/${encodeURIComponent(model_id)}`;
  await demand(api, { method: "PATCH", path, json, idempotent: true }, oneLoggedModel);
  return made;
}

async function ensureLoggedModel(
  api: MlflowApi,
  experimentId: string,
  modelName: string,
  request: VersionRequest & OwnBytes,
): Promise<{ model: LoggedModelBody; fresh: boolean }> {
  const mark = { key: BYTES_TAG, value: `${request.model} ${digestOf(request)}` };
  const look = async (): Promise<LoggedModelBody | undefined> => {
    const json = { experiment_ids: [experimentId], filter: tagFilter(mark), max_results: 10 };
    const search = { method: "POST" as const, path: "logged-models/search", json, idempotent: true };
    for (const model of (await demand(api, search, loggedModels)).models) {
      if (await holdsOnly(api, model, request.files)) return model;
    }
    return undefined;
  };
  const make = async (): Promise<LoggedModelBody> => {
    const json = {
      experiment_id: experimentId,
      // Neither a dot nor a slash is allowed in it.
      name: modelName.replace(/[^A-Za-z0-9_-]/g, "-"),
      tags: pairs({ [mark.key]: mark.value, [DIGEST_TAG]: digestOf(request) }),
    };
    return (await demand(api, { method: "POST", path: "logged-models", json }, oneLoggedModel)).model;
  };
  const found = request.seen?.earlierTry === false ? undefined : await look();
  return { model: found ?? (await remake(api, look, make)), fresh: found === undefined };
}

/** Whether nothing but these files is there, all of them or some: a file that is not part of the model would change its digest. */
async function holdsOnly(api: MlflowApi, model: LoggedModelBody, files: OwnBytes["files"]): Promise<boolean> {
  const expected = new Set(files.map((each) => each.path));
  return (await filesOf(api, model)).every((each) => expected.has(each.path));
}

function filesOf(api: MlflowApi, model: LoggedModelBody): Promise<RemoteFile[]> {
  const label = `logged model ${model.info.model_id}`;
  return api.artifacts.list(api.artifacts.place(model.info.artifact_uri, label), label);
}

async function upload(
  api: MlflowApi,
  model: LoggedModelBody,
  { model: name, folder, files }: VersionRequest & OwnBytes,
  report: Report,
): Promise<void> {
  const root = api.artifacts.place(model.info.artifact_uri, `logged model ${model.info.model_id}`);
  const total = files.reduce((sum, each) => sum + each.bytes, 0);
  await withTask(
    report,
    "model.upload",
    `copying the model to ${name}`,
    async (advance) => {
      let done = 0;
      await inParallel(files, AT_ONCE, ({ path, sha256, bytes }) =>
        api.artifacts.putFile(`${root}/${path}`, { path: join(folder, path), sha256, bytes }, (more) => {
          done += more;
          advance(done);
        }),
      );
    },
    { total, unit: "bytes" },
  );
  // Names and lengths only: the caller reads the bytes back. But a version is for ever, and one that lacks a file is not made.
  const arrived = new Map((await filesOf(api, model)).map((each) => [each.path, each.bytes]));
  const missing = files.find((each) => arrived.get(each.path) !== each.bytes);
  if (missing !== undefined || arrived.size !== files.length)
    throw outsideError(
      "mlflow.upload",
      `${api.label} took the files of ${name}, but ${missing === undefined ? "lists more than was sent" : `${missing.path} is not there as it was sent`}`,
      "run the command again",
    );
}
