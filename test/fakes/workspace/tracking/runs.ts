import * as z from "zod";
import { demandLevel } from "../acl.ts";
import { type Clause, holds, parseFilter, parseOrder, sorted } from "../filter.ts";
import { type Ask, badValue, bodyOf, ok, pageOf, queryOf, type Route } from "../route.ts";
import { int64, needed, tag, tagsOf, within, writtenDouble } from "../shapes.ts";
import { activeRunOf, experimentOf, latestMetrics, type Metric, newId, type Run, runOf, tracking } from "./state.ts";

const P = "/api/2.0/mlflow";
const RECORDED = "recorded: mlflow 3.17.2";
const STATUSES = z.enum(["RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"]);
/** MLflow's client sends the old name beside the new one. */
export const runId = { run_id: z.string().optional(), run_uuid: z.string().optional() };
export const idOf = (body: { run_id?: string | undefined; run_uuid?: string | undefined }): string =>
  needed(body.run_id ?? body.run_uuid, "run_id");

export const shownMetric = (metric: Metric): object => ({ ...metric, value: writtenDouble(metric.value) });
/** A metric of a run names no run again. */
const ownMetric = ({ run_id: _, ...metric }: Metric): object => shownMetric(metric);

const infoOf = (run: Run): object => ({
  run_id: run.run_id,
  run_uuid: run.run_id,
  run_name: run.run_name,
  experiment_id: run.experiment_id,
  user_id: run.user_id,
  status: run.status,
  start_time: run.start_time,
  ...(run.end_time === undefined ? {} : { end_time: run.end_time }),
  artifact_uri: run.artifact_uri,
  lifecycle_stage: run.lifecycle_stage,
});

function shown(run: Run) {
  const params = tagsOf(run.params);
  const metrics = latestMetrics(run.metrics).map(ownMetric);
  return {
    info: infoOf(run),
    data: {
      ...(metrics.length === 0 ? {} : { metrics }),
      ...(params.length === 0 ? {} : { params }),
      ...(run.tags.size === 0 ? {} : { tags: tagsOf(run.tags) }),
    },
    inputs: {
      ...(run.datasets.length === 0 ? {} : { dataset_inputs: run.datasets }),
      ...(run.inputs.length === 0 ? {} : { model_inputs: run.inputs }),
    },
    outputs: run.outputs.length === 0 ? {} : { model_outputs: run.outputs },
  };
}

export const runRoutes: readonly Route[] = [
  {
    method: "POST",
    path: `${P}/runs/create`,
    cites: `reference 2.2 runs/create; ${RECORDED} start_run`,
    handle: create,
  },
  {
    method: "POST",
    path: `${P}/runs/update`,
    cites: `reference 2.2 runs/update; ${RECORDED} end_run`,
    handle(ask) {
      const body = bodyOf(
        ask,
        z.strictObject({
          ...runId,
          status: STATUSES.optional(),
          end_time: int64.optional(),
          run_name: z.string().optional(),
        }),
      );
      const run = activeRunOf(ask, idOf(body));
      if (body.status !== undefined) run.status = body.status;
      if (body.end_time !== undefined) run.end_time = body.end_time;
      if (body.run_name !== undefined) {
        run.run_name = body.run_name;
        run.tags.set("mlflow.runName", body.run_name);
      }
      return ok({ run_info: infoOf(run) });
    },
  },
  {
    method: "GET",
    path: `${P}/runs/get`,
    cites: `reference 2.2 runs/get: the last value per metric only; ${RECORDED} get_run`,
    handle: (ask) => ok({ run: shown(runOf(ask, idOf(queryOf(ask, z.strictObject(runId))))) }),
  },
  {
    method: "POST",
    path: `${P}/runs/search`,
    cites: `reference 2.2 runs/search; ${RECORDED} search_runs`,
    handle: search,
  },
  ...(["delete", "restore"] as const).map(
    (verb): Route => ({
      method: "POST",
      path: `${P}/runs/${verb}`,
      cites: `reference 2.2 runs/delete · restore: soft; ${RECORDED} ${verb}_run`,
      handle(ask) {
        const run = runOf(ask, idOf(bodyOf(ask, z.strictObject(runId))), "CAN_EDIT");
        const stage = verb === "delete" ? "deleted" : "active";
        if (run.lifecycle_stage === stage && verb === "restore")
          throw badValue(`The run ${run.run_id} must be in the 'deleted' state. Current state is active.`);
        run.lifecycle_stage = stage;
        return ok();
      },
    }),
  ),
  {
    method: "GET",
    path: `${P}/metrics/get-history`,
    cites: `reference 2.2 metrics/get-history: max_results ≤25000; ${RECORDED} get_metric_history`,
    handle(ask) {
      const query = queryOf(
        ask,
        z.strictObject({
          ...runId,
          metric_key: z.string(),
          max_results: int64.optional(),
          page_token: z.string().optional(),
        }),
      );
      const run = runOf(ask, idOf(query));
      if (query.max_results !== undefined && (query.max_results < 1 || query.max_results > 25000))
        throw badValue(`Invalid value ${query.max_results} for parameter 'max_results'`);
      const all = run.metrics.filter(({ key }) => key === needed(query.metric_key, "metric_key"));
      const { items, next } = pageOf(all, query.max_results ?? 25000, query.page_token);
      return ok({
        ...(items.length === 0 ? {} : { metrics: items.map(ownMetric) }),
        ...(next === undefined ? {} : { next_page_token: next }),
      });
    },
  },
  ...(["delete-runs", "restore-runs"] as const).map(
    (verb): Route => ({
      method: "POST",
      path: `${P}/databricks/runs/${verb}`,
      cites: `reference 2.2 databricks/runs/${verb}; read from databricks-sdk experiments.${verb.replace("-", "_")}`,
      handle: (ask) => many(ask, verb),
    }),
  ),
];

function create(ask: Ask) {
  const body = bodyOf(
    ask,
    z.strictObject({
      experiment_id: z.string().optional(),
      run_name: z.string().optional(),
      start_time: int64.optional(),
      tags: z.array(tag).default([]),
      user_id: z.string().optional(),
    }),
  );
  const experiment = experimentOf(ask.state, needed(body.experiment_id, "experiment_id"));
  demandLevel(ask, "experiments", experiment.experiment_id, "CAN_EDIT");
  if (experiment.lifecycle_stage !== "active")
    throw badValue(
      `The experiment ${experiment.experiment_id} must be in the 'active' state. Current state is deleted.`,
    );
  for (const { key, value } of body.tags) {
    within("Tag key", key, 250);
    within("Tag value", value, 64 * 1024);
  }
  const id = newId();
  const tags = new Map(body.tags.map(({ key, value }): [string, string] => [key, value]));
  const name = body.run_name || tags.get("mlflow.runName") || `unnamed-run-${id.slice(0, 4)}`;
  tags.set("mlflow.runName", name);
  const run: Run = {
    run_id: id,
    run_name: name,
    experiment_id: experiment.experiment_id,
    // The workspace knows who asks, whatever the client says.
    user_id: ask.principal.name,
    status: "RUNNING",
    start_time: body.start_time ?? ask.now(),
    artifact_uri: `${experiment.artifact_location}/${id}/artifacts`,
    lifecycle_stage: "active",
    tags,
    params: new Map(),
    metrics: [],
    datasets: [],
    inputs: [],
    outputs: [],
    models: [],
  };
  tracking.of(ask.state).runs.set(id, run);
  // As MLflow's own server: a new run is shown without its outputs.
  const { outputs: _, ...fresh } = shown(run);
  return ok({ run: fresh });
}

function search(ask: Ask) {
  const body = bodyOf(
    ask,
    z.strictObject({
      experiment_ids: z.array(z.string()).default([]),
      filter: z.string().optional(),
      run_view_type: z.enum(["ACTIVE_ONLY", "DELETED_ONLY", "ALL"]).default("ACTIVE_ONLY"),
      max_results: int64.default(1000),
      order_by: z.array(z.string()).default([]),
      page_token: z.string().optional(),
    }),
  );
  if (body.max_results < 1 || body.max_results > 50_000)
    throw badValue(`Invalid value ${body.max_results} for parameter 'max_results': it must be at most 50000.`);
  const clauses = parseFilter(body.filter);
  for (const id of body.experiment_ids) demandLevel(ask, "experiments", id, "CAN_READ");
  const found = [...tracking.of(ask.state).runs.values()].filter(
    (run) =>
      body.experiment_ids.includes(run.experiment_id) &&
      (body.run_view_type === "ALL" ||
        run.lifecycle_stage === (body.run_view_type === "ACTIVE_ONLY" ? "active" : "deleted")) &&
      clauses.every((clause) => fulfils(run, clause)),
  );
  const orders = parseOrder([...body.order_by, "attributes.start_time DESC", "attributes.run_id ASC"]);
  const { items, next } = pageOf(sorted(found, orders, heldBy), body.max_results, body.page_token);
  return ok({
    ...(items.length === 0 ? {} : { runs: items.map(shown) }),
    ...(next === undefined ? {} : { next_page_token: next }),
  });
}

const fulfils = (run: Run, clause: Clause): boolean =>
  clause.entity === "datasets"
    ? run.datasets.some(({ dataset, tags }) =>
        holds(
          clause,
          clause.key === "context"
            ? tags.find(({ key }) => key === "mlflow.data.context")?.value
            : textOf(dataset, clause.key),
        ),
      )
    : holds(clause, heldBy(run, clause));

const textOf = (dataset: object, key: string): string | undefined => {
  const value: unknown = Object.entries(dataset).find(([name]) => name === key)?.[1];
  return typeof value === "string" ? value : undefined;
};

const ALIASES: Readonly<Record<string, string>> = {
  created: "start_time",
  Created: "start_time",
  "run name": "run_name",
  "Run name": "run_name",
  "Run Name": "run_name",
  name: "run_name",
};

function heldBy(run: Run, { entity, key }: { entity: string; key: string }): string | number | undefined {
  if (entity === "metrics") return latestMetrics(run.metrics).find((each) => each.key === key)?.value;
  if (entity === "params") return run.params.get(key);
  if (entity === "tags") return run.tags.get(key);
  const name = ALIASES[key] ?? key;
  switch (name) {
    case "run_id":
    case "run_name":
    case "status":
    case "user_id":
    case "artifact_uri":
    case "start_time":
    case "end_time":
      return run[name];
    default:
      throw badValue(`Invalid attribute key '${key}' specified.`);
  }
}

function many(ask: Ask, verb: "delete-runs" | "restore-runs") {
  const body = bodyOf(
    ask,
    z.strictObject({
      experiment_id: z.string(),
      max_timestamp_millis: int64.optional(),
      min_timestamp_millis: int64.optional(),
      max_runs: int64.default(1000),
    }),
  );
  demandLevel(ask, "experiments", experimentOf(ask.state, body.experiment_id).experiment_id, "CAN_EDIT");
  const isDelete = verb === "delete-runs";
  const limit = needed(
    isDelete ? body.max_timestamp_millis : body.min_timestamp_millis,
    isDelete ? "max_timestamp_millis" : "min_timestamp_millis",
  );
  const chosen = [...tracking.of(ask.state).runs.values()]
    .filter(
      (run) =>
        run.experiment_id === body.experiment_id &&
        run.lifecycle_stage === (isDelete ? "active" : "deleted") &&
        (isDelete ? run.start_time <= limit : run.start_time >= limit),
    )
    .slice(0, Math.min(body.max_runs, 10_000));
  for (const run of chosen) run.lifecycle_stage = isDelete ? "deleted" : "active";
  return ok(isDelete ? { runs_deleted: chosen.length } : { runs_restored: chosen.length });
}
