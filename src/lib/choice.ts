import type * as z from "zod";
import { nearest } from "./nearest.ts";

const MAX_SHOWN = 80;
/** What a value of these keys is called; of other keys the path says enough. */
const NOUNS: Readonly<Record<string, string>> = { kind: "kind", gates: "gate", only: "gate", state: "state" };

/**
 * A value that is none of those that may stand there, in a person's words; undefined: the issue is of another sort, or has words
 * of its own. Its input must be reported.
 */
export function choiceProblem(issue: z.core.$ZodIssue, value: unknown): { message: string; hint?: string } | undefined {
  const options = optionsOf(issue);
  if (options === undefined) return undefined;
  const list = options.join(", ");
  if (value === undefined) return { message: `is required: one of ${list}` };
  const key = issue.path.findLast((each) => typeof each === "string");
  const noun = typeof key === "string" && Object.hasOwn(NOUNS, key) ? NOUNS[key] : undefined;
  const text = JSON.stringify(value) ?? String(value);
  const shown = text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…`.toWellFormed() : text;
  const guess = typeof value === "string" && value.length <= MAX_SHOWN ? nearest(value, options) : undefined;
  return {
    message: noun === undefined ? `${shown} is none of ${list}` : `${shown} is no ${noun}: one of ${list}`,
    ...(guess !== undefined && { hint: `did you mean ${JSON.stringify(guess)}?` }),
  };
}

function optionsOf(issue: z.core.$ZodIssue): string[] | undefined {
  if (issue.code === "invalid_value" && issue.message.startsWith("Invalid option")) return issue.values.map(String);
  if (issue.code === "invalid_union" && issue.message.startsWith("Invalid discriminator value"))
    return issue.inclusive === false ? undefined : issue.options?.map(String);
  return undefined;
}
