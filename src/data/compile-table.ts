import { compileScan, compileView, fillQuery, hasKey, measureOf, positionsOf } from "./compile.ts";
import type { BoundColumn, DataCheck } from "./data-check.ts";
import { databricksDialect as dialect } from "./dialects/databricks.ts";
import type { TableRef } from "./dialects/dialect.ts";
import { duckdbDialect } from "./dialects/duckdb.ts";
import { warehouseQuery } from "./dialects/sql-rule.ts";
import { expressions } from "./predicates.ts";

/**
 * What a statement asks: parts that each give one row, side by side. Every column is text, named `<part>_<column>`, so that no
 * driver can bend a figure.
 */
export interface TableStatement {
  sql: string;
  parts: readonly TablePart[];
}

/** One part, its checks, and its columns in the answer: `p0_a0`, … */
export interface TablePart {
  of: "scan" | "duplicates" | "answer";
  checks: readonly DataCheck[];
  sql: string;
  columns: readonly string[];
}

/** The pass over all rows: how many, and two counts for every check that counts rows. */
export function scanPart(source: TableRef, checks: readonly DataCheck[]): TablePart {
  const scan = compileScan(dialect, source, checks);
  const columns = ["a0", ...scan.checks.flatMap((_, i) => [`a${1 + 2 * i}`, `a${2 + 2 * i}`])];
  return { of: "scan", checks: scan.checks, sql: scan.sql, columns };
}

/** Exact: rows with a key, values beyond the first of their kind, and all rows involved. */
function duplicatesPart(source: TableRef, check: DataCheck, columns: readonly BoundColumn[]): TablePart {
  const keys = columns.map((column) => expressions(dialect, column).value);
  const groups = `select count(*) as members from ${dialect.scan(source, positionsOf(columns), false)} as t where ${hasKey(keys)} group by ${keys.join(", ")}`;
  const figures = ["sum(members)", "sum(members - 1)", "sum(case when members > 1 then members end)"];
  const selected = figures.map((sum, i) => `${dialect.figure(`coalesce(${sum}, 0)`)} as a${i}`);
  return {
    of: "duplicates",
    checks: [check],
    sql: `select ${selected.join(", ")} from (${groups}) as g`,
    columns: ["a0", "a1", "a2"],
  };
}

/** The contract's own query: how many rows it gives, and its value with the type before it, since a text has none. */
function answerPart(check: DataCheck, query: string, tables: readonly string[]): TablePart | { reason: string } {
  const filled = fillQuery(duckdbDialect, query, tables[0] ?? "", check.columns[0]);
  const made = warehouseQuery(filled, tables);
  if ("reason" in made) return { reason: `the query cannot run on a warehouse as on a file: ${made.reason}` };
  const sql = `select ${dialect.figure("count(*)")} as a0, max(concat(typeof(v), ':', ${dialect.asText("v")})) as a1 from (${made.sql}) as q(v)`;
  return { of: "answer", checks: [check], sql, columns: ["a0", "a1"] };
}

/** The parts as one statement, under which the contract's names mean this version of the table. */
export function joinParts(
  source: TableRef,
  parts: readonly TablePart[],
  table: { names: readonly string[]; columns: readonly BoundColumn[] },
): TableStatement {
  const needsNames = parts.some((part) => part.of === "answer");
  const view = needsNames ? compileView(dialect, source, table.columns) : "";
  const named = table.names.map((name) => `${dialect.identifier(name)} as (${view})`);
  const selected = parts.flatMap(({ columns }, i) => columns.map((column) => `p${i}.${column} as p${i}_${column}`));
  const from = parts.map(({ sql }, i) => `(${sql}) as p${i}`).join(" cross join ");
  return { sql: `${needsNames ? `with ${named.join(", ")} ` : ""}select ${selected.join(", ")} from ${from}`, parts };
}

/** A part of its own for every check that asks something of the table; checks that no engine would answer alike are told apart. */
export function partsOf(
  source: TableRef,
  checks: readonly DataCheck[],
  tables: readonly string[],
): { scan: TablePart; others: TablePart[]; refused: Map<DataCheck, string> } {
  const counting: DataCheck[] = [];
  const others: TablePart[] = [];
  const refused = new Map<DataCheck, string>();
  for (const check of checks) {
    const asked = measureOf(check);
    if (asked?.of === "violations") {
      const reason = dialect.refuses(asked.column, asked.condition);
      if (reason === undefined) counting.push(check);
      else refused.set(check, reason);
    } else if (asked?.of === "duplicates") {
      others.push(duplicatesPart(source, check, asked.columns));
    } else if (asked?.of === "answer") {
      const part = answerPart(check, asked.query, tables);
      if ("reason" in part) refused.set(check, part.reason);
      else others.push(part);
    }
  }
  return { scan: scanPart(source, counting), others, refused };
}
