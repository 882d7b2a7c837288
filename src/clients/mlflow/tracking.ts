import { randomUUID } from "node:crypto";
import { outsideError, usageError } from "../../lib/error.ts";
import type { ClientAccess, LoggedModel, Run, Tracking } from "../../training/tracking.ts";
import { artifactSource } from "./artifacts.ts";
import { ensureExperiment, findExperiment } from "./experiments.ts";
import { remake } from "./make-once.ts";
import { demand, find, type MlflowApi } from "./mlflow-api.ts";
import { createRunOnce, pairs, type RunTag, runOf, searchRuns } from "./runs.ts";
import { type LoggedModelBody, loggedModels, nothing, oneLoggedModel, oneRun } from "./schemas.ts";

const FINISH_TIMEOUT_MS = 5000;
/** Of 50 models each; a run has one. */
const MAX_PAGES = 20;
/** Marks a create call, so that after a lost reply the run that it made can be found. */
const ATTEMPT_TAG = "factory.attempt";

/** What is not the same for every tracker that speaks MLflow's API. */
export interface TrackingParts {
  clientAccess(): Promise<ClientAccess>;
  /** The models that a run made. */
  modelsOf(api: MlflowApi, run: Run): Promise<readonly LoggedModelBody[]>;
}

/** Experiments, runs and logged models, by MLflow's API. */
export function mlflowTracking(api: MlflowApi, parts: TrackingParts): Tracking {
  const edge = async (experiment: string, tag: RunTag, newestFirst: boolean): Promise<Run | undefined> => {
    const id = await findExperiment(api, api.experiments.training(experiment));
    const [found] = id === undefined ? [] : await searchRuns(api, id, tag, { newestFirst });
    return found === undefined ? undefined : runOf(found);
  };
  return {
    uri: api.uri,
    experimentName: (name) => api.experiments.training(name),
    clientAccess: () => parts.clientAccess(),
    ensureExperiment: (name) => ensureExperiment(api, api.experiments.training(name)),
    async createRun(run) {
      const mark = { key: ATTEMPT_TAG, value: randomUUID() };
      const look = async () => (await searchRuns(api, run.experimentId, mark, {}))[0];
      const create = () => createRunOnce(api, { ...run, tags: { ...run.tags, [mark.key]: mark.value } });
      return runOf(await remake(api, look, create));
    },
    async run(id) {
      if (!isRunId(id))
        throw usageError(
          "run.id",
          `${JSON.stringify(id)} is not a run id`,
          "a run id has 32 hex digits; factory train prints it",
        );
      const found = await find(api, { method: "GET", path: "runs/get", query: { run_id: id } }, oneRun);
      return found === undefined || found.run.info.lifecycle_stage !== "active" ? undefined : runOf(found.run);
    },
    async setTags(runId, tags) {
      await demand(
        api,
        { method: "POST", path: "runs/log-batch", json: { run_id: runId, tags: pairs(tags) }, idempotent: true },
        nothing,
      );
    },
    async finishRun(runId, status, at) {
      const json = { run_id: runId, status, end_time: at.getTime() };
      const signal = AbortSignal.timeout(FINISH_TIMEOUT_MS);
      await demand(
        api,
        { method: "POST", path: "runs/update", json, idempotent: true, signal, timeoutMs: FINISH_TIMEOUT_MS },
        nothing,
      );
    },
    latestRun: (experiment, tag) => edge(experiment, tag, true),
    firstRun: (experiment, tag) => edge(experiment, tag, false),
    async loggedModels(run) {
      return (await parts.modelsOf(api, run)).map(loggedModelOf).filter((model) => model.runId === run.id);
    },
    filesOf(model) {
      return artifactSource(api.artifacts, `logged model ${model.id}`, async () => {
        const path = `logged-models/${encodeURIComponent(model.id)}`;
        return (await demand(api, { method: "GET", path }, oneLoggedModel)).model.info.artifact_uri;
      });
    },
  };
}

/** The models that name a run as their source. */
export async function searchModels(api: MlflowApi, run: Run): Promise<LoggedModelBody[]> {
  const models: LoggedModelBody[] = [];
  for (let token = "", pages = 0; ; pages++) {
    if (pages === MAX_PAGES)
      throw outsideError(
        "mlflow.pages",
        `${api.label} lists the models of run ${run.id} without end`,
        "is it really an MLflow server?",
      );
    const json = {
      experiment_ids: [run.experimentId],
      filter: `source_run_id = '${run.id}'`,
      max_results: 50,
      ...(token !== "" && { page_token: token }),
    };
    const search = { method: "POST" as const, path: "logged-models/search", json, idempotent: true };
    const page = await demand(api, search, loggedModels);
    models.push(...page.models);
    token = page.next_page_token;
    if (token === "") return models;
  }
}

function isRunId(id: string): boolean {
  return /^[0-9a-f]{32}$/.test(id);
}

function loggedModelOf({ info }: LoggedModelBody): LoggedModel {
  return { id: info.model_id, name: info.name, runId: info.source_run_id, status: info.status };
}
