import type { Head } from "../../ledger/entry.ts";
import { sqlName, sqlText } from "../../lib/databricks-sql.ts";

/** The statements of a ledger in a Delta table. Every value is a literal of ours, every number comes back as text. All pure. */
export interface DeltaTable {
  /** catalog.schema.table */
  name: string;
  project: string;
}

/** The end of a chain without an entry. */
export const NO_ENTRY: Head = { seq: 0, hash: "0".repeat(64) };
/** All from `,"prev":` on has a fixed length: where its digits and those of the hash begin, counted from the end of a line. */
const PREV_DIGITS = 237;
export const HASH_DIGITS = 66;

/** What the table must have been made with: the first is a guard against accidents, with the second two writers never both win. */
export const GUARDS: Readonly<Record<string, string>> = {
  "delta.appendOnly": "true",
  "delta.isolationLevel": "Serializable",
};
/** What happened to the table is asked for years later. */
const KEPT = { "delta.logRetentionDuration": "interval 3650 days" };

export function createTable({ name }: DeltaTable): string {
  const properties = Object.entries({ ...GUARDS, ...KEPT }).map(
    ([key, value]) => `${sqlText(key)} = ${sqlText(value)}`,
  );
  return (
    `CREATE TABLE IF NOT EXISTS ${sqlName(name)} (project STRING NOT NULL, seq BIGINT NOT NULL, prev STRING NOT NULL, ` +
    `hash STRING NOT NULL, entry STRING NOT NULL) USING delta TBLPROPERTIES (${properties.join(", ")})`
  );
}

export function showProperties({ name }: DeltaTable): string {
  return `SHOW TBLPROPERTIES ${sqlName(name)}`;
}

/** `seq`, `hash`, `entry`: of each entry after `known`; with number 0, how many entries up to there are and what they hash to. */
export function readAfter({ name, project }: DeltaTable, known: number): string {
  const from = `FROM ${sqlName(name)} WHERE project = ${sqlText(project)}`;
  const after = `SELECT CAST(seq AS STRING) AS seq, hash AS hash, entry AS entry ${from} AND seq > ${known}`;
  if (known === 0) return after;
  const each = "transform(array_sort(collect_list(struct(seq AS seq, sha2(entry, 256) AS sum))), x -> x.sum)";
  const before =
    `SELECT '0' AS seq, sha2(array_join(${each}, ''), 256) AS hash, CAST(count(*) AS STRING) AS entry ` +
    `${from} AND seq <= ${known}`;
  return `${before} UNION ALL ${after}`;
}

/** The hash of the last entry from `expected` on, and whether an entry with `own` hash is among them. One row, also for an empty chain. */
export function readHead(table: DeltaTable, own: string, expected: Head): string {
  return (
    `SELECT coalesce(max_by(hash, seq), ${sqlText(NO_ENTRY.hash)}) AS hash, ` +
    `coalesce(bool_or(hash = ${sqlText(own)}), false) AS own ${endOf(table, expected)}`
  );
}

/** Entries from the expected end on: the table's statistics tell that older files hold none of them, so that these are not opened. */
function endOf({ name, project }: DeltaTable, expected: Head): string {
  return `FROM ${sqlName(name)} WHERE project = ${sqlText(project)} AND seq >= ${expected.seq}`;
}

/**
 * Appends lines if the chain still ends with `expected`, all or none. The guard is in the source: a match on numbers alone would
 * write the rest of a longer batch behind somebody else's entries.
 */
export function appendLines(table: DeltaTable, lines: readonly string[], expected: Head): string {
  const whose = sqlText(table.project);
  const end = (before: number): string => `substring(given.entry, -${before}, 64)`;
  // The end of the chain is a relation beside the lines: as a subquery behind a generator Spark cannot read the table.
  const head = `SELECT coalesce(max_by(hash, seq), ${sqlText(NO_ENTRY.hash)}) AS hash ${endOf(table, expected)}`;
  const given = `SELECT posexplode(split(${sqlText(lines.join("\n"))}, ${sqlText("\n")})) AS (pos, entry)`;
  const source =
    `SELECT ${whose} AS project, CAST(${expected.seq} + 1 + given.pos AS BIGINT) AS seq, ${end(PREV_DIGITS)} AS prev, ` +
    `${end(HASH_DIGITS)} AS hash, given.entry AS entry FROM (${given}) given CROSS JOIN (${head}) head ` +
    `WHERE head.hash = ${sqlText(expected.hash)}`;
  return (
    `MERGE INTO ${sqlName(table.name)} t USING (${source}) s ON t.project = s.project AND t.seq = s.seq AND t.seq > ${expected.seq} ` +
    "WHEN NOT MATCHED THEN INSERT *"
  );
}

export function describeHistory({ name }: DeltaTable): string {
  return `DESCRIBE HISTORY ${sqlName(name)}`;
}

export function describeDetail({ name }: DeltaTable): string {
  return `DESCRIBE DETAIL ${sqlName(name)}`;
}

export function optimize({ name }: DeltaTable): string {
  return `OPTIMIZE ${sqlName(name)}`;
}
