import { localDate } from "./local-time.ts";
import type { Environment } from "./policy.ts";

/** The freeze (`2026-12-20/2027-01-04`, both days in it) that an environment is in at a moment; dates are the time zone's. Pure. */
export function frozenBy(environment: Pick<Environment, "freeze">, at: Date, timeZone: string): string | undefined {
  const today = localDate(at, timeZone);
  return environment.freeze?.find((range) => {
    const [from = "", until = ""] = range.split("/");
    return from <= today && today <= until;
  });
}
