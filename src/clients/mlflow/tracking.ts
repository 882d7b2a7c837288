import { randomUUID } from "node:crypto";
import { FactoryError, outsideError, usageError } from "../../lib/error.ts";
import { httpFailure, problemOf } from "../../lib/http.ts";
import type { LoggedModel, NewRun, Run, Tracking } from "../../training/tracking.ts";
import { artifactSource } from "./artifacts.ts";
import { accept, attempt, demand, find, type MlflowApi } from "./mlflow-api.ts";
import {
  experiment,
  experimentId,
  type LoggedModelBody,
  loggedModels,
  nothing,
  oneLoggedModel,
  oneRun,
  type RunBody,
  runs,
} from "./schemas.ts";

const FINISH_TIMEOUT_MS = 5000;
/** Of 50 models each; a run has one. */
const MAX_PAGES = 20;
/** Marks a create call, so that after a lost reply the run that it made can be found. */
const ATTEMPT_TAG = "factory.attempt";

/** Experiments, runs and logged models of an MLflow server. */
export function mlflowTracking(api: MlflowApi): Tracking {
  const byName = (name: string) =>
    find(api, { method: "GET", path: "experiments/get-by-name", query: { experiment_name: name } }, experiment);
  const search = async (experimentIds: readonly string[], filter: string): Promise<Run | undefined> => {
    const json = { experiment_ids: experimentIds, filter, order_by: ["attributes.start_time DESC"], max_results: 1 };
    const found = await demand(api, { method: "POST", path: "runs/search", json, idempotent: true }, runs);
    return found.runs[0] === undefined ? undefined : runOf(found.runs[0]);
  };
  return {
    uri: api.uri,
    async ensureExperiment(name) {
      const existing = await byName(name);
      if (existing !== undefined) return activeId(name, existing.experiment);
      const { request, reply } = await attempt(api, { method: "POST", path: "experiments/create", json: { name } });
      // Someone else made it in between.
      if (problemOf(reply).code !== "RESOURCE_ALREADY_EXISTS")
        return accept(request, reply, experimentId).experiment_id;
      const made = await byName(name);
      if (made === undefined) throw httpFailure(request, reply);
      return activeId(name, made.experiment);
    },
    async createRun(run) {
      const mark = randomUUID();
      const create = async (): Promise<Run> =>
        runOf((await demand(api, { method: "POST", path: "runs/create", json: creation(run, mark) }, oneRun)).run);
      try {
        return await create();
      } catch (error) {
        if (api.signal?.aborted || !(error instanceof FactoryError) || !/^http\.(?:failed|429|5\d\d)$/.test(error.code))
          throw error;
        return (await search([run.experimentId], `tags.\`${ATTEMPT_TAG}\` = '${mark}'`)) ?? create();
      }
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
    async latestRun(name, tag) {
      if (/['"`\\]/.test(`${tag.key}${tag.value}`)) throw new TypeError("a tag that is searched for holds no quotes");
      const found = await byName(name);
      return found === undefined
        ? undefined
        : search([found.experiment.experiment_id], `tags.\`${tag.key}\` = '${tag.value}'`);
    },
    async loggedModels(run) {
      const models: LoggedModel[] = [];
      for (let token = "", pages = 0; ; pages++) {
        if (pages === MAX_PAGES)
          throw outsideError(
            "mlflow.pages",
            `the MLflow server at ${api.uri} lists the models of run ${run.id} without end`,
            "is it really an MLflow server?",
          );
        const json = {
          experiment_ids: [run.experimentId],
          filter: `source_run_id = '${run.id}'`,
          max_results: 50,
          ...(token !== "" && { page_token: token }),
        };
        const page = await demand(
          api,
          { method: "POST", path: "logged-models/search", json, idempotent: true },
          loggedModels,
        );
        models.push(...page.models.map(loggedModelOf).filter((model) => model.runId === run.id));
        token = page.next_page_token;
        if (token === "") return models;
      }
    },
    filesOf(model) {
      return artifactSource(api, `logged model ${model.id}`, async () => {
        const path = `logged-models/${encodeURIComponent(model.id)}`;
        return (await demand(api, { method: "GET", path }, oneLoggedModel)).model.info.artifact_uri;
      });
    },
  };
}

function creation(run: NewRun, mark: string): object {
  return {
    experiment_id: run.experimentId,
    run_name: run.name,
    start_time: run.startedAt.getTime(),
    tags: pairs({ ...run.tags, [ATTEMPT_TAG]: mark }),
  };
}

function activeId(name: string, found: { experiment_id: string; lifecycle_stage: string }): string {
  if (found.lifecycle_stage !== "active")
    throw usageError(
      "experiment.deleted",
      `the experiment ${name} was deleted on the server`,
      "restore it there: mlflow experiments restore",
    );
  return found.experiment_id;
}

function isRunId(id: string): boolean {
  return /^[0-9a-f]{32}$/.test(id);
}

function pairs(tags: Readonly<Record<string, string>>): { key: string; value: string }[] {
  return Object.entries(tags).map(([key, value]) => ({ key, value }));
}

function runOf({ info, data }: RunBody): Run {
  return {
    id: info.run_id,
    experimentId: info.experiment_id,
    name: info.run_name,
    status: info.status,
    startedAt: info.start_time,
    endedAt: info.end_time === undefined || info.end_time === 0 ? undefined : info.end_time,
    metrics: Object.fromEntries(data.metrics.map((metric) => [metric.key, metric.value])),
    params: data.params,
    tags: data.tags,
  };
}

function loggedModelOf({ info }: LoggedModelBody): LoggedModel {
  return { id: info.model_id, name: info.name, runId: info.source_run_id, status: info.status };
}
