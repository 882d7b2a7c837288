import { mkdirSync, symlinkSync } from "node:fs";
import { extname, join } from "node:path";
import {
  type DuckDBConnection,
  DuckDBInstance,
  type DuckDBPreparedStatement,
  type DuckDBValue,
  StatementType,
  version,
} from "@duckdb/node-api";
import type { Cell } from "../data/data-check.ts";
import type { DataEngine } from "../data/engine.ts";
import { messageOf, outsideError, usageError } from "../lib/error.ts";

/** In other paths DuckDB would see a glob pattern or an address. */
const PLAIN_PATH = /^\/[\p{L}\p{N}_./ @+,=-]*$/u;

export interface DuckDbOptions {
  /** A private folder, empty: what does not fit into memory is put there, and statements may read it. */
  tempFolder: string;
  memoryLimitMb?: number;
  threads?: number;
}

/** DuckDB in this process. Statements of a contract are hostile: until it is confined, none of them may run. */
export interface DuckDb extends DataEngine {
  close(): void;
}

/** Opens an empty database in memory with all extensions off. Outside error if the library does not load. */
export async function openDuckDb({ tempFolder, memoryLimitMb = 1024, threads = 2 }: DuckDbOptions): Promise<DuckDb> {
  const instance = await DuckDBInstance.create(":memory:", {
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
    allow_community_extensions: "false",
    memory_limit: `${memoryLimitMb}MB`,
    threads: String(threads),
    temp_directory: tempFolder,
  }).catch((error: unknown) => {
    throw outsideError(
      "data.engine",
      `DuckDB could not be started: ${messageOf(error)}`,
      "install the package again on this platform",
      error,
    );
  });
  const connection = await instance.connect();
  const text = (value: string) => `'${value.replaceAll("'", "''")}'`;
  return {
    dialect: "duckdb",
    version: `DuckDB ${version()}`,
    async confineTo(path) {
      const plain = PLAIN_PATH.test(path) ? path : linkTo(path, tempFolder);
      await connection.run(`set allowed_paths = [${text(plain)}]`);
      await connection.run("set enable_external_access = false");
      await connection.run("set lock_configuration = true");
      return plain;
    },
    async describe(sql) {
      const statement = await prepareSelect(connection, sql);
      const columns = Array.from({ length: statement.columnCount }, (_, i) => ({
        name: statement.columnName(i),
        type: String(statement.columnType(i)),
      }));
      statement.destroySync();
      return columns;
    },
    async define(name, sql) {
      (await prepareSelect(connection, sql)).destroySync();
      await connection.run(`create or replace view ${name} as ${sql}`).catch(failed);
    },
    async select(sql, { maxRows, signal }) {
      signal?.throwIfAborted();
      const statement = await prepareSelect(connection, sql);
      const interrupt = () => connection.interrupt();
      signal?.addEventListener("abort", interrupt, { once: true });
      try {
        const reader = await statement.streamAndReadUntil(maxRows);
        return reader
          .getRows()
          .slice(0, maxRows)
          .map((row) => row.map(cellOf));
      } catch (error) {
        signal?.throwIfAborted();
        return failed(error);
      } finally {
        signal?.removeEventListener("abort", interrupt);
        statement.destroySync();
      }
    },
    close() {
      connection.closeSync();
      instance.closeSync();
    },
  };
}

/** A link with a plain name in the private folder. */
function linkTo(path: string, folder: string): string {
  if (!PLAIN_PATH.test(folder))
    throw usageError(
      "data.path",
      `the name of the temporary folder cannot be used: ${folder}`,
      "set TMPDIR to a folder with a plain name",
    );
  mkdirSync(folder, { recursive: true });
  const link = join(folder, `source${extname(path).replace(/[^.A-Za-z0-9]/g, "")}`);
  symlinkSync(path, link);
  return link;
}

/** One statement that only reads, or an error. `prepare` itself refuses more than one; nothing has run until here. */
async function prepareSelect(connection: DuckDBConnection, sql: string): Promise<DuckDBPreparedStatement> {
  const statement = await connection.prepare(sql).catch((error: unknown) => {
    if (/multiple statements/i.test(messageOf(error))) throw refused("it has more than one statement");
    return failed(error);
  });
  if (statement.statementType === StatementType.SELECT && statement.parameterCount === 0) return statement;
  const what =
    statement.parameterCount > 0
      ? "it has parameters"
      : `it is ${StatementType[statement.statementType] ?? "another statement"}`;
  statement.destroySync();
  throw refused(what);
}

function refused(why: string): Error {
  return usageError(
    "data.sqlRefused",
    `the statement was refused: ${why}`,
    "a sql rule must be exactly one SELECT over the contract's table",
  );
}

function failed(error: unknown): never {
  throw outsideError("data.query", messageOf(error), undefined, error);
}

/** The value as JSON can carry it, whole numbers exactly; what has no such form is text. */
function cellOf(value: DuckDBValue): Cell {
  if (value === null || typeof value === "boolean" || typeof value === "number" || typeof value === "string")
    return value;
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  if (typeof value === "object" && "toDouble" in value && typeof value.toDouble === "function")
    return Number(value.toDouble());
  return String(value);
}
