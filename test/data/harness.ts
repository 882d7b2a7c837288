import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { openDuckDb } from "../../src/clients/duckdb.ts";
import { checkData, type DataReport } from "../../src/data/check-data.ts";
import type { CheckVerdict } from "../../src/data/data-check.ts";

/** A folder of its own for a test, gone when the test ends. */
export function makeFolder(): {
  path: string;
  write: (name: string, data: string | Uint8Array) => string;
  remove: () => void;
} {
  const path = mkdtempSync(join(tmpdir(), "factory-data-"));
  return {
    path,
    write(name, data) {
      const file = join(path, name);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, data);
      return file;
    },
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}

/** Contract text with one table `t` of the given body (indented YAML of properties and quality). */
export function contract(body: string, table = "t"): string {
  return `apiVersion: v3.1.0\nkind: DataContract\nid: test\nversion: 1.0.0\nstatus: active\nschema:\n  - name: ${JSON.stringify(table)}\n${body
    .split("\n")
    .map((line) => `    ${line}`)
    .join("\n")}\n`;
}

/** Judges a file with the real engine. */
export async function judge(
  contractText: string,
  sourcePath: string,
  signal: AbortSignal = new AbortController().signal,
): Promise<DataReport> {
  const folder = makeFolder();
  const engine = await openDuckDb({ tempFolder: join(folder.path, "spill"), memoryLimitMb: 512, threads: 2 });
  try {
    return await checkData({ contractPath: "c.odcs.yaml", contractText, sourcePath, signal, report: () => {} }, engine);
  } finally {
    engine.close();
    folder.remove();
  }
}

/** Writes a Parquet file with what a SELECT gives, by DuckDB without restrictions. */
export async function writeParquet(path: string, select: string): Promise<string> {
  const connection = await (await DuckDBInstance.create(":memory:")).connect();
  await connection.run(`copy (${select}) to '${path}' (format parquet)`);
  connection.closeSync();
  return path;
}

/** The verdict on the check with this id; throws if there is none. */
export function verdictOf(report: DataReport, id: string): CheckVerdict {
  const found = report.checks.find((check) => check.id === id);
  if (found === undefined)
    throw new Error(`no check ${id}; there are ${report.checks.map((check) => check.id).join(", ")}`);
  return found;
}
