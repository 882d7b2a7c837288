/** What one check measures, what it expects, and what came of it. Plain data: planned, compiled, evaluated, shown. */

export type Scalar = string | number | boolean;

/** What a value must not be; a row for which it cannot be decided counts as violating. */
export type Condition =
  | { is: "missing"; also: readonly Scalar[] }
  | { is: "wrongType" }
  | { is: "outside"; low?: Limit; high?: Limit }
  | { is: "wrongLength"; min?: number; max?: number }
  | { is: "unlike"; pattern: string }
  | { is: "notIn"; values: readonly Scalar[] }
  | { is: "notMultipleOf"; step: number }
  | { is: "any"; of: readonly Condition[] };

export interface Limit {
  value: number | string;
  /** True if the limit itself is not allowed. */
  exclusive: boolean;
}

export type Measure =
  | { of: "rows" }
  | { of: "violations"; column: BoundColumn; condition: Condition }
  | { of: "duplicates"; columns: readonly BoundColumn[] }
  | { of: "answer"; query: string };

export type Operator =
  | "mustBe"
  | "mustNotBe"
  | "mustBeGreaterThan"
  | "mustBeGreaterOrEqualTo"
  | "mustBeLessThan"
  | "mustBeLessOrEqualTo"
  | "mustBeBetween"
  | "mustNotBeBetween";

export interface Threshold {
  operator: Operator;
  value: number | boolean | readonly [number, number];
}

export type Unit = "rows" | "percent";
export type VerdictWord = "pass" | "fail" | "error" | "not-evaluated";

export interface DataCheck {
  /** Stable within a contract: `claims.mdvis.range`, `claims.quality[0]`. */
  id: string;
  /** For a person: `member_year_id must be unique`. */
  label: string;
  kind:
    | "rows"
    | "column"
    | "type"
    | "required"
    | "unique"
    | "range"
    | "length"
    | "pattern"
    | "values"
    | "format"
    | "metric"
    | "sql"
    | "listed";
  /** Names as the contract writes them. */
  columns: readonly string[];
  line?: number;
  expected: string;
  /** What to run; or the outcome, when reading the contract and the columns settles it. */
  work: { measure: Measure; thresholds: readonly Threshold[]; unit: Unit } | Settled;
}

export interface Settled {
  verdict: VerdictWord;
  reason: string;
  /** False for what is only listed (a rule in prose, another engine's rule): it is not a pass and holds nothing up. */
  blocks: boolean;
}

/** Families of values that decide how they are compared; whatever the store calls them. */
export type Family =
  | "string"
  | "integer"
  | "decimal"
  | "double"
  | "float"
  | "boolean"
  | "date"
  | "timestamp"
  | "time"
  | "array"
  | "object"
  | "other";

/** A column of the contract, tied to the place where the data has it. */
export interface BoundColumn {
  name: string;
  /** Position in the file, from 0. */
  position: number;
  /** Of the values that are compared; for text (CSV) what the contract declares. */
  family: Family;
  /** True if the file holds text that must be read as the family. */
  fromText: boolean;
  /** How the store names the type, where it has types. */
  type?: string;
  /** The pattern and the parse format of dates in text, when the contract gives one. */
  format?: string;
  /** Set when example values must not be shown: the contract's classification. */
  masked?: string;
}

/** What the file or the table of a warehouse holds. */
export interface FoundTable {
  format: "csv" | "parquet" | "table";
  columns: readonly { name: string; type: string }[];
}

/** What was counted for one check; undefined members were not asked for. */
export type Measured =
  | { of: "rows"; total: number }
  | { of: "violations"; total: number; judged: number; violations: number }
  | { of: "duplicates"; total: number; judged: number; surplus: number; involved: number }
  | { of: "answer"; total: number; rows: readonly (readonly Cell[])[] }
  | { of: "error"; message: string };

export type Cell = null | boolean | number | bigint | string;

export interface Example {
  /** Row of the data, from 1; the header is not counted. */
  row: number;
  /** Column name and value as they may be shown: masked by classification, shortened, without control characters. */
  values: readonly { column: string; value: string }[];
}

export interface CheckVerdict {
  id: string;
  label: string;
  kind: DataCheck["kind"];
  columns: readonly string[];
  line?: number;
  verdict: VerdictWord;
  /** False if this outcome does not hold up the whole: passes, and rules that are only listed. */
  blocks: boolean;
  expected: string;
  found: string;
  /** Rows that break the rule; for duplicates all rows involved. Undefined where rows are not what is counted. */
  failedRows?: number;
  /** For duplicates: values beyond the first of their kind. */
  surplusRows?: number;
  totalRows?: number;
  examples: readonly Example[];
}
