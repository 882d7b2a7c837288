import type { ContractProperty } from "../contracts/contract.ts";
import type { Family } from "./data-check.ts";

const BY_LOGICAL: Readonly<Record<string, Family>> = {
  string: "string",
  integer: "integer",
  number: "double",
  boolean: "boolean",
  date: "date",
  timestamp: "timestamp",
  time: "time",
  array: "array",
  object: "object",
  map: "object",
};

/** Families of type names as SQL stores, Spark and Parquet spell them; the part before brackets, lower case. */
const BY_PHYSICAL: Readonly<Record<string, Family>> = Object.fromEntries(
  (
    [
      ["string", "string varchar char character text nvarchar nchar bpchar uuid enum clob character-varying"],
      [
        "integer",
        "tinyint smallint int integer bigint hugeint utinyint usmallint uinteger ubigint uhugeint byte short long int2 int4 int8 int16 int32 int64 signed serial bigserial",
      ],
      ["double", "double float8 number double-precision"],
      ["float", "float real float4"],
      ["decimal", "decimal numeric dec"],
      ["boolean", "boolean bool logical bit1"],
      ["date", "date"],
      [
        "timestamp",
        "timestamp timestamp_ntz timestamp_ltz timestamptz datetime timestamp_s timestamp_ms timestamp_ns timestamp-with-time-zone timestamp-without-time-zone",
      ],
      ["time", "time timetz time-with-time-zone time_ns"],
      ["array", "array list"],
      ["object", "struct map record object row json variant"],
    ] as const
  ).flatMap(([family, names]) => names.split(" ").map((name) => [name, family])),
);

/** The family of a type as a store names it (`DECIMAL(18,3)`, `VARCHAR[]`, `STRUCT(a INTEGER)`). */
export function physicalFamily(type: string): Family {
  // `string collate utf8_lcase` is text too; comparing it by bytes is the dialect's affair.
  const name = type
    .trim()
    .toLowerCase()
    .replace(/^(string|varchar\(\d+\)|char\(\d+\)) collate [a-z0-9_.]+$/, "$1");
  if (/\[\d*\]$/.test(name)) return "array";
  return BY_PHYSICAL[(/^[^(<]*/.exec(name)?.[0] ?? "").trim().replaceAll(" ", "-")] ?? "other";
}

/** What the contract says the values are; undefined if it does not say, or says it in words that we do not know. */
export function declaredFamily(property: ContractProperty): Family | undefined {
  if (property.logicalType !== undefined) return BY_LOGICAL[property.logicalType];
  if (property.physicalType === undefined) return undefined;
  const family = physicalFamily(property.physicalType);
  return family === "other" ? undefined : family;
}

const ACCEPTS: Readonly<Record<Family, readonly Family[]>> = {
  string: ["string"],
  integer: ["integer"],
  double: ["double", "float", "decimal", "integer"],
  float: ["double", "float", "decimal", "integer"],
  decimal: ["decimal", "integer"],
  boolean: ["boolean"],
  date: ["date"],
  timestamp: ["timestamp"],
  time: ["time"],
  array: ["array"],
  object: ["object"],
  other: [],
};

/** True if a column of the found family holds only values of the declared one (`number` takes integers; never the reverse). */
export function isCompatible(declared: Family, found: Family): boolean {
  return ACCEPTS[declared].includes(found);
}

export function isNumeric(family: Family): boolean {
  return family === "integer" || family === "decimal" || family === "double" || family === "float";
}

export function isTemporal(family: Family): boolean {
  return family === "date" || family === "timestamp" || family === "time";
}

/** True if a value can be NaN, which every comparison must count as a violation. */
export function mayBeNan(family: Family): boolean {
  return family === "double" || family === "float";
}
