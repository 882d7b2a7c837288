import { randomUUID } from "node:crypto";
import * as z from "zod";
import { hasLevel } from "../acl.ts";
import { hooksOf, type StatementResult } from "../hooks.ts";
import { type Ask, badValue, bodyOf, denied, ok, type Reply, type Route, refuse } from "../route.ts";
import { defineSection } from "../state.ts";
import { enter, settleWarehouse, warehouses } from "./warehouses.ts";

interface Statement {
  statement_id: string;
  principal: string;
  warehouse_id: string;
  text: string;
  parameters: Map<string, string | undefined>;
  rowLimit: number | undefined;
  canceled: boolean;
  /** Reads that still see it RUNNING. */
  left: number;
  result?: StatementResult;
}

export const statements = defineSection("statements", () => ({
  statements: new Map<string, Statement>(),
  /** Settings that tests change: reads that see a statement RUNNING, and rows per chunk. */
  settings: { polls: 0, chunkRows: 1000 },
}));

const P = "/api/2.0/sql/statements";
const SDK = "driven by databricks-sdk statement_execution";
const TYPES: Readonly<Record<string, string>> = { BIGINT: "LONG", SMALLINT: "SHORT", TINYINT: "BYTE" };

export const statementRoutes: readonly Route[] = [
  {
    method: "POST",
    path: P,
    cites: `reference 6.8 POST statements: unknown fields are ignored; ${SDK}.execute_statement`,
    handle: execute,
  },
  {
    method: "GET",
    path: `${P}/:id`,
    cites: `reference 6.8 GET statements/{id}: status and first chunk, never waits; ${SDK}.get_statement`,
    handle(ask) {
      const statement = statementOf(ask);
      advance(ask, statement);
      return ok(shown(ask, statement));
    },
  },
  {
    method: "GET",
    path: `${P}/:id/result/chunks/:index`,
    cites: `reference 6.8 result/chunks: out of range 400, of a failed statement 404; ${SDK}.get_statement_result_chunk_n`,
    handle(ask) {
      const statement = statementOf(ask);
      if (statement.canceled || statement.result === undefined || !("rows" in statement.result))
        throw refuse(404, "NOT_FOUND", `The statement ${statement.statement_id} has no result.`);
      const index = Number(ask.params.index);
      const all = chunks(ask, statement, statement.result.rows);
      const chunk = all[index];
      if (chunk === undefined) throw badValue(`Chunk ${ask.params.index} is out of range.`);
      return ok(shownChunk(statement, all, index, chunk));
    },
  },
  {
    method: "POST",
    path: `${P}/:id/cancel`,
    cites: `reference 6.8 cancel: always 200, even for unknown ids; ${SDK}.cancel_execution`,
    handle(ask) {
      const statement = statements.of(ask.state).statements.get(ask.params.id ?? "");
      if (statement !== undefined && statement.result === undefined) statement.canceled = true;
      return ok();
    },
  },
];

const body = z.looseObject({
  statement: z.string().optional(),
  warehouse_id: z.string().optional(),
  wait_timeout: z.string().default("10s"),
  parameters: z
    .array(
      z.looseObject({
        name: z.string().optional(),
        value: z.string().nullable().optional(),
        type: z.string().optional(),
      }),
    )
    .default([]),
  row_limit: z.int().optional(),
  disposition: z.string().optional(),
  format: z.string().optional(),
});

function execute(ask: Ask): Reply {
  const given = bodyOf(ask, body);
  if (given.warehouse_id === undefined) throw refuse(400, "BAD_REQUEST", "warehouse_id is required.");
  if (given.statement === undefined || given.statement === "") throw badValue("statement is required.");
  const seconds = /^(\d+)s$/.exec(given.wait_timeout)?.[1];
  if (seconds === undefined || (seconds !== "0" && (Number(seconds) < 5 || Number(seconds) > 50)))
    throw badValue(`wait_timeout must be 0s or between 5s and 50s, got ${given.wait_timeout}.`);
  if ((given.disposition ?? "INLINE") !== "INLINE" || (given.format ?? "JSON_ARRAY") !== "JSON_ARRAY")
    throw refuse(501, "NOT_IMPLEMENTED", "The fake workspace serves INLINE results in JSON_ARRAY only.");
  const warehouse = warehouses.of(ask.state).warehouses.get(given.warehouse_id);
  if (warehouse === undefined || !hasLevel(ask.state, "warehouses", warehouse.id, ask.principal, "CAN_USE"))
    throw denied(`${ask.principal.name} does not have CAN_USE permissions on SQL warehouse ${given.warehouse_id}.`);
  const names = given.parameters.flatMap(({ name }) => name ?? []);
  if (new Set(names).size < names.length) throw badValue("Duplicate parameter names.");
  const statement: Statement = {
    statement_id: randomUUID(),
    principal: ask.principal.name,
    warehouse_id: warehouse.id,
    text: given.statement,
    parameters: new Map(given.parameters.map(({ name, value }, i) => [name ?? String(i), value ?? undefined])),
    rowLimit: given.row_limit,
    canceled: false,
    left:
      seconds === "0" ? Math.max(1, statements.of(ask.state).settings.polls) : statements.of(ask.state).settings.polls,
  };
  statements.of(ask.state).statements.set(statement.statement_id, statement);
  // A stopped warehouse starts by itself.
  if (warehouse.state !== "RUNNING") enter(warehouse, "STARTING", ask.now());
  advance(ask, statement);
  return ok(shown(ask, statement));
}

function statementOf(ask: Ask): Statement {
  const id = ask.params.id ?? "";
  if (!/^[0-9a-f-]{36}$/.test(id)) throw badValue(`Invalid statement id ${id}.`);
  const statement = statements.of(ask.state).statements.get(id);
  if (statement === undefined || (statement.principal !== ask.principal.name && !ask.principal.admin))
    throw refuse(404, "NOT_FOUND", `The statement ${id} was not found.`);
  return statement;
}

function advance(ask: Ask, statement: Statement): void {
  const warehouse = warehouses.of(ask.state).warehouses.get(statement.warehouse_id);
  if (warehouse !== undefined) settleWarehouse(ask.state, warehouse, ask.now());
  if (statement.canceled || statement.result !== undefined || warehouse?.state !== "RUNNING") return;
  if (statement.left-- > 0) return;
  statement.result = hooksOf(ask.state).statement?.(statement.text, statement.parameters) ?? literals(statement.text);
}

/** `SELECT 1 AS one, 'a'`: all that the fake knows of SQL by itself. */
function literals(text: string): StatementResult {
  const list = /^\s*SELECT\s+(.+?)\s*;?\s*$/is.exec(text)?.[1];
  const items = list
    ?.split(",")
    .map((item) => /^\s*(?:'([^']*)'|(-?\d+)|(NULL))(?:\s+AS\s+(\w+))?\s*$/i.exec(item) ?? undefined);
  if (items === undefined || items.includes(undefined))
    return {
      sqlState: "42601",
      message: `[PARSE_SYNTAX_ERROR] Syntax error at or near '${text.trim().split(/\s/, 1)[0]}'. SQLSTATE: 42601`,
    };
  const whole = items.flatMap((item) => (item === undefined ? [] : [item]));
  return {
    columns: whole.map((item) => ({
      name: item[4] ?? item[1] ?? item[2] ?? "NULL",
      type: item[2] === undefined ? "STRING" : "INT",
    })),
    rows: [whole.map((item) => item[1] ?? item[2] ?? null)],
  };
}

type Row = readonly (string | null)[];

function chunks(ask: Ask, { rowLimit }: Statement, rows: readonly Row[]): Row[][] {
  const { chunkRows } = statements.of(ask.state).settings;
  const kept = rowLimit === undefined ? rows : rows.slice(0, rowLimit);
  const all: Row[][] = [];
  for (let at = 0; at < kept.length; at += chunkRows) all.push(kept.slice(at, at + chunkRows));
  return all;
}

function shownChunk({ statement_id }: Statement, all: readonly Row[][], index: number, chunk: readonly Row[]): object {
  const row_offset = all.slice(0, index).reduce((sum, each) => sum + each.length, 0);
  const next = index + 1;
  return {
    chunk_index: index,
    row_offset,
    row_count: chunk.length,
    data_array: chunk,
    ...(next < all.length
      ? { next_chunk_index: next, next_chunk_internal_link: `${P}/${statement_id}/result/chunks/${next}` }
      : {}),
  };
}

/** A statement that failed is HTTP 200 too: who reads it must look at the state (reference 6.8). */
function shown(ask: Ask, statement: Statement): object {
  const { statement_id, result } = statement;
  if (statement.canceled) return { statement_id, status: { state: "CANCELED" } };
  if (result === undefined) {
    const isUp = warehouses.of(ask.state).warehouses.get(statement.warehouse_id)?.state === "RUNNING";
    return { statement_id, status: { state: isUp ? "RUNNING" : "PENDING" } };
  }
  if (!("rows" in result))
    return {
      statement_id,
      status: {
        state: "FAILED",
        error: { error_code: "BAD_REQUEST", message: result.message },
        sql_state: result.sqlState,
      },
    };
  const all = chunks(ask, statement, result.rows);
  const [first] = all;
  return {
    statement_id,
    status: { state: "SUCCEEDED" },
    manifest: {
      format: "JSON_ARRAY",
      schema: {
        column_count: result.columns.length,
        columns: result.columns.map(({ name, type }, position) => ({
          name,
          position,
          type_name: TYPES[type] ?? type,
          type_text: type,
        })),
      },
      total_chunk_count: all.length,
      total_row_count: all.reduce((sum, each) => sum + each.length, 0),
      truncated: statement.rowLimit !== undefined && result.rows.length > statement.rowLimit,
      ...(first === undefined
        ? {}
        : {
            chunks: all.map((each, i) => ({
              chunk_index: i,
              row_offset: i * statements.of(ask.state).settings.chunkRows,
              row_count: each.length,
            })),
          }),
    },
    result: first === undefined ? {} : shownChunk(statement, all, 0, first),
  };
}
