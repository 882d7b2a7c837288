import type { Cell } from "./data-check.ts";

/** What the data checks need of a query engine. Statements come from the compiler, or from a contract: then they are hostile. */
export interface DataEngine {
  /** Which dialect it reads. */
  readonly dialect: "duckdb";
  /** Name and version, for the evidence. */
  readonly version: string;
  /**
   * Allows reading this one file and nothing else, for good: no other file, no network, no extension, no setting.
   * Returns the path by which statements must name the file.
   */
  confineTo(path: string): Promise<string>;
  /** Names and types of the columns that a SELECT would give. */
  describe(sql: string): Promise<{ name: string; type: string }[]>;
  /** Gives a SELECT a name (quoted SQL identifier) that later statements may read from. */
  define(name: string, sql: string): Promise<void>;
  /**
   * Runs exactly one SELECT and gives at most `maxRows` rows. Anything else is refused before it runs: usage error
   * `data.sqlRefused`. A failing statement is an outside error `data.query`. An abort ends a running statement.
   */
  select(sql: string, options: { maxRows: number; signal?: AbortSignal }): Promise<readonly (readonly Cell[])[]>;
}
