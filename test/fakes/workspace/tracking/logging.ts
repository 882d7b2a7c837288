import * as z from "zod";
import { type Ask, badValue, bodyOf, notFound, ok, type Route } from "../route.ts";
import { double, int64, needed, tag, within } from "../shapes.ts";
import { idOf, runId } from "./runs.ts";
import { activeRunOf, type Metric, modelOf, type Run, tracking } from "./state.ts";

const P = "/api/2.0/mlflow/runs";
const RECORDED = "recorded: mlflow 3.17.2";

const metric = z.strictObject({
  key: z.string().optional(),
  value: double.optional(),
  timestamp: int64.optional(),
  step: int64.default(0),
  run_id: z.string().exactOptional(),
  run_uuid: z.string().exactOptional(),
  model_id: z.string().exactOptional(),
  dataset_name: z.string().exactOptional(),
  dataset_digest: z.string().exactOptional(),
});
const param = z.strictObject({ key: z.string(), value: z.string().default("") });
const dataset = z.strictObject({
  tags: z.array(tag).default([]),
  dataset: z.strictObject({
    name: z.string(),
    digest: z.string(),
    source_type: z.string(),
    source: z.string(),
    schema: z.string().exactOptional(),
    profile: z.string().exactOptional(),
  }),
});

export const loggingRoutes: readonly Route[] = [
  {
    method: "POST",
    path: `${P}/log-metric`,
    cites: `reference 2.2 runs/log-metric: appends; ${RECORDED} log_metric`,
    handle(ask) {
      const body = bodyOf(ask, metric);
      const run = activeRunOf(ask, idOf(body));
      addMetric(ask, run, wholeMetric(body));
      return ok();
    },
  },
  {
    method: "POST",
    path: `${P}/log-parameter`,
    cites: `reference 2.2 runs/log-parameter: another value is refused; ${RECORDED} log_param`,
    handle(ask) {
      const body = bodyOf(ask, z.strictObject({ ...runId, key: z.string().optional(), value: z.string().default("") }));
      const run = activeRunOf(ask, idOf(body));
      const key = checkedKey("Param", needed(body.key, "key"));
      within("Param value", body.value, 6000);
      checkParams(run, [{ key, value: body.value }]);
      run.params.set(key, body.value);
      return ok();
    },
  },
  {
    method: "POST",
    path: `${P}/log-batch`,
    cites: `reference 2.2 runs/log-batch; ${RECORDED} log_batch`,
    handle: batch,
  },
  {
    method: "POST",
    path: `${P}/set-tag`,
    cites: `reference 2.2 runs/set-tag: key ≤250 B, value ≤64 KB, last write wins; ${RECORDED} set_tag`,
    handle(ask) {
      const body = bodyOf(ask, z.strictObject({ ...runId, key: z.string().optional(), value: z.string().default("") }));
      const run = activeRunOf(ask, idOf(body));
      const key = checkedKey("Tag", needed(body.key, "key"));
      within("Tag value", body.value, 64 * 1024);
      setTag(run, key, body.value);
      return ok();
    },
  },
  {
    method: "POST",
    path: `${P}/delete-tag`,
    cites: `reference 2.2 runs/delete-tag; ${RECORDED} delete_tag`,
    handle(ask) {
      const body = bodyOf(ask, z.strictObject({ ...runId, key: z.string().optional() }));
      const run = activeRunOf(ask, idOf(body));
      if (!run.tags.delete(needed(body.key, "key")))
        throw notFound(`No tag with name: ${body.key} in run with id ${run.run_id}`);
      return ok();
    },
  },
  {
    method: "POST",
    path: `${P}/log-inputs`,
    cites: `reference 2.2 runs/log-inputs; ${RECORDED} log_input`,
    handle(ask) {
      const body = bodyOf(
        ask,
        z.strictObject({
          ...runId,
          datasets: z.array(dataset).default([]),
          models: z.array(z.strictObject({ model_id: z.string() })).default([]),
        }),
      );
      const run = activeRunOf(ask, idOf(body));
      if (body.datasets.length > 1000) throw badValue("A request can log at most 1000 datasets.");
      for (const { model_id } of body.models) modelOf(ask, model_id);
      for (const input of body.datasets) {
        needed(input.dataset.name, "dataset.name");
        needed(input.dataset.digest, "dataset.digest");
        const isSame = (each: { dataset: { name: string; digest: string } }): boolean =>
          each.dataset.name === input.dataset.name && each.dataset.digest === input.dataset.digest;
        if (!run.datasets.some(isSame)) run.datasets.push(input);
      }
      for (const model of body.models)
        if (!run.inputs.some((each) => each.model_id === model.model_id)) run.inputs.push(model);
      return ok();
    },
  },
  {
    method: "POST",
    path: `${P}/outputs`,
    cites: `reference 2.2 runs/outputs; ${RECORDED} sklearn.log_model`,
    handle(ask) {
      const body = bodyOf(
        ask,
        z.strictObject({
          ...runId,
          models: z.array(z.strictObject({ model_id: z.string(), step: int64.default(0) })).default([]),
        }),
      );
      const run = activeRunOf(ask, idOf(body));
      for (const { model_id } of body.models) modelOf(ask, model_id);
      run.outputs.push(...body.models);
      return ok();
    },
  },
  {
    method: "POST",
    path: `${P}/log-model`,
    cites: "reference 2.2 runs/log-model (Beta); read from databricks-sdk experiments.log_model",
    handle(ask) {
      const body = bodyOf(ask, z.strictObject({ ...runId, model_json: z.string().optional() }));
      const run = activeRunOf(ask, idOf(body));
      const text = needed(body.model_json, "model_json");
      try {
        JSON.parse(text);
      } catch {
        throw badValue("Malformed model info. The model_json is no JSON.");
      }
      run.models.push(text);
      return ok();
    },
  },
];

function batch(ask: Ask) {
  if (ask.body.length > 1_000_000)
    throw badValue(`Batched logging API requests must be at most 1000000 bytes, got one of size ${ask.body.length}.`);
  const body = bodyOf(
    ask,
    z.strictObject({
      ...runId,
      metrics: z.array(metric).default([]),
      params: z.array(param).default([]),
      tags: z.array(tag).default([]),
    }),
  );
  const id = idOf(body);
  const { metrics, params, tags } = body;
  for (const [name, list, most] of [
    ["metrics", metrics, 1000],
    ["params", params, 100],
    ["tags", tags, 100],
    ["metrics, params, and tags", [...metrics, ...params, ...tags], 1000],
  ] as const)
    if (list.length > most)
      throw badValue(`A batch logging request can contain at most ${most} ${name}. Got ${list.length} ${name}.`);
  const most = tracking.of(ask.state).settings.batchValueChars;
  for (const { key, value } of params) {
    checkedKey("Param", key);
    within("Param value", value, most);
  }
  for (const { key, value } of tags) {
    checkedKey("Tag", key);
    within("Tag value", value, most);
  }
  const whole = metrics.map(wholeMetric);
  const run = activeRunOf(ask, id);
  // The order of kinds is the server's own; a refused parameter leaves the metrics before it written (reference: partial writes possible).
  for (const each of whole) addMetric(ask, run, each);
  checkParams(run, params);
  for (const { key, value } of params) run.params.set(key, value);
  for (const { key, value } of tags) setTag(run, key, value);
  return ok();
}

function wholeMetric(given: z.infer<typeof metric>): Metric {
  const { run_uuid: _, ...rest } = given;
  return {
    ...rest,
    key: checkedKey("Metric", needed(given.key, "key")),
    value: needed(given.value, "value"),
    timestamp: needed(given.timestamp, "timestamp"),
  };
}

function addMetric(ask: Ask, run: Run, given: Metric): void {
  const whole = { ...given, run_id: run.run_id };
  const same = run.metrics.some(
    (each) =>
      each.key === given.key &&
      each.step === given.step &&
      each.timestamp === given.timestamp &&
      Object.is(each.value, given.value),
  );
  if (!same) run.metrics.push(whole);
  if (given.model_id !== undefined) modelOf(ask, given.model_id, "CAN_EDIT").metrics.push(whole);
}

function checkParams(run: Run, params: readonly { key: string; value: string }[]): void {
  const seen = new Map(run.params);
  for (const { key, value } of params) {
    const before = seen.get(key);
    if (before !== undefined && before !== value)
      throw badValue(
        `Changing param values is not allowed. Param with key='${key}' was already logged with value='${before}' for run ID='${run.run_id}'. Attempted logging new value '${value}'.`,
      );
    seen.set(key, value);
  }
}

function setTag(run: Run, key: string, value: string): void {
  run.tags.set(key, value);
  if (key === "mlflow.runName") run.run_name = value;
}

function checkedKey(what: string, key: string): string {
  within(`${what} name`, key, 250);
  if (!/^[/\w.\- :]+$/u.test(key) || /^\/|(^|\/)\.{1,2}(\/|$)|\/\/|\/$/.test(key))
    throw badValue(
      `Invalid value "${key}" for parameter 'key' supplied: Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and slashes (/).`,
    );
  return key;
}
