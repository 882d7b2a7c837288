import { type FactoryError, usageError } from "../lib/error.ts";
import { nearest } from "../lib/nearest.ts";

/** A name that no environment has (exit 2), with the one that was probably meant, and those that there are, in their order. */
export function unknownEnvironment(name: string, names: readonly string[]): FactoryError {
  const guess = nearest(name, names);
  return usageError(
    "environment.unknown",
    `no environment is called ${name}`,
    `${guess === undefined ? "" : `did you mean ${guess}? `}there are, in order: ${names.join(", ")}`,
  );
}
