import type { BoundColumn, DataCheck, FoundTable, Measure } from "./data-check.ts";
import type { Dialect, FileDialect, SourceRef } from "./dialects/dialect.ts";
import { expressions, violates } from "./predicates.ts";

/** How many example rows are shown for a failed check. */
const EXAMPLE_ROWS = 3;

/** One statement over the whole source: first the number of rows, then two counts per check: judged and violating rows. */
export interface ScanStatement {
  sql: string;
  checks: readonly DataCheck[];
}

/** The one pass that answers every check that counts rows. With no such check it still counts the rows. */
export function compileScan<S extends { table: FoundTable }>(
  dialect: Dialect<S>,
  source: S,
  checks: readonly DataCheck[],
): ScanStatement {
  const positions = new Set<number>();
  const selected = [dialect.figure("count(*)")];
  const counting: DataCheck[] = [];
  for (const check of checks) {
    const measure = measureOf(check);
    if (measure?.of !== "violations") continue;
    const { column, condition } = measure;
    positions.add(column.position);
    counting.push(check);
    const violating = dialect.countIf(violates(dialect, column, condition));
    selected.push(dialect.figure(`count(c${column.position})`), dialect.figure(violating));
  }
  return {
    sql: `select ${named(selected)} from ${dialect.scan(source, sorted(positions), false)} as t`,
    checks: counting,
  };
}

/** Rows with a key, and different hashes among them. Equal figures prove uniqueness; others need `compileDuplicates`. */
export function compileUniqueness(dialect: FileDialect, source: SourceRef, columns: readonly BoundColumn[]): string {
  const keys = columns.map((column) => expressions(dialect, column).value);
  return `select ${named(["count(*)", dialect.distinctHashes(keys)])} from ${dialect.scan(source, positionsOf(columns), false)} as t where ${hasKey(keys)}`;
}

/** Exact: values beyond the first of their kind, and all rows involved. A key that is empty in every column is not compared. */
export function compileDuplicates(dialect: Dialect, source: SourceRef, columns: readonly BoundColumn[]): string {
  const keys = columns.map((column) => expressions(dialect, column).value);
  const groups = `select count(*) as members from ${dialect.scan(source, positionsOf(columns), false)} as t where ${hasKey(keys)} group by ${keys.join(", ")} having count(*) > 1`;
  return `select coalesce(sum(members - 1), 0) as surplus, coalesce(sum(members), 0) as involved from (${groups}) as d`;
}

/** Row numbers, and the values that may be shown, of the first rows that break a check; undefined where rows are not what is counted. */
export function compileExamples(dialect: Dialect, source: SourceRef, check: DataCheck): string | undefined {
  const measure = measureOf(check);
  if (measure?.of === "violations") {
    const { column, condition } = measure;
    const shown = column.masked === undefined ? `, ${dialect.asText(`c${column.position}`)} as v0` : "";
    return `select n${shown} from ${dialect.scan(source, [column.position], true)} as t where ${violates(dialect, column, condition)} order by n limit ${EXAMPLE_ROWS}`;
  }
  if (measure?.of !== "duplicates") return undefined;
  const { columns } = measure;
  const keys = columns.map((column) => expressions(dialect, column).value);
  const rows = `select n, ${keys.map((key, i) => `${key} as k${i}`).join(", ")} from ${dialect.scan(source, positionsOf(columns), true)} as s where ${hasKey(keys)}`;
  const names = columns.map((_, i) => `k${i}`);
  const first = `select ${names.join(", ")}, min(n) as first_row from t group by ${names.join(", ")} having count(*) > 1 order by first_row limit 1`;
  const shown = columns.flatMap((column, i) =>
    column.masked === undefined ? [`, ${dialect.asText(`t.k${i}`)} as v${i}`] : [],
  );
  const same = names.map((name) => `t.${name} is not distinct from d.${name}`).join(" and ");
  return `with t as (${rows}), d as (${first}) select t.n${shown.join("")} from t join d on ${same} order by t.n limit ${EXAMPLE_ROWS}`;
}

/** The table as the contract's SQL rules see it: declared columns under their names and types, the others as they are. */
export function compileView<S extends { table: FoundTable }>(
  dialect: Dialect<S>,
  source: S,
  columns: readonly BoundColumn[],
): string {
  const names = new Set<string>();
  const selected: string[] = [];
  const add = (name: string, sql: string) => {
    // Stores compare names without case; a second `A` beside `a` would make the whole table unreadable.
    if (!dialect.canBeNamed(name) || names.has(name.toLowerCase())) return;
    names.add(name.toLowerCase());
    selected.push(`${sql} as ${dialect.identifier(name)}`);
  };
  for (const column of columns) add(column.name, expressions(dialect, column).value);
  const bound = new Set(columns.map((column) => column.position));
  for (const [i, column] of source.table.columns.entries()) if (!bound.has(i)) add(column.name, `c${i}`);
  const all = source.table.columns.map((_, i) => i);
  return `select ${selected.join(", ") || "1 as one"} from ${dialect.scan(source, all, false)} as t`;
}

/** The contract's own statement with its placeholders filled in. */
export function fillQuery(
  dialect: Pick<Dialect, "identifier">,
  query: string,
  table: string,
  column: string | undefined,
): string {
  return query.replace(/\{(object|model|table|schema|column|property|field)\}/g, (whole, word: string) => {
    if (word === "object" || word === "model" || word === "table" || word === "schema")
      return dialect.identifier(table);
    return column === undefined ? whole : dialect.identifier(column);
  });
}

export function measureOf(check: DataCheck): Measure | undefined {
  return "measure" in check.work ? check.work.measure : undefined;
}

/** True for rows with a key: one that is empty in every column is not compared. */
export function hasKey(keys: readonly string[]): string {
  return `(${keys.map((key) => `${key} is not null`).join(" or ")})`;
}

function named(selected: readonly string[]): string {
  return selected.map((sql, i) => `${sql} as a${i}`).join(", ");
}

export function positionsOf(columns: readonly BoundColumn[]): number[] {
  return sorted(new Set(columns.map((column) => column.position)));
}

function sorted(positions: ReadonlySet<number>): number[] {
  return [...positions].sort((a, b) => a - b);
}
