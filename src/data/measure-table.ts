import { FactoryError } from "../lib/error.ts";
import { measureOf } from "./compile.ts";
import { joinParts, partsOf, scanPart, type TablePart } from "./compile-table.ts";
import type { BoundColumn, Cell, DataCheck, Measured } from "./data-check.ts";
import type { TableRef } from "./dialects/dialect.ts";
import { count, queryMessage } from "./measure.ts";
import type { Warehouse } from "./warehouse.ts";

export interface TableRequest {
  checks: readonly DataCheck[];
  source: TableRef;
  /** The names under which the contract's own queries know the table, its own first. */
  names: readonly string[];
  columns: readonly BoundColumn[];
  /** True if a message must not quote the data. */
  masked: boolean;
  signal: AbortSignal;
}

/** A statement that ran, and what it answered. */
export interface RanStatement {
  id: string;
  answers: string;
}

const MAX_TEXT = 1_000_000;
/** A statement of many parts takes an engine long to plan. */
const MAX_PARTS = 8;

/**
 * Counts what every check asks, in one statement where that can be. Should that statement be refused, its parts run alone, so
 * that one bad rule takes no other with it. What keeps the warehouse from answering at all is thrown.
 */
export async function measureTable(
  request: TableRequest,
  warehouse: Warehouse,
): Promise<{ total: number | undefined; measured: Map<DataCheck, Measured>; statements: RanStatement[] }> {
  const { source, checks, names, columns, signal } = request;
  const { scan, others, refused } = partsOf(source, checks, names);
  const measured = new Map<DataCheck, Measured>();
  const statements: RanStatement[] = [];
  let total: number | undefined;
  for (const [check, message] of refused) measured.set(check, { of: "error", message });

  const run = async (parts: readonly TablePart[]): Promise<void> => {
    const { sql } = joinParts(source, parts, { names, columns });
    const answer = await warehouse.run(sql, { signal });
    statements.push({ id: answer.statement, answers: parts.map(nameOf).join(", ") });
    const [row, ...more] = answer.rows;
    if (row === undefined || more.length > 0) throw new Error("the counts could not be told: no single row came back");
    for (const [i, part] of parts.entries())
      total = read(part, (column) => row[`p${i}_${column}`], total, measured) ?? total;
  };
  /** Runs a part alone; a refusal becomes the outcome of its checks. */
  const alone = async (part: TablePart): Promise<boolean> => {
    try {
      await run([part]);
      return true;
    } catch (error) {
      signal.throwIfAborted();
      if (!isRefusal(error)) throw error;
      const message = queryMessage(error, request.masked);
      for (const check of part.checks) measured.set(check, { of: "error", message });
      return false;
    }
  };

  const batches = batched([scan, ...others], (parts) => joinParts(source, parts, { names, columns }).sql);
  for (const parts of batches) {
    try {
      await run(parts);
    } catch (error) {
      signal.throwIfAborted();
      if (!isRefusal(error)) throw error;
      for (const part of parts) {
        if ((await alone(part)) || part.of !== "scan") continue;
        // Which of its rules it is, only each rule alone can tell; unless the table cannot be read at all.
        if (await alone(scanPart(source, []))) for (const check of part.checks) await alone(scanPart(source, [check]));
      }
    }
  }
  for (const check of checks) {
    const asked = measureOf(check);
    if (asked?.of === "rows" && total !== undefined) measured.set(check, { of: "rows", total });
    // Duplicates and answers are judged beside the number of rows, which may have come later than they.
    const found = measured.get(check);
    if (found !== undefined && found.of !== "error" && total === undefined)
      measured.set(check, { of: "error", message: "the rows could not be counted" });
  }
  return { total, measured, statements };
}

/** The row of one part as what its checks measured; the number of rows, if that is what it tells. */
function read(
  part: TablePart,
  cell: (column: string) => unknown,
  total: number | undefined,
  into: Map<DataCheck, Measured>,
): number | undefined {
  const figure = (i: number) => count(wholeNumber(cell(`a${i}`)));
  if (part.of === "scan") {
    const rows = figure(0);
    for (const [i, check] of part.checks.entries())
      into.set(check, { of: "violations", total: rows, judged: figure(1 + 2 * i), violations: figure(2 + 2 * i) });
    return rows;
  }
  const [check] = part.checks;
  const rows = total ?? Number.NaN;
  if (check === undefined) return undefined;
  if (part.of === "duplicates")
    into.set(check, { of: "duplicates", total: rows, judged: figure(0), surplus: figure(1), involved: figure(2) });
  else into.set(check, { of: "answer", total: rows, rows: answerRows(figure(0), cell("a1")) });
  return undefined;
}

/** As many rows as the query gave, two at most, which is one too many. */
function answerRows(rows: number, value: unknown): (readonly Cell[])[] {
  if (rows === 0) return [];
  return rows === 1 ? [[answerCell(value)]] : [[null], [null]];
}

/** `bigint:42`, `double:0.2`, `boolean:true`: the value by the type that the warehouse gave it. NULL stays NULL. */
export function answerCell(value: unknown): Cell {
  if (value === null || value === undefined) return null;
  const [, type, text] = /^([a-z]+)[^:]*:(.*)$/s.exec(String(value)) ?? [];
  if (type === undefined || text === undefined) return String(value);
  if (type === "boolean") return text === "true";
  if (["tinyint", "smallint", "int", "bigint"].includes(type)) {
    const exact = Number(text);
    return Number.isSafeInteger(exact) ? exact : BigInt(text);
  }
  if (type === "float") return Math.fround(Number(text));
  return type === "double" || type === "decimal" ? Number(text) : text;
}

function wholeNumber(value: unknown): Cell {
  return typeof value === "string" && /^\d{1,19}$/.test(value) ? Number(value) : null;
}

/** A statement that was understood and refused: another one may pass. */
function isRefusal(error: unknown): boolean {
  return !(error instanceof FactoryError) || error.code === "data.query";
}

function nameOf(part: TablePart): string {
  return part.of === "scan" ? `rows and ${part.checks.length} checks` : (part.checks[0]?.id ?? "");
}

/** One statement for all, or several where it would become too long for a warehouse. */
function batched(parts: readonly TablePart[], text: (parts: readonly TablePart[]) => string): TablePart[][] {
  const batches: TablePart[][] = [];
  for (const part of parts) {
    const last = batches.at(-1);
    if (last !== undefined && last.length < MAX_PARTS && text([...last, part]).length < MAX_TEXT) last.push(part);
    else batches.push([part]);
  }
  return batches;
}
