/** What the data checks need of a SQL warehouse: one session that runs statements one after the other. */
export interface Warehouse {
  /** What ran the statements, for the evidence: the kind and the id of the warehouse. */
  readonly version: string;
  /**
   * Runs exactly one statement and gives all of its rows, which are few. A statement that the warehouse refused or that failed
   * there is an outside error `data.query`; whatever else goes wrong (no connection, a lost session) has another code. An abort
   * ends a running statement on the warehouse. Columns come over as text, unless `only` names those that are wanted as they are.
   */
  run(
    sql: string,
    options: { signal: AbortSignal; only?: readonly string[]; counts?: boolean },
  ): Promise<WarehouseAnswer>;
  close(): Promise<void>;
}

export interface WarehouseAnswer {
  /** The id by which the warehouse's own history knows the statement. */
  statement: string;
  rows: readonly Readonly<Record<string, unknown>>[];
}
