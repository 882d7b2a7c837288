import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { redact, stripControls } from "../lib/redact.ts";
import type { GateName } from "../policy/policy.ts";
import type { Finding, GateResult, GateSetting, Outcome } from "./gate.ts";
import type { PlannedGate } from "./plan-gates.ts";

export type GateEvent =
  | { type: "gate.started"; gate: GateName }
  | { type: "gate.progress"; gate: GateName; detail: string }
  | { type: "gate.finished"; result: GateResult };

/** One function per gate; `before` holds the results of the gates that came earlier. */
export type GateRunners = Record<GateName, (setting: GateSetting, before: readonly GateResult[]) => Promise<Outcome>>;

export interface GateRun {
  plan: readonly PlannedGate[];
  runners: GateRunners;
  folder: string;
  /** Each gate gets a fresh folder in here. */
  work: string;
  childEnvironment: Readonly<Record<string, string>>;
  signal: AbortSignal;
  now(): Date;
  onEvent(event: GateEvent): void;
}

/** Runs the planned gates one after the other. A gate that throws could not tell: an error, and the others still run. */
export async function runGates(run: GateRun): Promise<GateResult[]> {
  const results: GateResult[] = [];
  for (const planned of run.plan) {
    run.signal.throwIfAborted();
    const started = run.now();
    const startedMs = performance.now();
    let outcome: Outcome;
    if (planned.action === "left-out") outcome = { verdict: "not-evaluated", summary: planned.why ?? "" };
    else if (planned.action === "missing")
      outcome = {
        verdict: "fail",
        summary: planned.why ?? "",
        findings: [
          { message: `the gate ${planned.gate} is required`, fix: `add gates.${planned.gate} to factory.yaml` },
        ],
      };
    else outcome = await runOne(run, planned, results);
    const result: GateResult = {
      gate: planned.gate,
      cases: 0,
      files: [],
      ...outcome,
      summary: cleanText(outcome.summary),
      findings: cleanFindings(outcome.findings ?? []),
      startedAt: started.toISOString(),
      finishedAt: run.now().toISOString(),
      durationMs: Math.round(performance.now() - startedMs),
    };
    results.push(result);
    run.onEvent({ type: "gate.finished", result });
  }
  return results;
}

const MAX_FINDINGS = 500;
const MAX_TEXT = 4000;

/** Findings quote what project code printed and data holds: bounded, without secrets and control sequences, before they are sealed. */
function cleanFindings(findings: readonly Finding[]): Finding[] {
  const kept = findings.slice(0, MAX_FINDINGS).map(({ message, where, detail, fix }) => ({
    message: cleanText(message),
    ...(where !== undefined && { where: cleanText(where) }),
    ...(detail !== undefined && { detail: cleanText(detail) }),
    ...(fix !== undefined && { fix: cleanText(fix) }),
  }));
  return findings.length > MAX_FINDINGS ? [...kept, { message: `and ${findings.length - MAX_FINDINGS} more` }] : kept;
}

function cleanText(text: string): string {
  const cleaned = redact(stripControls(text.slice(0, 2 * MAX_TEXT)));
  return cleaned.length > MAX_TEXT ? `${cleaned.slice(0, MAX_TEXT)}…`.toWellFormed() : cleaned;
}

async function runOne(run: GateRun, planned: PlannedGate, before: readonly GateResult[]): Promise<Outcome> {
  run.onEvent({ type: "gate.started", gate: planned.gate });
  const work = join(run.work, planned.gate);
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true, mode: 0o700 });
  const setting: GateSetting = {
    folder: run.folder,
    work,
    childEnvironment: run.childEnvironment,
    timeoutMs: planned.timeoutMs,
    signal: run.signal,
    progress: (detail) => run.onEvent({ type: "gate.progress", gate: planned.gate, detail }),
  };
  try {
    return await run.runners[planned.gate](setting, before);
  } catch (error) {
    if (run.signal.aborted) throw error;
    const message = error instanceof Error ? error.message : String(error);
    const fix = error instanceof Error && "hint" in error && typeof error.hint === "string" ? { fix: error.hint } : {};
    const problems =
      error instanceof Error && "problems" in error && Array.isArray(error.problems) ? error.problems : [];
    return {
      verdict: "error",
      summary: message,
      findings:
        problems.length === 0
          ? [{ message, ...fix }]
          : problems.map((each) => ({
              message: String(each.message),
              ...(each.file ? { where: `${each.file}${each.line ? `:${each.line}` : ""}` } : {}),
              ...(each.hint ? { fix: String(each.hint) } : {}),
            })),
    };
  }
}
