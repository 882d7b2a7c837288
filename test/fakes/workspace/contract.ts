import { type Caller, shapeOf, textAt } from "./calls.ts";

/** What one side's replies taught: ids that later calls need. */
export type Known = Record<string, string>;

/** One call that both MLflow's own server and the fake workspace are asked. */
export interface ContractCall {
  name: string;
  method: "GET" | "POST" | "PATCH" | "DELETE";
  path(known: Known): string;
  body?(known: Known): unknown;
  learn?(json: unknown, known: Known): void;
  /** Why the workspace refuses what MLflow's server takes. */
  stricter?: string;
}

export interface Side {
  call: Caller;
  known: Known;
}

const P = "/api/2.0/mlflow";
/**
 * MLflow's server has workspaces of its own, and writes the type and the aliases of a model even where there are none;
 * Databricks tells who made a thing.
 */
const ONE_SIDED = [
  "workspace",
  "effective_trace_archival_retention",
  "trace_location",
  "model_type",
  "creator_id",
  "aliases",
];

type Make<T> = T | ((known: Known) => T);
const made = <T extends string | object>(value: Make<T>, known: Known): T =>
  typeof value === "function" ? value(known) : value;

export const get = (name: string, path: Make<string>, more: Partial<ContractCall> = {}): ContractCall => ({
  name,
  method: "GET",
  path: (known) => `${P}/${made(path, known)}`,
  ...more,
});

export const send = (
  method: "POST" | "PATCH" | "DELETE",
  name: string,
  path: Make<string>,
  body?: Make<object>,
  more: Partial<ContractCall> = {},
): ContractCall => ({
  name,
  method,
  path: (known) => `${P}/${made(path, known)}`,
  ...(body === undefined ? {} : { body: (known: Known) => made(body, known) }),
  ...more,
});

export const post = (name: string, path: string, body: Make<object>, more: Partial<ContractCall> = {}): ContractCall =>
  send("POST", name, path, body, more);

export const learns = (name: string, ...path: string[]): Pick<ContractCall, "learn"> => ({
  learn: (json, known) => {
    known[name] = textAt(json, ...path);
  },
});

export const many = (count: number, make: (i: number) => object): object[] =>
  Array.from({ length: count }, (_, i) => make(i));

/** Where the two differ in status, error code or the shape of a reply, one line each; a difference that is gone is told too. */
export async function differences(
  calls: readonly ContractCall[],
  mlflow: Side,
  fake: Side,
  ignore: readonly string[] = [],
): Promise<string[]> {
  const found: string[] = [];
  for (const step of calls) {
    const answers: string[] = [];
    for (const { call, known } of [mlflow, fake]) {
      const { status, json } = await call(step.method, step.path(known), step.body?.(known));
      step.learn?.(json, known);
      const shape = status === 200 ? shapeOf(json, [...ONE_SIDED, ...ignore]) : undefined;
      answers.push(JSON.stringify({ status, code: json.error_code, shape }));
    }
    const [left, right] = answers;
    if (step.stricter === undefined && left !== right) found.push(`${step.name}\n  mlflow ${left}\n  fake   ${right}`);
    if (step.stricter !== undefined && left === right) found.push(`${step.name}: no longer ${step.stricter}`);
  }
  return found;
}
