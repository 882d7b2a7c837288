import * as z from "zod";
import { EXIT, FactoryError } from "../lib/error.ts";
import { minute } from "./moments.ts";
import { MARK, type Style } from "./style.ts";

/** A rule's verdict, as `--json` and the screen show it. */
export const verdictShape = z.object({
  rule: z.string(),
  verdict: z.enum(["yes", "no", "cannot tell"]),
  why: z.string(),
  fix: z.string().optional(),
});
type Verdict = z.infer<typeof verdictShape>;

/** One line a rule, what is wrong first; what to do stands below it. */
export function verdictLines(verdicts: readonly Verdict[], style: Style, showAll: boolean): string[] {
  const order = { no: 0, "cannot tell": 1, yes: 2 } as const;
  const shown = [...verdicts]
    .filter((each) => showAll || each.verdict !== "yes")
    .sort((a, b) => order[a.verdict] - order[b.verdict]);
  const width = Math.max(0, ...shown.map((each) => each.rule.length));
  return shown.flatMap(({ rule, verdict, why, fix }) => {
    const mark =
      verdict === "yes" ? style.ok(MARK.pass) : verdict === "no" ? style.bad(MARK.fail) : style.warn(MARK.error);
    return [
      `  ${mark} ${rule.padEnd(width)}  ${why}`,
      ...(fix === undefined ? [] : [`    ${" ".repeat(width)}  ${style.dim("→")} ${fix}`]),
    ];
  });
}

/** What served last where nothing serves now, as `--json` has it. */
export const goneShape = z
  .object({ version: z.string(), at: z.string() })
  .optional()
  .describe("the version that served last and was rolled back; absent: one serves, or none ever did");
export type Gone = z.infer<typeof goneShape>;

/** `v1 was rolled back on 2026-11-20 16:02 UTC` */
export function goneText({ version, at }: NonNullable<Gone>): string {
  return `v${version} was rolled back on ${minute(at)} UTC`;
}

/** Entries by which rollbacks that waited were written, as `--json` has them. */
export const recordedShape = z
  .array(z.int())
  .optional()
  .describe("entries that were written first, for a rollback that waited for the ledger");

export function recordedData(recorded: readonly number[]): { recorded?: number[] } {
  return recorded.length === 0 ? {} : { recorded: [...recorded] };
}

/** The last sentence of what came to nothing. */
export function nothingWritten(recorded: readonly number[] | undefined): string {
  return recorded === undefined
    ? "Nothing was written."
    : `Nothing was written but the rollback that waited: ledger entr${recorded.length === 1 ? "y" : "ies"} ${recorded.join(", ")}.`;
}

/** `12 of 20 rules say yes`. */
export function verdictCount(verdicts: readonly Verdict[]): string {
  const good = verdicts.filter((each) => each.verdict === "yes").length;
  return `${good} of ${verdicts.length} rules say yes`;
}

/** `sha256:5be1…` */
export function shortDigest(digest: string): string {
  return `sha256:${digest.slice(0, 12)}…`;
}

/** The question could not be answered: exit 4, with every rule that could not tell and what to do about it. */
export function couldNotTell(verdicts: readonly Verdict[], message: string): FactoryError {
  return new FactoryError("rules.cannot-tell", EXIT.outside, message, {
    problems: verdicts
      .filter((each) => each.verdict === "cannot tell")
      .map(({ rule, why, fix }) => ({ message: `${rule}: ${why}`, ...(fix !== undefined && { hint: fix }) })),
  });
}
