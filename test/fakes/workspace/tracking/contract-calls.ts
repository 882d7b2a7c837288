import { textAt } from "../calls.ts";

/** What one side's replies taught: ids that later calls need. */
export type Known = Record<string, string>;

export interface ContractCall {
  name: string;
  method: "GET" | "POST" | "PATCH" | "DELETE";
  path(known: Known): string;
  body?(known: Known): unknown;
  learn?(json: unknown, known: Known): void;
  /** Fields that one side alone has, for a reason told where they are listed. */
  ignore?: readonly string[];
  /** Why the workspace refuses what MLflow's server takes. */
  stricter?: string;
}

const P = "/api/2.0/mlflow";
/**
 * MLflow's server has workspaces of its own, and writes the type of a model even where none was given; Databricks tells who made
 * a logged model.
 */
const SERVER_ONLY = ["workspace", "effective_trace_archival_retention", "trace_location", "model_type", "creator_id"];

const get = (
  name: string,
  path: string | ((known: Known) => string),
  more: Partial<ContractCall> = {},
): ContractCall => ({
  name,
  method: "GET",
  path: (known) => `${P}/${typeof path === "string" ? path : path(known)}`,
  ignore: SERVER_ONLY,
  ...more,
});
const post = (
  name: string,
  path: string,
  body: object | ((known: Known) => object),
  more: Partial<ContractCall> = {},
): ContractCall => ({
  name,
  method: "POST",
  path: () => `${P}/${path}`,
  body: typeof body === "function" ? (known) => body(known) : () => body,
  ignore: SERVER_ONLY,
  ...more,
});
const to = (
  method: "PATCH" | "DELETE",
  name: string,
  path: (known: Known) => string,
  body?: (known: Known) => object,
): ContractCall => ({
  name,
  method,
  path: (known) => `${P}/${path(known)}`,
  ...(body === undefined ? {} : { body }),
  ignore: SERVER_ONLY,
});

const learns = (name: string, ...path: string[]) => ({
  learn: (json: unknown, known: Known) => {
    known[name] = textAt(json, ...path);
  },
});
const many = (count: number, make: (i: number) => object): object[] => Array.from({ length: count }, (_, i) => make(i));
const metric = (i: number): object => ({ key: `many${i}`, value: i, timestamp: 1, step: 0 });
const run = (known: Known): object => ({ run_id: known.run });

export const CALLS: readonly ContractCall[] = [
  post(
    "create an experiment",
    "experiments/create",
    { name: "/Shared/contract", tags: [{ key: "a", value: "b" }] },
    learns("experiment", "experiment_id"),
  ),
  post("create it again", "experiments/create", { name: "/Shared/contract" }),
  post("create with no name", "experiments/create", {}),
  post(
    "create with a relative name",
    "experiments/create",
    { name: "contract" },
    { stricter: "refused: names are absolute paths" },
  ),
  post(
    "create with 21 tags",
    "experiments/create",
    { name: "/Shared/tags", tags: many(21, (i) => ({ key: `t${i}`, value: "" })) },
    { stricter: "refused: at most 20 tags" },
  ),
  get("get it", ({ experiment }) => `experiments/get?experiment_id=${experiment}`),
  get("get it by name", "experiments/get-by-name?experiment_name=%2FShared%2Fcontract"),
  get("get one that is not there", "experiments/get?experiment_id=999999"),
  get("get one by a name that is not there", "experiments/get-by-name?experiment_name=%2FShared%2Fnone"),
  get("get by no name", "experiments/get-by-name"),
  post("tag it", "experiments/set-experiment-tag", ({ experiment }) => ({
    experiment_id: experiment,
    key: "k",
    value: "v",
  })),
  post("search experiments", "experiments/search", { filter: "name = '/Shared/contract'", max_results: 5 }),
  post("search experiments by tag", "experiments/search", {
    filter: "tags.k = 'v' AND name LIKE '/Shared/%'",
    max_results: 5,
    view_type: "ALL",
    order_by: ["name ASC"],
  }),
  post("search experiments, nothing found", "experiments/search", { filter: "name = 'x'", max_results: 5 }),
  post("search experiments, bad filter", "experiments/search", { filter: "name ~ 'x'", max_results: 5 }),
  post("search experiments, bad attribute", "experiments/search", { filter: "colour = 'x'", max_results: 5 }),
  post("search experiments, max_results 0", "experiments/search", { max_results: 0 }),
  post(
    "start a run",
    "runs/create",
    ({ experiment }) => ({
      experiment_id: experiment,
      run_name: "r1",
      start_time: 1000,
      tags: [{ key: "t", value: "u" }],
    }),
    learns("run", "run", "info", "run_id"),
  ),
  post(
    "start a second run",
    "runs/create",
    ({ experiment }) => ({ experiment_id: experiment, start_time: 2000 }),
    learns("second", "run", "info", "run_id"),
  ),
  post("start a run in no experiment that is there", "runs/create", { experiment_id: "999999" }),
  get("get the run", ({ run }) => `runs/get?run_id=${run}`),
  get("get a run that is not there", `runs/get?run_id=${"0".repeat(32)}`),
  get("get no run", "runs/get"),
  post("log a metric", "runs/log-metric", (k) => ({ ...run(k), key: "auc", value: 0.5, timestamp: 1, step: 3 })),
  post("log it again, later", "runs/log-metric", (k) => ({
    ...run(k),
    key: "auc",
    value: 0.75,
    timestamp: 2,
    step: 4,
  })),
  post("log an earlier step", "runs/log-metric", (k) => ({
    ...run(k),
    key: "auc",
    value: 0.25,
    timestamp: 9,
    step: 1,
  })),
  post("log NaN", "runs/log-metric", (k) => ({ ...run(k), key: "nan", value: "NaN", timestamp: 1, step: 0 })),
  post("log no key", "runs/log-metric", (k) => ({ ...run(k), value: 1, timestamp: 1 })),
  post("log no value", "runs/log-metric", (k) => ({ ...run(k), key: "x", timestamp: 1 })),
  post("log a bad key", "runs/log-metric", (k) => ({ ...run(k), key: "a//b", value: 1, timestamp: 1 })),
  post("log a long key", "runs/log-metric", (k) => ({ ...run(k), key: "k".repeat(251), value: 1, timestamp: 1 })),
  post("log to a run that is not there", "runs/log-metric", {
    run_id: "0".repeat(32),
    key: "a",
    value: 1,
    timestamp: 1,
  }),
  post("log a parameter", "runs/log-parameter", (k) => ({ ...run(k), key: "p", value: "1" })),
  post("log it again, the same", "runs/log-parameter", (k) => ({ ...run(k), key: "p", value: "1" })),
  post("log it again, another value", "runs/log-parameter", (k) => ({ ...run(k), key: "p", value: "2" })),
  post("log a batch", "runs/log-batch", (k) => ({
    ...run(k),
    metrics: [{ key: "b", value: 1.5, timestamp: 1, step: 0 }],
    params: [{ key: "q", value: "w" }],
    tags: [{ key: "c", value: "d" }],
  })),
  post("log a batch with a parameter changed", "runs/log-batch", (k) => ({
    ...run(k),
    params: [{ key: "q", value: "z" }],
  })),
  post("log 1001 metrics", "runs/log-batch", (k) => ({ ...run(k), metrics: many(1001, metric) })),
  post("log 101 parameters", "runs/log-batch", (k) => ({
    ...run(k),
    params: many(101, (i) => ({ key: `p${i}`, value: "" })),
  })),
  post("log 101 tags", "runs/log-batch", (k) => ({ ...run(k), tags: many(101, (i) => ({ key: `t${i}`, value: "" })) })),
  post("log 1000 metrics and a tag", "runs/log-batch", (k) => ({
    ...run(k),
    metrics: many(1000, metric),
    tags: [{ key: "a", value: "" }],
  })),
  post(
    "log 300 characters in a batch",
    "runs/log-batch",
    (k) => ({ ...run(k), params: [{ key: "long", value: "x".repeat(300) }] }),
    { stricter: "refused: values of at most 250 characters" },
  ),
  post("set a tag", "runs/set-tag", (k) => ({ ...run(k), key: "s", value: "1" })),
  post("delete a tag", "runs/delete-tag", (k) => ({ ...run(k), key: "s" })),
  post("delete a tag that is not there", "runs/delete-tag", (k) => ({ ...run(k), key: "s" })),
  post("log inputs", "runs/log-inputs", (k) => ({
    ...run(k),
    datasets: [
      {
        tags: [{ key: "mlflow.data.context", value: "training" }],
        dataset: { name: "d", digest: "1", source_type: "local", source: "{}" },
      },
    ],
  })),
  get("get the run with everything", ({ run }) => `runs/get?run_id=${run}`),
  get("history", ({ run }) => `metrics/get-history?run_id=${run}&metric_key=auc`),
  get("history, one at a time", ({ run }) => `metrics/get-history?run_id=${run}&metric_key=auc&max_results=1`),
  get("history of a metric that is not there", ({ run }) => `metrics/get-history?run_id=${run}&metric_key=none`),
  post("finish the run", "runs/update", (k) => ({ ...run(k), status: "FINISHED", end_time: 3000 })),
  ...[
    "metrics.auc > 0.5",
    "metrics.auc > 0.9",
    "params.p = '1' and tags.t = 'u'",
    "attributes.status = 'FINISHED'",
    "run_name LIKE 'r%'",
    "metrics.`auc` >= 0.75 AND params.q ILIKE 'W'",
    "start_time < 1500",
    "metrics.auc > 'x'",
    "params.p = 1",
    "auc !! 3",
    "params.p = '1' OR params.p = '2'",
    "colour.x = 'y'",
    "attributes.colour = 'y'",
  ].map((filter) =>
    post(`search runs: ${filter}`, "runs/search", ({ experiment }) => ({
      experiment_ids: [experiment],
      filter,
      max_results: 10,
    })),
  ),
  post("search runs, a page", "runs/search", ({ experiment }) => ({
    experiment_ids: [experiment],
    max_results: 1,
    order_by: ["metrics.auc DESC"],
  })),
  post("search runs, too many", "runs/search", ({ experiment }) => ({
    experiment_ids: [experiment],
    max_results: 50001,
  })),
  post(
    "create a logged model",
    "logged-models",
    ({ experiment, run: source_run_id }) => ({
      experiment_id: experiment,
      name: "m",
      source_run_id,
      params: [{ key: "a", value: "1" }],
      tags: [{ key: "x", value: "y" }],
    }),
    learns("model", "model", "info", "model_id"),
  ),
  post("create one in no experiment that is there", "logged-models", { experiment_id: "999999", name: "m" }),
  post("create one with a bad name", "logged-models", ({ experiment }) => ({ experiment_id: experiment, name: "a/b" })),
  get("get the logged model", ({ model }) => `logged-models/${model}`),
  get("get one that is not there", "logged-models/m-0"),
  to(
    "PATCH",
    "finalize it",
    ({ model }) => `logged-models/${model}`,
    ({ model: model_id }) => ({ model_id, status: "LOGGED_MODEL_READY" }),
  ),
  to(
    "PATCH",
    "tag it",
    ({ model }) => `logged-models/${model}/tags`,
    () => ({ tags: [{ key: "v", value: "1" }] }),
  ),
  to("DELETE", "delete its tag", ({ model }) => `logged-models/${model}/tags/v`),
  to("DELETE", "delete a tag it has not", ({ model }) => `logged-models/${model}/tags/none`),
  post("its parameters", "runs/outputs", ({ run: run_id, model }) => ({
    run_id,
    models: [{ model_id: model, step: 0 }],
  })),
  post("search logged models", "logged-models/search", ({ experiment }) => ({
    experiment_ids: [experiment],
    filter: "name = 'm'",
  })),
  post("search logged models, none", "logged-models/search", ({ experiment }) => ({
    experiment_ids: [experiment],
    filter: "name = 'x'",
  })),
  get("get the run with its model", ({ run }) => `runs/get?run_id=${run}`),
  get("list the run's files", ({ run }) => `artifacts/list?run_id=${run}`),
  to("DELETE", "delete the logged model", ({ model }) => `logged-models/${model}`),
  get("get it, deleted", ({ model }) => `logged-models/${model}`),
  post("delete the run", "runs/delete", ({ second }) => ({ run_id: second })),
  post("log to a deleted run", "runs/log-metric", ({ second }) => ({
    run_id: second,
    key: "a",
    value: 1,
    timestamp: 1,
  })),
  post("search deleted runs", "runs/search", ({ experiment }) => ({
    experiment_ids: [experiment],
    run_view_type: "DELETED_ONLY",
    max_results: 10,
  })),
  post("restore it", "runs/restore", ({ second }) => ({ run_id: second })),
  post("rename the experiment", "experiments/update", ({ experiment }) => ({
    experiment_id: experiment,
    new_name: "/Shared/renamed",
  })),
  post("delete the experiment", "experiments/delete", ({ experiment }) => ({ experiment_id: experiment })),
  get("get the deleted experiment", ({ experiment }) => `experiments/get?experiment_id=${experiment}`),
  get("get the deleted experiment by name", "experiments/get-by-name?experiment_name=%2FShared%2Frenamed"),
  post("create one of a deleted name", "experiments/create", { name: "/Shared/renamed" }),
  post("start a run in it", "runs/create", ({ experiment }) => ({ experiment_id: experiment })),
  post("delete it again", "experiments/delete", ({ experiment }) => ({ experiment_id: experiment })),
  post("restore it", "experiments/restore", ({ experiment }) => ({ experiment_id: experiment })),
];
