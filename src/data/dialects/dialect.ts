import type { BoundColumn, Condition, Family, FoundTable } from "../data-check.ts";

/** How one back end spells the few things that the compiler needs. Everything returned is a complete SQL expression. */
export interface Dialect<Source extends { table: FoundTable } = SourceRef> {
  readonly name: string;
  /** A quoted identifier; any text is safe. */
  identifier(name: string): string;
  /** True if a statement of this engine can hold the name. */
  canBeNamed(name: string): boolean;
  /** A string literal; any text is safe. */
  text(value: string): string;
  /** A number literal to be compared with values of the family; parenthesised, so that a sign can never form a comment. */
  number(value: number, family: Family): string;
  /** A date, timestamp or time literal to be compared with the column, or NULL if the text is none. */
  moment(value: string, column: BoundColumn): string;
  /** Text read as the column's family; NULL if it is not one. Never rounds and never guesses. */
  typed(raw: string, column: BoundColumn): string;
  matches(value: string, pattern: string): string;
  /** Length in characters. */
  length(value: string): string;
  isNan(value: string): string;
  remainder(value: string, step: string): string;
  asText(value: string): string;
  /** A count as it goes over the wire. */
  figure(count: string): string;
  /** Rows for which the predicate is true; 0 over no rows, never NULL. */
  countIf(predicate: string): string;
  /** The source as a table with one column `c<position>` for each asked position and, if numbered, `n`: the row from 1. */
  scan(source: Source, positions: readonly number[], numbered: boolean): string;
  /** Why a condition cannot be told here as every other back end tells it; undefined where it can. */
  refuses(column: BoundColumn, condition: Condition): string | undefined;
}

/** A dialect for files, which can number rows and hash keys. */
export interface FileDialect extends Dialect<SourceRef> {
  /** The number of different hashes of the keys: never more than the number of different keys. */
  distinctHashes(keys: readonly string[]): string;
}

/** Where the data is: one file. */
export interface SourceRef {
  path: string;
  table: FoundTable;
  /** Of a CSV. */
  delimiter: string;
}

/** Where the data is: one version of one table. */
export interface TableRef {
  /** Catalog, schema, table. */
  name: readonly string[];
  version: number;
  table: FoundTable;
}
