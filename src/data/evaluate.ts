import { stripControls } from "../lib/redact.ts";
import type { Cell, CheckVerdict, DataCheck, Example, Measured, Threshold, Unit } from "./data-check.ts";
import { holdsAll } from "./thresholds.ts";

const SHOWN_CHARACTERS = 40;

type Outcome = Pick<CheckVerdict, "verdict" | "blocks" | "found"> &
  Pick<CheckVerdict, "failedRows" | "surplusRows" | "totalRows">;

/** The verdict on one check. What was not measured is an error; nothing that was not judged passes. */
export function evaluate(
  check: DataCheck,
  measured: Measured | undefined,
  examples: readonly Example[] = [],
): CheckVerdict {
  const { id, label, kind, columns, line, expected, work } = check;
  const outcome: Outcome =
    "verdict" in work
      ? { verdict: work.verdict, blocks: work.verdict !== "pass" && work.blocks, found: work.reason }
      : judge(work.thresholds, work.unit, measured ?? { of: "error", message: "was not measured" });
  return { id, label, kind, columns, ...(line !== undefined && { line }), expected, ...outcome, examples };
}

function judge(thresholds: readonly Threshold[], unit: Unit, measured: Measured): Outcome {
  switch (measured.of) {
    case "error":
      return { verdict: "error", blocks: true, found: measured.message };
    case "rows":
      return { ...word(holdsAll(thresholds, measured.total)), found: rows(measured.total), totalRows: measured.total };
    case "violations":
      return judgeCount(
        thresholds,
        unit,
        measured,
        measured.violations,
        `${rows(measured.violations)} of ${grouped(measured.total)}`,
      );
    case "duplicates": {
      const { surplus, involved } = measured;
      const found = surplus === 0 ? "no duplicates" : `${grouped(surplus)} too many, in ${rows(involved)}`;
      return { ...judgeCount(thresholds, unit, measured, surplus, found), failedRows: involved, surplusRows: surplus };
    }
    case "answer":
      return judgeAnswer(thresholds, measured.rows, measured.total);
  }
}

function judgeCount(
  thresholds: readonly Threshold[],
  unit: Unit,
  { total, judged }: { total: number; judged: number },
  count: number,
  found: string,
): Outcome {
  if (![total, judged, count].every(Number.isSafeInteger))
    return { verdict: "error", blocks: true, found: "the count could not be told" };
  const figures = { failedRows: count, totalRows: total };
  if (total === 0) return { verdict: "not-evaluated", blocks: true, found: "there are no rows", ...figures };
  // Empty values break no rule about values; a column of nothing else was not judged, and is no pass.
  if (judged === 0 && count === 0)
    return { verdict: "not-evaluated", blocks: false, found: "every value is empty", ...figures };
  if (unit === "rows") return { ...word(holdsAll(thresholds, count)), found, ...figures };
  const percent = (count / total) * 100;
  return { ...word(holdsAll(thresholds, percent)), found: `${figure(percent)} % (${found})`, ...figures };
}

function judgeAnswer(thresholds: readonly Threshold[], answer: readonly (readonly Cell[])[], total: number): Outcome {
  const error = (found: string): Outcome => ({ verdict: "error", blocks: true, found });
  const [row, ...more] = answer;
  if (row === undefined || more.length > 0)
    return error(`the query must give one row; it gave ${row === undefined ? "none" : "more"}`);
  const [given, ...others] = row;
  if (given === undefined || others.length > 0) return error(`the query must give one column; it gave ${row.length}`);
  // The last digits of a sum or a mean depend on the order in which an engine adds: no verdict may.
  const value = typeof given === "number" && !Number.isInteger(given) ? Number(given.toPrecision(12)) : given;
  if (value === null)
    return { verdict: "not-evaluated", blocks: true, found: "the query answered NULL: could not tell" };
  if (typeof value === "string") return error("the query must give a number or true/false; it gave text");
  const holds = holdsAll(thresholds, value);
  if (holds && total === 0) return { verdict: "not-evaluated", blocks: true, found: "there are no rows" };
  return { ...word(holds), found: typeof value === "number" ? figure(value) : String(value), totalRows: total };
}

function word(holds: boolean): { verdict: "pass" | "fail"; blocks: boolean } {
  return holds ? { verdict: "pass", blocks: false } : { verdict: "fail", blocks: true };
}

/** The word on all checks together. Nothing executed, nothing passed: the answer is no. */
export function decide(checks: readonly CheckVerdict[]): { verdict: "pass" | "fail" | "error"; reason: string } {
  const count = (word: CheckVerdict["verdict"]) => checks.filter((check) => check.verdict === word).length;
  const failed = count("fail");
  const passed = count("pass");
  const undecided = checks.filter((check) => check.blocks && check.verdict !== "fail").length;
  if (failed > 0) return { verdict: "fail", reason: `${failed} of ${checks.length} checks` };
  if (undecided > 0) return { verdict: "error", reason: `${undecided} of ${checks.length} checks could not be judged` };
  if (passed === 0) return { verdict: "fail", reason: "the contract has no check that was executed" };
  return { verdict: "pass", reason: `${passed} of ${checks.length} checks` };
}

/** Example rows as they may be shown: each column's value, or that its classification withholds it. */
export function exampleRows(check: DataCheck, answer: readonly (readonly Cell[])[]): Example[] {
  const measure = "measure" in check.work ? check.work.measure : undefined;
  const columns = measure?.of === "violations" ? [measure.column] : measure?.of === "duplicates" ? measure.columns : [];
  return answer.map(([row, ...values]) => {
    const open = values.values();
    return {
      row: Number(row),
      values: columns.map(({ name, masked }) => ({
        column: shown(name),
        value: masked === undefined ? shownCell(open.next().value ?? null) : `██████ (${shown(masked)})`,
      })),
    };
  });
}

function shownCell(cell: Cell): string {
  return cell === null ? "(empty)" : shown(String(cell));
}

function shown(text: string): string {
  const plain = stripControls(text).replace(/\s/g, " ");
  const characters = Array.from(plain);
  return characters.length > SHOWN_CHARACTERS ? `${characters.slice(0, SHOWN_CHARACTERS - 1).join("")}…` : plain;
}

function grouped(count: number): string {
  return count.toLocaleString("en-US");
}

function rows(count: number): string {
  return `${grouped(count)} ${count === 1 ? "row" : "rows"}`;
}

function figure(value: number): string {
  return String(Number(value.toPrecision(6)));
}
