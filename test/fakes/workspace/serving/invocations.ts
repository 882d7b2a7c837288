import { parse } from "yaml";
import * as z from "zod";
import { modelFiles } from "../files/tree.ts";
import { hooksOf } from "../hooks.ts";
import { type Ask, bodyOf, type Reply, type Route, refuse } from "../route.ts";
import { type Endpoint, endpointOf, type ServedEntity } from "./state.ts";

const MOST_BYTES = 16 * 1024 * 1024;

export const invocationRoutes: readonly Route[] = [
  {
    method: "POST",
    path: "/serving-endpoints/:name/invocations",
    cites:
      "reference 5.3: dataframe_split, dataframe_records, instances, inputs; served-model-name; driven by databricks-sdk serving_endpoints.query",
    handle: invoke,
  },
];

const row = z.record(z.string(), z.unknown());
const question = z.strictObject({
  dataframe_split: z
    .strictObject({
      columns: z.array(z.string()),
      data: z.array(z.array(z.unknown())),
      index: z.array(z.unknown()).optional(),
    })
    .optional(),
  dataframe_records: z.array(row).optional(),
  instances: z.array(z.unknown()).optional(),
  inputs: z.unknown().optional(),
  client_request_id: z.string().optional(),
  usage_context: z.record(z.string(), z.string()).optional(),
});

function invoke(ask: Ask): Reply {
  const endpoint = endpointOf(ask, "CAN_QUERY");
  if (endpoint.active === undefined)
    throw refuse(503, "TEMPORARILY_UNAVAILABLE", `Endpoint ${endpoint.name} is not ready to serve.`);
  if (ask.body.length > MOST_BYTES) throw badInput(`The request is larger than ${MOST_BYTES} bytes.`);
  const served = chosen(endpoint);
  const { columns, rows } = tableOf(bodyOf(ask, question));
  checkColumns(columnsOf(ask, served), columns, rows);
  const score = hooksOf(ask.state).score ?? (() => rows.map(() => 0));
  const predictions = score({
    endpoint: endpoint.name,
    served: served.name,
    entityName: served.entity_name,
    entityVersion: served.entity_version,
    columns,
    rows,
  });
  return { status: 200, headers: { "served-model-name": served.name }, body: { predictions } };
}

/** By traffic: of 100 requests in a row each entity gets as many as its percentage says, spread out. */
function chosen(endpoint: Endpoint): ServedEntity {
  const { routes = [], served_entities = [] } = endpoint.active ?? {};
  let place = (endpoint.scored++ * 37) % 100;
  for (const { served_entity_name, traffic_percentage } of routes) {
    const entity = served_entities.find(({ name }) => name === served_entity_name);
    if (place < traffic_percentage && entity !== undefined) return entity;
    place -= traffic_percentage;
  }
  throw refuse(503, "TEMPORARILY_UNAVAILABLE", `Endpoint ${endpoint.name} routes no traffic.`);
}

interface Table {
  columns: readonly string[];
  rows: readonly (readonly unknown[])[];
}

function tableOf(body: z.infer<typeof question>): Table {
  const kinds = [body.dataframe_split, body.dataframe_records, body.instances, body.inputs].filter(
    (each) => each !== undefined,
  );
  if (kinds.length !== 1)
    throw badInput(
      "The input must be a JSON dictionary with exactly one of the keys dataframe_split, dataframe_records, instances, inputs.",
    );
  if (body.dataframe_split !== undefined) {
    const { columns, data } = body.dataframe_split;
    if (data.some((each) => each.length !== columns.length))
      throw badInput(
        `Provided dataframe_split is not valid: ${columns.length} columns passed, a row has another number of values.`,
      );
    return { columns, rows: data };
  }
  const records =
    body.dataframe_records ??
    (body.instances ?? (Array.isArray(body.inputs) ? body.inputs : [body.inputs])).map(recordOf);
  const columns = [...new Set(records.flatMap((each) => Object.keys(each)))];
  return { columns, rows: records.map((each) => columns.map((name) => each[name])) };
}

function recordOf(value: unknown): Record<string, unknown> {
  const found = row.safeParse(value);
  if (!found.success || Array.isArray(value))
    throw badInput("Each instance must be an object with the model's columns.");
  return found.data;
}

interface Column {
  name: string;
  type: string;
  required: boolean;
}

/** Columns of the model's signature; undefined where the fake holds no such file (the legacy registry keeps sources only). */
function columnsOf(ask: Ask, served: ServedEntity): Column[] | undefined {
  const bytes = modelFiles(ask.state, served.entity_name.toLowerCase(), Number(served.entity_version)).get("MLmodel");
  if (bytes === undefined) return undefined;
  const model = z.object({ signature: z.object({ inputs: z.string() }) }).safeParse(parse(bytes().toString("utf8")));
  if (!model.success) return undefined;
  const inputs: unknown = JSON.parse(model.data.signature.inputs);
  const columns = z
    .array(z.object({ name: z.string(), type: z.string(), required: z.boolean().default(true) }))
    .safeParse(inputs);
  return columns.success ? columns.data : undefined;
}

const NUMBERS = ["double", "float", "long", "integer"];

function checkColumns(signature: readonly Column[] | undefined, columns: readonly string[], rows: Table["rows"]): void {
  if (signature === undefined) return;
  const missing = signature.filter(({ name, required }) => required && !columns.includes(name));
  if (missing.length > 0)
    throw badInput(
      `Failed to enforce schema of data. Error: Model is missing inputs [${missing.map(({ name }) => `'${name}'`).join(", ")}].`,
    );
  for (const { name, type, required } of signature) {
    const at = columns.indexOf(name);
    if (at < 0) continue;
    for (const each of rows) {
      const value = each[at];
      const fits =
        value === null || value === undefined
          ? !required
          : NUMBERS.includes(type)
            ? typeof value === "number"
            : type === "boolean"
              ? typeof value === "boolean"
              : type !== "string" || typeof value === "string";
      if (!fits)
        throw badInput(
          `Failed to enforce schema of data. Error: Incompatible input types for column ${name}. Can not safely convert ${JSON.stringify(value)} to ${type}.`,
        );
    }
  }
}

const badInput = (message: string): Error => refuse(400, "BAD_REQUEST", message);
