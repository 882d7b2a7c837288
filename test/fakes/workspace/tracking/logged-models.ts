import * as z from "zod";
import { demandLevel } from "../acl.ts";
import { holds, parseFilter } from "../filter.ts";
import { type Ask, badValue, bodyOf, notFound, ok, pageOf, type Route } from "../route.ts";
import { int64, needed, tag, tagsOf, within } from "../shapes.ts";
import { shownMetric } from "./runs.ts";
import { experimentOf, type LoggedModel, latestMetrics, modelOf, newId, runOf, tracking } from "./state.ts";

const P = "/api/2.0/mlflow/logged-models";
const RECORDED = "recorded: mlflow 3.17.2";
const STATUSES = ["LOGGED_MODEL_PENDING", "LOGGED_MODEL_READY", "LOGGED_MODEL_UPLOAD_FAILED"];

function shown(model: LoggedModel): object {
  const { params, tags, metrics, ...info } = model;
  const latest = latestMetrics(metrics).map(shownMetric);
  return {
    info: { ...info, ...(tags.size === 0 ? {} : { tags: tagsOf(tags) }) },
    data: {
      ...(params.size === 0 ? {} : { params: tagsOf(params) }),
      ...(latest.length === 0 ? {} : { metrics: latest }),
    },
  };
}

const idOf = (ask: Ask): string => ask.params.model_id ?? "";

export const loggedModelRoutes: readonly Route[] = [
  { method: "POST", path: P, cites: `reference 2.3 POST logged-models; ${RECORDED} sklearn.log_model`, handle: create },
  {
    method: "GET",
    path: `${P}/:model_id`,
    cites: `reference 2.3 GET logged-models/{model_id}; ${RECORDED} get_logged_model (its artifact repository sends the id in the query too)`,
    handle: (ask) => ok({ model: shown(modelOf(ask, idOf(ask))) }),
  },
  {
    method: "DELETE",
    path: `${P}/:model_id`,
    cites: `reference 2.3 DELETE logged-models/{model_id}; ${RECORDED} delete_logged_model`,
    handle(ask) {
      tracking.of(ask.state).models.delete(modelOf(ask, idOf(ask), "CAN_EDIT").model_id);
      return ok();
    },
  },
  {
    method: "PATCH",
    path: `${P}/:model_id`,
    cites: `reference 2.3 PATCH logged-models/{model_id}: finalize; ${RECORDED} sklearn.log_model`,
    handle(ask) {
      const body = bodyOf(
        ask,
        z.strictObject({
          model_id: z.string().optional(),
          status: z.string().optional(),
          status_message: z.string().optional(),
        }),
      );
      const model = modelOf(ask, idOf(ask), "CAN_EDIT");
      const status = needed(body.status, "status");
      if (!STATUSES.includes(status) || status === "LOGGED_MODEL_PENDING")
        throw badValue(`Invalid model status: ${status}. Expected LOGGED_MODEL_READY or LOGGED_MODEL_UPLOAD_FAILED.`);
      model.status = status;
      if (body.status_message !== undefined) model.status_message = body.status_message;
      model.last_updated_timestamp_ms = ask.now();
      return ok({ model: shown(model) });
    },
  },
  {
    method: "PATCH",
    path: `${P}/:model_id/tags`,
    cites: `reference 2.3 PATCH …/tags: upsert; ${RECORDED} set_logged_model_tags`,
    handle(ask) {
      const body = bodyOf(ask, z.strictObject({ model_id: z.string().optional(), tags: z.array(tag).default([]) }));
      const model = modelOf(ask, idOf(ask), "CAN_EDIT");
      for (const { key, value } of body.tags) {
        within("Tag key", key, 250);
        within("Tag value", value, 64 * 1024);
        model.tags.set(key, value);
      }
      model.last_updated_timestamp_ms = ask.now();
      return ok();
    },
  },
  {
    method: "DELETE",
    path: `${P}/:model_id/tags/:tag_key`,
    cites: `reference 2.3 DELETE …/tags/{tag_key}; ${RECORDED} delete_logged_model_tag`,
    handle(ask) {
      const model = modelOf(ask, idOf(ask), "CAN_EDIT");
      const key = ask.params.tag_key ?? "";
      if (!model.tags.delete(key)) throw notFound(`No tag with key ${key} found for model with ID ${model.model_id}.`);
      return ok();
    },
  },
  {
    method: "POST",
    path: `${P}/:model_id/params`,
    cites: "reference 2.3 POST …/params; read from databricks-sdk experiments.log_logged_model_params",
    handle(ask) {
      const body = bodyOf(ask, z.strictObject({ model_id: z.string().optional(), params: z.array(tag).default([]) }));
      const model = modelOf(ask, idOf(ask), "CAN_EDIT");
      for (const { key, value } of body.params) model.params.set(key, value);
      return ok();
    },
  },
  {
    method: "POST",
    path: `${P}/search`,
    cites: `reference 2.3 logged-models/search: max_results ≤50; ${RECORDED} search_logged_models`,
    handle: search,
  },
  {
    method: "GET",
    path: "/api/2.0/mlflow/logged-models:batchGet",
    cites: "reference 2.3 GET logged-models:batchGet; read from databricks-sdk experiments",
    handle(ask) {
      const ids = ask.query.getAll("model_ids");
      if (ids.length === 0) throw badValue("Missing value for required parameter 'model_ids'.");
      const known = tracking.of(ask.state).models;
      return ok({ models: ids.filter((id) => known.has(id)).map((id) => shown(modelOf(ask, id))) });
    },
  },
];

function create(ask: Ask) {
  const body = bodyOf(
    ask,
    z.strictObject({
      experiment_id: z.string().optional(),
      name: z.string().optional(),
      model_type: z.string().optional(),
      source_run_id: z.string().optional(),
      params: z.array(tag).default([]),
      tags: z.array(tag).default([]),
    }),
  );
  const experiment = experimentOf(ask.state, needed(body.experiment_id, "experiment_id"));
  demandLevel(ask, "experiments", experiment.experiment_id, "CAN_EDIT");
  if (experiment.lifecycle_stage !== "active")
    throw badValue(
      `The experiment ${experiment.experiment_id} must be in the 'active' state. Current state is deleted.`,
    );
  if (body.source_run_id !== undefined && body.source_run_id !== "") runOf(ask, body.source_run_id);
  if (body.name !== undefined && /[/:.%"']/.test(body.name))
    throw badValue(
      `Invalid model name (${body.name}) provided. Model name must be a non-empty string and cannot contain the following characters: ('/', ':', '.', '%', '"', "'")`,
    );
  const id = `m-${newId()}`;
  const model: LoggedModel = {
    model_id: id,
    experiment_id: experiment.experiment_id,
    name: body.name || `unnamed-model-${id.slice(2, 6)}`,
    ...(body.model_type === undefined ? {} : { model_type: body.model_type }),
    ...(body.source_run_id === undefined ? {} : { source_run_id: body.source_run_id }),
    status: "LOGGED_MODEL_PENDING",
    artifact_uri: `${experiment.artifact_location}/logged_models/${id}/artifacts`,
    creation_timestamp_ms: ask.now(),
    last_updated_timestamp_ms: ask.now(),
    creator_id: ask.principal.id,
    params: new Map(body.params.map(({ key, value }): [string, string] => [key, value])),
    tags: new Map(body.tags.map(({ key, value }): [string, string] => [key, value])),
    metrics: [],
  };
  tracking.of(ask.state).models.set(id, model);
  return ok({ model: shown(model) });
}

function search(ask: Ask) {
  const body = bodyOf(
    ask,
    z.strictObject({
      experiment_ids: z.array(z.string()).default([]),
      filter: z.string().optional(),
      datasets: z
        .array(z.strictObject({ dataset_name: z.string(), dataset_digest: z.string().optional() }))
        .default([]),
      max_results: int64.default(50),
      order_by: z
        .array(
          z.strictObject({
            field_name: z.string(),
            ascending: z.boolean().default(true),
            dataset_name: z.string().optional(),
            dataset_digest: z.string().optional(),
          }),
        )
        .default([]),
      page_token: z.string().optional(),
    }),
  );
  if (body.experiment_ids.length === 0) throw badValue("At least one experiment ID must be specified.");
  if (body.max_results < 1 || body.max_results > 50)
    throw badValue(`Invalid value ${body.max_results} for parameter 'max_results': it must be between 1 and 50.`);
  for (const id of body.experiment_ids) demandLevel(ask, "experiments", id, "CAN_READ");
  const clauses = parseFilter(body.filter);
  // MLflow 3.17.2 asks for a run's models without it: "Filter by 'source_run_id' once Databricks backend supports it".
  if (clauses.some(({ entity, key }) => entity === "attributes" && key === "source_run_id"))
    throw badValue("Invalid attribute key 'source_run_id' in the filter of a search for logged models.");
  const found = [...tracking.of(ask.state).models.values()].filter(
    (model) =>
      body.experiment_ids.includes(model.experiment_id) &&
      clauses.every((clause) => holds(clause, heldBy(model, clause.entity, clause.key))),
  );
  const orders = body.order_by.length > 0 ? body.order_by : [{ field_name: "creation_timestamp", ascending: false }];
  found.sort((a, b) => {
    for (const { field_name, ascending } of orders) {
      const dot = field_name.indexOf(".");
      const [entity, key] =
        dot < 0 ? ["attributes", field_name] : [field_name.slice(0, dot), field_name.slice(dot + 1)];
      const [left, right] = [heldBy(a, entity, key), heldBy(b, entity, key)];
      if (left === right) continue;
      if (left === undefined) return 1;
      if (right === undefined) return -1;
      return left < right === ascending ? -1 : 1;
    }
    return 0;
  });
  const { items, next } = pageOf(found, body.max_results, body.page_token);
  return ok({
    ...(items.length === 0 ? {} : { models: items.map(shown) }),
    ...(next === undefined ? {} : { next_page_token: next }),
  });
}

function heldBy(model: LoggedModel, entity: string, key: string): string | number | undefined {
  if (entity === "metrics") return latestMetrics(model.metrics).find((each) => each.key === key)?.value;
  if (entity === "params") return model.params.get(key);
  if (entity === "tags") return model.tags.get(key);
  switch (key) {
    case "model_id":
    case "name":
    case "model_type":
    case "source_run_id":
    case "status":
    case "experiment_id":
      return model[key];
    case "creation_timestamp":
    case "creation_time":
      return model.creation_timestamp_ms;
    case "last_updated_timestamp":
      return model.last_updated_timestamp_ms;
    default:
      throw badValue(`Invalid attribute: ${key}`);
  }
}
