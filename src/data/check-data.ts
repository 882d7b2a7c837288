import { basename, resolve } from "node:path";
import type { ContractTable } from "../contracts/contract.ts";
import { readContract } from "../contracts/read-contract.ts";
import { outsideError, usageError } from "../lib/error.ts";
import { type Report, withTask } from "../lib/progress.ts";
import { bindColumns } from "./bind-columns.ts";
import { compileExamples, compileView } from "./compile.ts";
import type { BoundColumn, CheckVerdict, DataCheck, Example, FoundTable } from "./data-check.ts";
import type { FileDialect, SourceRef } from "./dialects/dialect.ts";
import { duckdbDialect } from "./dialects/duckdb.ts";
import type { DataEngine } from "./engine.ts";
import { decide, evaluate, exampleRows } from "./evaluate.ts";
import { measure } from "./measure.ts";
import { chooseTable, planChecks } from "./plan.ts";
import { assertUnchanged, readCsvHeader, readSource, type SourceFile } from "./source.ts";

const DIALECTS: Readonly<Record<DataEngine["dialect"], FileDialect>> = { duckdb: duckdbDialect };

export interface DataCheckRequest {
  /** Shown in messages. */
  contractPath: string;
  contractText: string;
  sourcePath: string;
  signal: AbortSignal;
  report: Report;
}

export interface DataReport {
  /** `pass` only if at least one check was executed, and none failed, errored or was left undecided. */
  verdict: "pass" | "fail" | "error";
  /** Why, in a few words: `2 of 31 checks`. */
  reason: string;
  contract: {
    path: string;
    id: string;
    name?: string;
    version: string /** SHA-256 of the contract's text, hex. */;
    digest: string;
  };
  source: {
    path: string;
    format: FoundTable["format"];
    /** SHA-256, hex: of the file's bytes; of a table, of its name and version. */
    digest: string;
    /** Of a file. */
    bytes?: number;
    /** Of a warehouse: the one version that every statement read. */
    table?: { name: string; version: number };
    /** Undefined if the rows could not be counted. */
    rows?: number;
    /** Columns of the data that the contract does not know. */
    undeclaredColumns: readonly string[];
  };
  /** Name and version of what ran the statements. */
  engine: string;
  checks: readonly CheckVerdict[];
  /** What ran on a warehouse: the ids by which its own history knows the statements. */
  statements?: readonly { id: string; answers: string }[];
  durationMs: number;
}

/**
 * Judges one file by one contract. Broken data is a verdict; throws a usage error for a broken contract or a missing
 * file, an outside error if the file changes while it is read, and the signal's reason on abort. The engine must be
 * new: it is confined to this file.
 */
export async function checkData(request: DataCheckRequest, engine: DataEngine): Promise<DataReport> {
  const started = performance.now();
  const { signal, report } = request;
  const contract = readContract(request.contractText, request.contractPath);
  const table = chooseTable(contract, basename(request.sourcePath));
  if (table === undefined) {
    const names = contract.document.schema.map(({ name }) => name).join(", ");
    throw usageError(
      "data.table",
      `${request.contractPath} describes several tables (${names}) and none is named like ${basename(request.sourcePath)}`,
      "name the file after the table, or keep one table per contract",
    );
  }
  const source = await readSource(resolve(request.sourcePath), () => signal.throwIfAborted());
  signal.throwIfAborted();
  const enginePath = await engine.confineTo(source.realPath);
  const dialect = DIALECTS[engine.dialect];
  const ref = await openSource(source, enginePath, dialect, engine);
  const checks = planChecks(contract, table, ref.table);
  const bound = [...bindColumns(table, ref.table).values()].flatMap((binding) =>
    "column" in binding ? [binding.column] : [],
  );
  await defineTable(table, bound, ref, dialect, engine);
  const masked = bound.some((column) => column.masked !== undefined);
  const label = `${checks.length} data checks`;
  const { total, measured } = await withTask(
    report,
    "data",
    label,
    (advance) =>
      measure(
        {
          checks,
          source: ref,
          dialect,
          tableName: table.name,
          masked,
          signal,
          onDone: (done) => advance(done, `${done} of ${checks.length} checks`),
        },
        engine,
      ),
    { total: checks.length, unit: "steps" },
  );
  const verdicts: CheckVerdict[] = [];
  for (const check of checks) {
    const verdict = evaluate(check, measured.get(check));
    verdicts.push(
      verdict.verdict === "fail"
        ? { ...verdict, examples: await examplesOf(check, ref, dialect, engine, signal) }
        : verdict,
    );
  }
  await assertUnchanged(source);
  const { id, name, version } = contract.document;
  return {
    ...decide(verdicts),
    contract: { path: request.contractPath, id, ...(name !== undefined && { name }), version, digest: contract.digest },
    source: {
      path: request.sourcePath,
      format: source.format,
      digest: source.digest,
      bytes: source.bytes,
      ...(total !== undefined && { rows: total }),
      undeclaredColumns: undeclared(bound, ref.table),
    },
    engine: engine.version,
    checks: verdicts,
    durationMs: performance.now() - started,
  };
}

async function openSource(
  source: SourceFile,
  path: string,
  dialect: FileDialect,
  engine: DataEngine,
): Promise<SourceRef> {
  if (source.format === "csv") {
    const { names, delimiter } = await readCsvHeader(source);
    return { path, delimiter, table: { format: "csv", columns: names.map((name) => ({ name, type: "VARCHAR" })) } };
  }
  try {
    const columns = await engine.describe(
      `select * from read_parquet(${dialect.text(path)}, hive_partitioning = false)`,
    );
    return { path, delimiter: ",", table: { format: "parquet", columns } };
  } catch (error) {
    throw outsideError(
      "data.unreadable",
      `the Parquet file cannot be read: ${source.path}`,
      "it may be cut off or damaged: make it anew",
      error,
    );
  }
}

/** SQL rules know the table by the contract's names. A name that no store can hold leaves those rules to fail by themselves. */
async function defineTable(
  table: ContractTable,
  bound: readonly BoundColumn[],
  ref: SourceRef,
  dialect: FileDialect,
  engine: DataEngine,
): Promise<void> {
  const names = new Map([table.name, table.physicalName ?? table.name].map((name) => [name.toLowerCase(), name]));
  for (const name of names.values()) await engine.define(dialect.identifier(name), compileView(dialect, ref, bound));
}

/** Examples are a help, not a verdict: without them a failed check has still failed. */
async function examplesOf(
  check: DataCheck,
  ref: SourceRef,
  dialect: FileDialect,
  engine: DataEngine,
  signal: AbortSignal,
): Promise<Example[]> {
  const sql = compileExamples(dialect, ref, check);
  if (sql === undefined) return [];
  try {
    return exampleRows(check, await engine.select(sql, { maxRows: 3, signal }));
  } catch {
    signal.throwIfAborted();
    return [];
  }
}

/** Columns of the data that the contract does not know. */
export function undeclared(bound: readonly BoundColumn[], found: FoundTable): string[] {
  const positions = new Set(bound.map((column) => column.position));
  return found.columns.flatMap(({ name }, i) => (positions.has(i) ? [] : [name]));
}
