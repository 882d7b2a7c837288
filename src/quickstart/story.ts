import * as z from "zod";
import { checkReport } from "../check/report.ts";

const storyStep = z.object({
  name: z.string(),
  outcome: z.enum(["done", "refused", "failed"]).describe("refused: a no that has to come, and came with exit 3"),
  what: z.string().describe("what came of it, figures as measured; of a refusal its reason"),
  by: z.string().optional().describe("who typed the commands"),
  commands: z.array(z.string()),
  durationMs: z.number(),
});
export type StoryStep = z.infer<typeof storyStep>;

const candidate = z.object({
  run: z.string(),
  digest: z.string(),
  evidence: z.string(),
  auc: z.number().nullable(),
});

/** What quickstart did, in order. Everything after `check` is there only when the first model passed its gates. */
export const story = z.object({
  project: z.string(),
  mlflow: z.string().describe("where the server answered while it ran"),
  steps: z.array(storyStep),
  check: checkReport,
  worse: candidate.extend({ findings: z.array(z.string()) }).optional(),
  versions: z
    .array(candidate.extend({ number: z.string() }))
    .optional()
    .describe("those that were registered"),
  rollback: z.object({ from: z.string(), to: z.string(), detectedToRestoredMs: z.number() }).optional(),
  verified: z.object({ entries: z.int(), bundles: z.int(), champion: z.string() }).optional(),
});
export type Story = z.infer<typeof story>;
