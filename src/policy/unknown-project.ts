import { type FactoryError, usageError } from "../lib/error.ts";
import { nearest } from "../lib/nearest.ts";

/** A name that no project has (exit 2), with the one that was probably meant, else those that there are. */
export function unknownProject(name: string, names: readonly string[]): FactoryError {
  const known = [...new Set(names)];
  const guess = nearest(name, known);
  return usageError(
    "project.unknown",
    `no project ${name}: neither the policy nor a ledger knows it`,
    guess !== undefined ? `did you mean ${guess}?` : known.length === 0 ? undefined : `there are: ${known.join(", ")}`,
  );
}
