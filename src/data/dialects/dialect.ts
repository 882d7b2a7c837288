import type { BoundColumn, Family, FoundTable } from "../data-check.ts";

/** How one back end spells the few things that the compiler needs. Everything returned is a complete SQL expression. */
export interface Dialect {
  readonly name: string;
  /** A quoted identifier; any text is safe. */
  identifier(name: string): string;
  /** A string literal; any text is safe. */
  text(value: string): string;
  /** A number literal to be compared with values of the family; parenthesised, so that a sign can never form a comment. */
  number(value: number, family: Family): string;
  /** A date, timestamp or time literal, or NULL if the text is none. */
  moment(value: string, family: Family): string;
  /** Text read as the column's family; NULL if it is not one. Never rounds and never guesses. */
  typed(raw: string, column: BoundColumn): string;
  matches(value: string, pattern: string): string;
  /** Length in characters. */
  length(value: string): string;
  isNan(value: string): string;
  remainder(value: string, step: string): string;
  asText(value: string): string;
  /** Rows for which the predicate is true; 0 over no rows, never NULL. */
  countIf(predicate: string): string;
  /** The number of different hashes of the keys: never more than the number of different keys. */
  distinctHashes(keys: readonly string[]): string;
  /** The source as a table with one column `c<position>` for each asked position and, if numbered, `n`: the row from 1. */
  scan(source: SourceRef, positions: readonly number[], numbered: boolean): string;
}

/** Where the data is. */
export interface SourceRef {
  path: string;
  table: FoundTable;
  /** Of a CSV. */
  delimiter: string;
}
