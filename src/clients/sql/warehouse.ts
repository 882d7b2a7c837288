import * as z from "zod";
import { outsideError } from "../../lib/error.ts";
import type { Report } from "../../lib/progress.ts";
import type { Workspace } from "../databricks/workspace.ts";
import { SqlError, sqlError } from "./sql-error.ts";
import { waitUntilRunning } from "./wait-running.ts";

/** A value of a result: all that comes through the driver as it is in the warehouse. */
export type SqlCell = string | number | boolean | null;
export type SqlRow = Readonly<Record<string, SqlCell>>;

export interface StatementOptions {
  signal?: AbortSignal | undefined;
  /** Takes columns of 64-bit integers too, for the counts that INSERT and MERGE answer with; one beyond 2^53 is an error. */
  counts?: boolean;
  /** The columns that are wanted of a statement whose columns nobody can cast, such as DESCRIBE HISTORY; others are not looked at. */
  only?: readonly string[];
}

/** One session on a SQL warehouse; statements run one after the other. */
export interface SqlWarehouse {
  /** For the evidence: the kind and the id of the warehouse. */
  readonly version: string;
  /** For messages. */
  readonly label: string;
  /**
   * Runs one statement and gives all of its rows. Only columns of STRING, INT, BOOLEAN and DOUBLE are taken: the driver bends other
   * types without a word, so that they have to be cast in SQL. What the warehouse refuses is a `SqlError` of code `data.query`
   * with `answered`; without an answer nobody knows whether it ran. An abort cancels the statement on the warehouse.
   */
  run(sql: string, options?: StatementOptions): Promise<{ statement: string; rows: readonly SqlRow[] }>;
  close(): Promise<void>;
}

export interface WarehouseRequest {
  workspace: Workspace;
  id: string;
  report: Report;
  signal?: AbortSignal | undefined;
  /** How long a stopped warehouse is awaited, and how often it is looked at. */
  startLimitMs?: number;
  pollMs?: number;
  /** False: the session keeps the zone that the warehouse gives it, and no statement is spent on it. */
  utc?: boolean;
}

/** Of the driver's ids of types: BOOLEAN, INT, DOUBLE, STRING. */
const AS_THEY_ARE = [0, 3, 6, 7];
const NO_TYPE = 16;
const BIGINT = 4;
/** Results are few: they come with the answer, not from a storage of somebody else's. */
const PLAIN_RESULTS = { useCloudFetch: false, useLZ4Compression: false, maxRows: 10_000 };
const CANCEL_MS = 3000;
const cell = z.union([z.string(), z.number(), z.boolean(), z.null()]);

/** Opened at the first statement: the warehouse is awaited then, and the driver is loaded then. */
export function openWarehouse(request: WarehouseRequest): SqlWarehouse {
  const { workspace, id } = request;
  const label = `SQL warehouse ${id} of ${workspace.label}`;
  let opened: ReturnType<typeof open> | undefined;
  const open = async () => {
    await waitUntilRunning({ ...request, limitMs: request.startLimitMs, signal: request.signal });
    const { connectDriver } = await import("./driver.ts");
    const connection = await connectDriver(workspace, id);
    if (request.utc === false) return connection;
    const zone = await connection.session.executeStatement("SET TIME ZONE 'UTC'", PLAIN_RESULTS);
    await zone.fetchAll();
    await zone.close();
    return connection;
  };
  const connection = () => {
    opened ??= open().catch((thrown: unknown) => {
      opened = undefined;
      throw sqlError(thrown, label);
    });
    return opened;
  };
  const close = async (): Promise<void> => {
    const before = await opened?.catch(() => undefined);
    opened = undefined;
    const closing = before?.close().catch(() => {}) ?? Promise.resolve();
    await Promise.race([closing, new Promise((resolve) => setTimeout(resolve, CANCEL_MS).unref())]);
  };
  return {
    version: `databricks-sql-warehouse ${id}`,
    label,
    async run(sql, { signal = request.signal, counts = false, only } = {}) {
      signal?.throwIfAborted();
      const { session } = await untilAborted(connection(), signal);
      const starting = session.executeStatement(sql, PLAIN_RESULTS);
      const cancel = async (): Promise<void> => {
        const sent = starting.then((operation) => operation.cancel()).catch(() => {});
        await Promise.race([sent, new Promise((resolve) => setTimeout(resolve, CANCEL_MS).unref())]);
      };
      try {
        const operation = await untilAborted(starting, signal);
        const columns = await untilAborted(operation.getSchema(), signal);
        const wanted = ({ columnName }: Pick<Column, "columnName">) => only === undefined || only.includes(columnName);
        demandPlain((columns?.columns ?? []).filter(wanted), counts);
        const rows = await untilAborted(operation.fetchAll(), signal);
        await operation.close().catch(() => {});
        return { statement: operation.id, rows: rows.map((row) => plainRow(row, counts, only)) };
      } catch (thrown) {
        if (signal?.aborted) {
          await cancel();
          throw signal.reason;
        }
        const error = sqlError(thrown, label);
        // The session may be gone with its server; the next statement gets a new one.
        if (!(error instanceof SqlError) || !error.answered || /SessionHandle/.test(error.message)) await close();
        throw error;
      }
    },
    close,
  };
}

interface Column {
  columnName: string;
  typeDesc: { types: { primitiveEntry?: { type: number } }[] };
}

function demandPlain(columns: readonly Column[], counts: boolean): void {
  for (const { columnName, typeDesc } of columns) {
    const type = typeDesc.types[0]?.primitiveEntry?.type;
    if (type !== undefined && (AS_THEY_ARE.includes(type) || type === NO_TYPE || (counts && type === BIGINT))) continue;
    throw new SqlError(
      "sql.column",
      `column ${columnName} of a result has a type that does not come over as it is; it is cast to STRING in SQL`,
      { answered: true },
    );
  }
}

function plainRow(row: object, counts: boolean, only: readonly string[] | undefined): SqlRow {
  return Object.fromEntries(
    Object.entries(row).flatMap(([name, value]) => {
      if (only !== undefined && !only.includes(name)) return [];
      const plain = cell.parse(typeof value === "bigint" ? Number(value) : (value ?? null));
      if (counts && typeof plain === "number" && !Number.isSafeInteger(plain))
        throw outsideError("sql.count", `a count in column ${name} is no whole number that can be told`);
      return [[name, plain]];
    }),
  );
}

/** Rejects as soon as the signal says so; what the work comes to is not asked any more. */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  let stop = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
  work.catch(() => {});
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
