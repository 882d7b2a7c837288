import * as z from "zod";
import { LAST_MOMENT_MS } from "../lib/last-moment.ts";

/**
 * When something was made, as a server says it: milliseconds since 1970, as a number or its digits, to the end of the year 9999. What the
 * ledger could not hold, and no date could be made of, is no answer.
 */
export const moment = z
  .union([
    z.number(),
    z
      .string()
      .regex(/^\d{1,15}$/, "is no time")
      .transform(Number),
  ])
  .refine((ms) => Number.isSafeInteger(ms) && ms >= 0 && ms <= LAST_MOMENT_MS, "is no time");
