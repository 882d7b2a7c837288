import { FactoryError, messageOf } from "../lib/error.ts";
import { redact, stripControls } from "../lib/redact.ts";
import { compileDuplicates, compileScan, compileUniqueness, fillQuery, measureOf } from "./compile.ts";
import type { BoundColumn, Cell, DataCheck, Measured } from "./data-check.ts";
import type { FileDialect, SourceRef } from "./dialects/dialect.ts";
import type { DataEngine } from "./engine.ts";

export interface MeasureRequest {
  checks: readonly DataCheck[];
  source: SourceRef;
  dialect: FileDialect;
  /** The name under which the contract's own statements know the table. */
  tableName: string;
  /** True if a message must not quote the data. */
  masked: boolean;
  signal: AbortSignal;
  /** Called with the number of checks that are done. */
  onDone: (done: number) => void;
}

/**
 * Counts what every check asks. One pass for all that count rows; should that pass fail, each check runs alone, so
 * that one bad rule takes no other with it. A failing statement is a measured error; only an abort throws.
 */
export async function measure(
  request: MeasureRequest,
  engine: DataEngine,
): Promise<{ total: number | undefined; measured: Map<DataCheck, Measured> }> {
  const { checks, dialect, signal } = request;
  const measured = new Map<DataCheck, Measured>();
  const counting = checks.filter((check) => measureOf(check)?.of === "violations");
  let total: number | undefined;
  try {
    total = await scan(request, engine, counting, measured);
  } catch (error) {
    signal.throwIfAborted();
    const readable = await tried(request, () => scan(request, engine, [], measured));
    if (typeof readable === "number") total = readable;
    for (const check of counting) {
      const alone =
        readable === total ? await tried(request, () => scan(request, engine, [check], measured)) : readable;
      if (typeof alone === "object") measured.set(check, alone);
    }
    if (total === undefined) {
      const broken = { of: "error", message: queryMessage(error, request.masked) } as const;
      for (const check of checks) if (measureOf(check) !== undefined) measured.set(check, broken);
      return { total, measured };
    }
  }
  request.onDone(measured.size);
  for (const check of checks) {
    const asked = measureOf(check);
    if (asked === undefined || asked.of === "violations") continue;
    const rows = total;
    measured.set(
      check,
      await tried(request, async (): Promise<Measured> => {
        if (asked.of === "rows") return { of: "rows", total: rows };
        if (asked.of === "duplicates") return duplicates(request, engine, asked.columns, rows);
        const query = fillQuery(dialect, asked.query, request.tableName, check.columns[0]);
        return { of: "answer", total: rows, rows: await engine.select(query, { maxRows: 2, signal }) };
      }),
    );
    request.onDone(measured.size);
  }
  return { total, measured };
}

async function scan(
  { dialect, source, signal }: MeasureRequest,
  engine: DataEngine,
  checks: readonly DataCheck[],
  into: Map<DataCheck, Measured>,
): Promise<number> {
  const statement = compileScan(dialect, source, checks);
  const [row = []] = await engine.select(statement.sql, { maxRows: 1, signal });
  const total = count(row[0]);
  for (const [i, check] of statement.checks.entries()) {
    into.set(check, { of: "violations", total, judged: count(row[1 + 2 * i]), violations: count(row[2 + 2 * i]) });
  }
  return total;
}

async function duplicates(
  { dialect, source, signal }: MeasureRequest,
  engine: DataEngine,
  columns: readonly BoundColumn[],
  total: number,
): Promise<Measured> {
  const [keys = []] = await engine.select(compileUniqueness(dialect, source, columns), { maxRows: 1, signal });
  const judged = count(keys[0]);
  if (judged === count(keys[1])) return { of: "duplicates", total, judged, surplus: 0, involved: 0 };
  const [exact = []] = await engine.select(compileDuplicates(dialect, source, columns), { maxRows: 1, signal });
  return { of: "duplicates", total, judged, surplus: count(exact[0]), involved: count(exact[1]) };
}

/** A count, or an error: NULL and what is no whole number mean that it could not be told. */
export function count(cell: Cell | undefined): number {
  const value = typeof cell === "bigint" ? Number(cell) : cell;
  if (typeof value !== "number" || !Number.isSafeInteger(value)) throw new Error("the count could not be told");
  return value;
}

async function tried<T>(
  { signal, masked }: MeasureRequest,
  work: () => Promise<T>,
): Promise<T | Extract<Measured, { of: "error" }>> {
  try {
    return await work();
  } catch (error) {
    signal.throwIfAborted();
    return { of: "error", message: queryMessage(error, masked) };
  }
}

/** The engine's message, short; without anything it quotes when a column of the data must not be shown. */
export function queryMessage(error: unknown, masked: boolean): string {
  const message = messageOf(error);
  const csv = /CSV Error on Line: (\d+)/.exec(message);
  if (csv !== null) return `line ${csv[1]} of the file cannot be read${csvReason(message)}`;
  const lines = message
    .split("\n")
    .filter((line) => line.trim() !== "" && !/^(Possible|\*|LINE \d+:|\s*\^)/.test(line));
  const text = redact(stripControls(lines.slice(0, 2).join("; ")));
  if (error instanceof FactoryError && error.code === "data.sqlRefused") return text;
  return masked ? text.replace(/'[^']*'?|"[^"]*"?/g, "…").slice(0, 200) : text.slice(0, 400);
}

/** Why a line of a CSV is broken, without the line itself, which the engine quotes. */
function csvReason(message: string): string {
  const columns = /Expected Number of Columns: (\d+) Found: (\d+)/.exec(message);
  if (columns !== null) return `: ${columns[2]} fields where the header has ${columns[1]}`;
  if (message.includes("unterminated quote")) return ": a quote is not closed, or text follows a closed one";
  if (/unicode|utf-8/i.test(message)) return ": it is not UTF-8";
  return /Maximum line size/i.test(message) ? ": it is too long" : "";
}
