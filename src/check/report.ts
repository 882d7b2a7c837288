import * as z from "zod";
import { findingFact } from "../evidence/facts.ts";
import { gateName } from "../policy/policy.ts";

/** What one check found; the data of `factory check --json`. */
export const checkReport = z.object({
  project: z.string(),
  /** `project`: no run was judged, so there is nothing that could be registered. */
  subject: z.enum(["project", "candidate"]),
  verdict: z.enum(["pass", "fail", "error"]),
  run: z.string().optional(),
  model: z.object({ name: z.string(), digest: z.string() }).optional(),
  gates: z.array(
    z.object({
      gate: gateName,
      verdict: z.enum(["pass", "fail", "error", "not-evaluated"]),
      summary: z.string(),
      findings: z.array(findingFact),
      cases: z.int(),
      startedAt: z.string(),
      finishedAt: z.string(),
      durationMs: z.number(),
    }),
  ),
  evidence: z.object({ digest: z.string(), folder: z.string(), files: z.int() }).optional(),
  people: z.array(z.object({ address: z.string(), known: z.boolean(), changes: z.int() })).optional(),
  /** Why what was judged cannot be registered as it stands; empty when it can. */
  notRegistrable: z.array(z.string()),
});
export type CheckReport = z.infer<typeof checkReport>;
