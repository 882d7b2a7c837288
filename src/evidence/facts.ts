import * as z from "zod";
import { commitId } from "../lib/commit-id.ts";

const digest = z.string().regex(/^[0-9a-f]{64}$/, "a SHA-256 in lower-case hex");
const name = z.string().min(1).max(500);
const time = z.iso.datetime();

/** What a gate found, and where; a fix, where it knows one. */
export const findingFact = z.object({
  message: z.string(),
  where: z.string().optional(),
  detail: z.string().optional(),
  fix: z.string().optional(),
});

/** One gate's part of a check: what a gate reports, without the places of its files. */
export const gateFact = z.object({
  gate: name,
  verdict: z.enum(["pass", "fail", "error", "not-evaluated"]),
  /** One line, as on the screen. */
  summary: z.string(),
  findings: z.array(findingFact),
  /** How many cases, checks or files the verdict rests on. */
  cases: z.int().min(0),
  startedAt: time,
  finishedAt: time,
  durationMs: z.number().min(0),
  passedTests: z.array(z.string()).optional(),
  failedTests: z.array(z.string()).optional(),
});
export type GateFact = z.infer<typeof gateFact>;

/** What one check found about one run. Stands whole in every statement, so that each can be judged alone. */
export const evidenceFacts = z.object({
  v: z.literal(1),
  factory: z.object({ version: name }),
  project: name,
  run: z.object({ id: name, experiment: z.string().optional(), tracking: z.string().optional() }),
  model: z.object({ name, digest }),
  commit: commitId.nullable().describe("null: the project is not in git"),
  dirty: z.boolean(),
  rules: z.record(z.string(), digest).describe("rules digest by environment, as it stood"),
  data: z.array(z.object({ path: name, sha256: digest })),
  lock: digest.nullable().describe("SHA-256 of uv.lock"),
  seed: z.int().nullable(),
  train: z.array(z.string()).describe("the training command, in words; or the job that trained"),
  thresholds: z.json().describe("metric rules as checked"),
  champion: z.union([
    z.literal("first release"),
    z.literal("unreadable"),
    z.object({ environment: name, version: z.string(), digest, commit: z.string().nullable() }),
  ]),
  people: z
    .object({
      since: z.string().nullable().describe("commit of the champion; null: the whole history"),
      commits: z.int().min(0),
      people: z.array(z.object({ address: z.string(), known: z.boolean(), changes: z.int().min(1) })),
    })
    .nullable()
    .describe("null: the history is incomplete, so it is not known"),
  trainedAt: z.object({ started: time, finished: time.nullable() }).optional(),
  started: time,
  finished: time,
});
export type EvidenceFacts = z.infer<typeof evidenceFacts>;
