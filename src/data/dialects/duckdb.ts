import { isTemporal } from "../column-type.ts";
import type { BoundColumn, Family } from "../data-check.ts";
import { datePattern } from "../date-format.ts";
import type { FileDialect, SourceRef } from "./dialect.ts";

const SQL_TYPE: Readonly<Partial<Record<Family, string>>> = {
  integer: "BIGINT",
  double: "DOUBLE",
  float: "DOUBLE",
  decimal: "DOUBLE",
  boolean: "BOOLEAN",
  date: "DATE",
  timestamp: "TIMESTAMP",
  time: "TIME",
};

/** What text must look like before it is cast: the cast alone takes `1_000`, `0x1F`, `1.5` as an integer, `inf`, `yes`. */
const SHAPE: Readonly<Partial<Record<Family, string>>> = {
  integer: "[+-]?[0-9]+(\\.0*)?",
  double: "[+-]?([0-9]+\\.?[0-9]*|\\.[0-9]+)([eE][+-]?[0-9]+)?",
  boolean: "(?i)true|false|t|f|1|0",
  date: "[0-9]{4}-[0-9]{2}-[0-9]{2}",
  timestamp: "[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\\.[0-9]+)?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?",
  time: "[0-9]{2}:[0-9]{2}(:[0-9]{2}(\\.[0-9]+)?)?",
};

function text(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}

function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** `0.1` as DECIMAL, DOUBLE and FLOAT are three values: the literal takes the type of what it is compared with. */
function number(value: number, family: Family): string {
  if (Number.isSafeInteger(value)) return `(${value.toFixed(0)})`;
  const type = family === "float" && Math.abs(value) < 3.4e38 ? "FLOAT" : "DOUBLE";
  return `cast('${value}' as ${type})`;
}

function typed(raw: string, column: BoundColumn): string {
  const type = SQL_TYPE[column.family];
  if (type === undefined) return raw;
  if (column.format !== undefined && isTemporal(column.family)) {
    const pattern = datePattern(column.format);
    return `cast(try_strptime(${raw}, ${text(pattern ?? "")}) as ${type})`;
  }
  const shape = SHAPE[column.family] ?? SHAPE.double ?? "";
  const cast = `try_cast(${raw} as ${type})`;
  // 1e400 is read as infinity: not the number that was written.
  const finite = type === "DOUBLE" ? ` and isfinite(${cast})` : "";
  return `case when regexp_full_match(${raw}, ${text(shape)})${finite} then ${cast} end`;
}

function scan(source: SourceRef, positions: readonly number[], numbered: boolean): string {
  const { path, table, delimiter } = source;
  // A file without a header line has no columns and no rows that could be judged.
  if (table.columns.length === 0) return `(select 1 as one, 0 as n where false)`;
  if (table.format === "csv") {
    const columns = table.columns.map((_, i) => `'c${i}': 'VARCHAR'`).join(", ");
    const reader = `read_csv(${text(path)}, auto_detect = false, header = true, delim = ${text(delimiter)}, quote = '"', escape = '"', nullstr = '', strict_mode = true, columns = {${columns}})`;
    const wanted = [...positions.map((i) => `c${i}`), ...(numbered ? ["row_number() over () as n"] : [])];
    return `(select ${wanted.join(", ") || "1 as one"} from ${reader})`;
  }
  // The reader's own row number would clash with a column of that name.
  const ownNumber = table.columns.some(({ name }) => name.toLowerCase() === "file_row_number");
  const number = ownNumber ? "row_number() over ()" : "file_row_number + 1";
  // can_have_nan: the statistics of a Parquet file leave NaN out, and comparisons are decided by statistics otherwise.
  const reader = `read_parquet(${text(path)}, can_have_nan = true, hive_partitioning = false${numbered && !ownNumber ? ", file_row_number = true" : ""})`;
  const wanted = [
    ...positions.map((i) => `${identifier(table.columns[i]?.name ?? "")} as c${i}`),
    ...(numbered ? [`${number} as n`] : []),
  ];
  return `(select ${wanted.join(", ") || "1 as one"} from ${reader})`;
}

/** DuckDB over one CSV or Parquet file. */
export const duckdbDialect: FileDialect = {
  name: "duckdb",
  identifier,
  canBeNamed: (name) => name !== "" && !name.includes("\0"),
  text,
  number,
  moment: (value, { family }) => `try_cast(${text(value)} as ${SQL_TYPE[family] ?? "TIMESTAMP"})`,
  typed,
  matches: (value, pattern) => `regexp_matches(${value}, ${text(pattern)})`,
  length: (value) => `length(${value})`,
  isNan: (value) => `isnan(${value})`,
  remainder: (value, step) => `(${value} % ${step})`,
  asText: (value) => `cast(${value} as VARCHAR)`,
  figure: (count) => count,
  countIf: (predicate) => `coalesce(count_if(${predicate}), 0)`,
  distinctHashes: (keys) => `count(distinct hash(${keys.join(", ")}))`,
  scan,
  refuses: () => undefined,
};
