import { join } from "node:path";
import { outsideError, usageError } from "../lib/error.ts";
import { LAST_MOMENT_MS } from "../lib/last-moment.ts";
import type { Report } from "../lib/progress.ts";
import { type FetchedModel, fetchModel, manifestOfFolder } from "../registry/model-files.ts";
import type { Run, Tracking } from "../training/tracking.ts";

/** A run with its one model, whose bytes lie in `folder`. */
export interface Candidate {
  run: Run;
  folder: string;
  model: FetchedModel;
}

/** Fetches the one model that a run logged. None, several, or a run that did not finish is exit 2 with the list. */
export async function fetchCandidate(
  tracking: Tracking,
  runId: string,
  folder: string,
  report: Report,
): Promise<Candidate> {
  const run = await tracking.run(runId);
  if (run === undefined)
    throw usageError(
      "run.unknown",
      `${tracking.uri} knows no run ${runId}`,
      "factory train makes one; or name another: factory check --run ID",
    );
  if (run.id !== runId)
    throw outsideError("run.other", `${tracking.uri} was asked for run ${runId} and answered with ${run.id}`);
  for (const time of [run.startedAt, run.endedAt ?? 0]) {
    if (!(Math.abs(time) <= LAST_MOMENT_MS))
      throw outsideError("run.time", `run ${runId} has a time that is none: ${time}`);
  }
  if (run.status !== "FINISHED")
    throw usageError("run.unfinished", `run ${runId} is ${run.status}, not FINISHED`, "train again: factory train");
  const models = (await tracking.loggedModels(run)).filter((model) => /READY$/.test(model.status));
  const [only, ...others] = models;
  if (only === undefined)
    throw usageError(
      "run.no-model",
      `run ${runId} logged no model`,
      "the training must log one with mlflow's log_model",
    );
  if (others.length > 0)
    throw usageError(
      "run.models",
      `run ${runId} logged ${models.length} models, one is needed: ${models.map((model) => `${model.name} (${model.id})`).join(", ")}`,
    );
  return {
    run,
    folder: join(folder, "candidate"),
    model: await fetchModel(tracking.filesOf(only), join(folder, "candidate"), report),
  };
}

/** Whether the bytes in a folder are still those that were fetched: project code ran in between. */
export async function isUnchanged(folder: string, digest: string): Promise<boolean> {
  return (await manifestOfFolder(folder)).digest === digest;
}
