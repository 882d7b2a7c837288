import type { NewRun, Run } from "../../training/tracking.ts";
import { demand, type MlflowApi } from "./mlflow-api.ts";
import { oneRun, type RunBody, runs } from "./schemas.ts";

export interface RunTag {
  key: string;
  value: string;
}

/** Runs of an experiment that carry the tag, in order of their start; `newestFirst` turns it round. At most `max`. */
export async function searchRuns(
  api: MlflowApi,
  experimentId: string,
  tag: RunTag,
  { newestFirst = false, max = 1 }: { newestFirst?: boolean; max?: number },
): Promise<RunBody[]> {
  const json = {
    experiment_ids: [experimentId],
    filter: tagFilter(tag),
    order_by: [`attributes.start_time ${newestFirst ? "DESC" : "ASC"}`],
    max_results: max,
  };
  return (await demand(api, { method: "POST", path: "runs/search", json, idempotent: true }, runs)).runs;
}

/** Creates a run, once: a lost reply makes it unknown whether there is one now. */
export async function createRunOnce(api: MlflowApi, run: NewRun): Promise<RunBody> {
  const json = {
    experiment_id: run.experimentId,
    run_name: run.name,
    start_time: run.startedAt.getTime(),
    tags: pairs(run.tags),
  };
  return (await demand(api, { method: "POST", path: "runs/create", json }, oneRun)).run;
}

/** The filter for a tag in MLflow's search language. What it compares with holds no quotes, so nothing needs escaping. */
export function tagFilter({ key, value }: RunTag, prefix = "tags"): string {
  if (/['"`\\]/.test(`${key}${value}`)) throw new TypeError("a tag that is searched for holds no quotes");
  return `${prefix}.\`${key}\` = '${value}'`;
}

export function pairs(tags: Readonly<Record<string, string>>): { key: string; value: string }[] {
  return Object.entries(tags).map(([key, value]) => ({ key, value }));
}

export function runOf({ info, data }: RunBody): Run {
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
