import { canBeNamed, sqlIdentifier as identifier, sqlText as text } from "../../lib/databricks-sql.ts";
import { isTemporal } from "../column-type.ts";
import type { BoundColumn, Condition, Family } from "../data-check.ts";
import type { Dialect, TableRef } from "./dialect.ts";
import { javaPattern } from "./java-pattern.ts";

function number(value: number, family: Family): string {
  // Files are judged with a FLOAT column's limits read as FLOAT, whole numbers too.
  if (family === "float" && Math.abs(value) < 3.4e38) return `cast('${value}' as FLOAT)`;
  return Number.isSafeInteger(value) ? `(${value.toFixed(0)})` : `cast('${value}' as DOUBLE)`;
}

const DATE = /^\d{4}-\d{2}-\d{2}$/;
const TIMESTAMP = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?)(?:Z|[+-]00(?::?00)?)?)?$/;

/** The literal without what depends on a session: a TIMESTAMP is given in UTC, a TIMESTAMP_NTZ has no zone. */
function moment(value: string, { family, type }: BoundColumn): string {
  if (family === "date") return isDay(value) ? `cast('${value}' as DATE)` : "cast(null as DATE)";
  const parts = TIMESTAMP.exec(value);
  if (family !== "timestamp" || parts === null || !isMoment(value)) return "cast(null as TIMESTAMP)";
  const plain = `${parts[1]} ${parts[2] ?? "00:00"}${(parts[2] ?? "00:00").length === 5 ? ":00" : ""}`;
  return zoned(type) ? `cast('${plain}+00:00' as TIMESTAMP)` : `cast('${plain}' as TIMESTAMP_NTZ)`;
}

function zoned(type: string | undefined): boolean {
  return type?.trim().toLowerCase() !== "timestamp_ntz";
}

export function isDay(value: string): boolean {
  return DATE.test(value) && !Number.isNaN(Date.parse(value)) && new Date(value).toISOString().startsWith(value);
}

function isMoment(value: string): boolean {
  const parts = TIMESTAMP.exec(value);
  if (parts === null || !isDay(parts[1] ?? "")) return false;
  const [hours = 0, minutes = 0, seconds = 0] = (parts[2] ?? "00:00").split(":").map(Number);
  return hours < 24 && minutes < 60 && seconds < 60;
}

/** One version of a table. Its columns get names of ours, so that no name of the data stands in a statement. */
function scan({ name, version, table }: TableRef, positions: readonly number[]): string {
  const aliases = table.columns.map((_, i) => `c${i}`).join(", ");
  const wanted = positions.map((i) => plain(`c${i}`, table.columns[i]?.type ?? ""));
  return `(select ${wanted.join(", ") || "1 as one"} from ${name.map(identifier).join(".")} version as of ${version.toFixed(0)} as s(${aliases}))`;
}

/** Text is compared by its bytes: without the padding of CHAR and without the collation of a column. */
function plain(column: string, type: string): string {
  if (/^(char|varchar)\b/i.test(type)) return `cast(${column} as STRING) as ${column}`;
  return /\bcollate\b/i.test(type) ? `collate(${column}, 'UTF8_BINARY') as ${column}` : column;
}

function refuses(column: BoundColumn, condition: Condition): string | undefined {
  switch (condition.is) {
    case "unlike": {
      const made = javaPattern(condition.pattern);
      return "reason" in made ? `the pattern cannot be judged on a warehouse as on a file: ${made.reason}` : undefined;
    }
    case "outside": {
      const limits = [condition.low?.value, condition.high?.value].filter((value) => typeof value === "string");
      return badMoment(column, limits);
    }
    case "notIn":
      return isTemporal(column.family) ? badMoment(column, condition.values.map(String)) : undefined;
    case "missing":
      return isTemporal(column.family) ? badMoment(column, condition.also.map(String)) : undefined;
    case "any":
      return condition.of.map((part) => refuses(column, part)).find((reason) => reason !== undefined);
    default:
      return undefined;
  }
}

function badMoment({ family }: BoundColumn, values: readonly string[]): string | undefined {
  if (family === "time" && values.length > 0) return "values of type time cannot be compared on a warehouse";
  const bad = values.find((value) => (family === "date" ? !isDay(value) : !isMoment(value)));
  if (bad === undefined) return undefined;
  const form = family === "date" ? "2026-11-30" : "2026-11-30T08:15:00Z, in UTC";
  return `${JSON.stringify(bad)} is not read alike by every engine: write it as ${form}`;
}

/** Databricks SQL, and Spark with Delta, over one version of one table. Verdicts are those of DuckDB over a file of the same rows. */
export const databricksDialect: Dialect<TableRef> = {
  name: "databricks",
  identifier,
  canBeNamed,
  text,
  number,
  moment,
  typed: (raw) => raw,
  matches: (value, pattern) => {
    const made = javaPattern(pattern);
    // A refused pattern is never compiled; should it be, no row keeps it.
    return "reason" in made ? "false" : `${value} rlike ${text(made.pattern)}`;
  },
  length: (value) => `char_length(${value})`,
  isNan: (value) => `isnan(${value})`,
  remainder: (value, step) => `(${value} % ${step})`,
  asText: (value) => `cast(${value} as STRING)`,
  figure: (count) => `cast(${count} as STRING)`,
  countIf: (predicate) => `coalesce(count_if(${predicate}), 0)`,
  scan,
  refuses,
};
