import type { GateName } from "../policy/policy.ts";

/** `error`: could not tell. `not-evaluated`: left out, or what it needs did not come about. Neither is ever a pass. */
export type Verdict = "pass" | "fail" | "error" | "not-evaluated";

/** One thing that a gate found, in a person's words. */
export interface Finding {
  message: string;
  /** `file:line`, or another place a person can go to. */
  where?: string;
  /** A figure or an example beside the message. */
  detail?: string;
  fix?: string;
}

/** A file that a gate left for the evidence. */
export interface GateFile {
  /** Path inside the evidence, `unit/junit.xml`. */
  name: string;
  /** The very bytes that were judged: project code that runs later must not change what the evidence shows. */
  content: string | Uint8Array;
  mediaType: string;
}

export interface GateResult {
  gate: GateName;
  verdict: Verdict;
  /** One line: what was looked at, and how much of it. */
  summary: string;
  findings: Finding[];
  /** How many cases, checks or files the verdict rests on. */
  cases: number;
  startedAt: string;
  finishedAt: string;
  durationMs: number;
  files: GateFile[];
}

export type Outcome = Pick<GateResult, "verdict" | "summary"> &
  Partial<Pick<GateResult, "findings" | "cases" | "files">>;

/** The verdict on all gates: any fail is "no"; without one, any error is "could not tell". */
export function overall(results: readonly GateResult[]): "pass" | "fail" | "error" {
  if (results.some((result) => result.verdict === "fail")) return "fail";
  if (results.some((result) => result.verdict === "error")) return "error";
  return results.some((result) => result.verdict === "pass") ? "pass" : "fail";
}

/** Where a gate runs and what it may use. */
export interface GateSetting {
  /** The project's folder. */
  folder: string;
  /** A fresh, empty folder of this gate alone. */
  work: string;
  /** Environment of children; holds no key and no token. */
  childEnvironment: Readonly<Record<string, string>>;
  timeoutMs: number;
  signal: AbortSignal;
  /** Called while it works, with a word on what. */
  progress(detail: string): void;
}
