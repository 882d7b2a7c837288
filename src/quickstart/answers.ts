import * as z from "zod";
import { EXIT, FactoryError } from "../lib/error.ts";
import type { StepResult } from "./step.ts";

/** What register, approve, promote, release and rollback answer, as far as the story needs it. */
const verdict = z.object({ rule: z.string(), verdict: z.string(), why: z.string() });
export const decided = z.object({
  outcome: z.string(),
  reasons: z.array(z.string()).default([]),
  verdicts: z.array(verdict).default([]),
});
export type Decided = z.infer<typeof decided>;

/** The data of a command that has to succeed. A no at this place is a story that cannot go on: exit 1, with every reason. */
export function demandYes<T extends Decided>(result: StepResult<T>): T {
  if (result.ok) return result.data;
  const { reasons, verdicts } = result.data;
  const why = [
    ...reasons,
    ...verdicts.flatMap((each) => (each.verdict === "yes" ? [] : [`${each.rule}: ${each.why}`])),
  ];
  throw wrong(result.command, "was refused", why);
}

/** Why a command was refused that has to be refused, by this rule and by no other. Anything else ends quickstart: exit 1. */
export function demandRefusal(result: StepResult<Decided>, rule: string): string {
  const no = result.data.verdicts.filter((each) => each.verdict !== "yes");
  const [only, ...others] = no;
  if (!result.ok && result.data.outcome === "refused" && only?.rule === rule && others.length === 0) return only.why;
  throw wrong(
    result.command,
    result.ok ? `was not refused; the rule ${rule} has to say no` : `was not refused by the rule ${rule} alone`,
    no.map((each) => `${each.rule}: ${each.why}`),
  );
}

function wrong(command: string, what: string, reasons: readonly string[]): FactoryError {
  return new FactoryError("quickstart.story", EXIT.bug, `${command} ${what}`, {
    problems: reasons.map((message) => ({ message })),
    hint: "this must not happen: please report it",
  });
}

/** Throws when what has to be one thing is several: a digest at two places, say. */
export function demandSame(what: string, values: readonly (string | undefined)[]): void {
  if (values.some((value) => value === undefined) || new Set(values).size > 1)
    throw wrong(
      "quickstart:",
      `${what} differ`,
      values.map((value) => value ?? "none"),
    );
}
