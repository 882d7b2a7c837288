import type { Entry } from "../ledger/entry.ts";
import { usageError } from "../lib/error.ts";
import { isDate, momentOf } from "../policy/local-time.ts";

/**
 * The moment that somebody asks the ledger of a project about, and what a day alone was taken for. Throws a usage error (exit 2) for one before
 * the first entry: that nothing served then is not known. Pure.
 */
export function askedMoment(
  text: string,
  timezone: string,
  project: string,
  [first]: readonly Pick<Entry, "at">[],
): { at: Date; means: string | undefined } {
  const at = momentOf(text, timezone);
  const day = text.trim();
  const means = isDate(day)
    ? `${day} means its first moment in ${timezone}; a later one: --at "${day} 14:00"`
    : undefined;
  if (first !== undefined && at >= new Date(first.at)) return { at, means };
  throw usageError(
    "flags.at",
    first === undefined
      ? `the ledger of ${project} has no entry: it cannot tell what served at ${at.toISOString()}`
      : `the ledger of ${project} begins at ${first.at}: it cannot tell what served before, at ${at.toISOString()}`,
    first === undefined ? undefined : (means ?? "give a moment since then"),
  );
}
