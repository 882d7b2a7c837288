import { rollbackEndpointProblem } from "../ledger/endpoints.ts";
import { rollbackProblem } from "../ledger/fits.ts";
import type { EntryOf, LineState, Started } from "../ledger/line-state.ts";
import { lineState } from "../ledger/line-state.ts";
import type { LedgerView } from "../ledger/view.ts";
import { against } from "./audit-bundles.ts";
import { auditEvidence } from "./audit-evidence.ts";
import type { Finding } from "./finding.ts";
import type { ObjectSource } from "./object-source.ts";

type View = Pick<LedgerView, "entries" | "policyAt">;

/** What speaks against an entry that began something and was not ended by its effect; empty when the rules allowed it. */
export type JudgeStart = (start: Started) => Promise<readonly Finding[]>;

const REFUSED =
  "the rules of that time did not allow it: look at the registry, and find out who wrote it, and with which program";

/** Decides starts again, each once. */
export function startJudge(view: View, source: ObjectSource): JudgeStart {
  const known = new Map<number, Promise<readonly Finding[]>>();
  return (start) => {
    const judged = known.get(start.seq) ?? judgeStart(start, view, source);
    known.set(start.seq, judged);
    return judged;
  };
}

/** What is begun and not ended: a note each, and what speaks against it. Whoever only begins has no bundle to be told by. */
export async function auditOpenStarts(state: LineState, judge: JudgeStart): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const environment of state.environments)
    for (const start of state.environment(environment).open) {
      findings.push({
        part: "ledger",
        verdict: "note",
        environment,
        message: `${environment}: entry ${start.seq} (${start.kind}) of ${start.by}, ${start.at}, is not ended`,
        fix: endOf(environment),
      });
      findings.push(...(await judge(start)));
    }
  return findings;
}

/** What to do about something begun. Pure. */
export function endOf(environment: string): string {
  return `run the same command again: it carries on; or end it: factory promote --abandon --to ${environment} --reason "WHY"`;
}

async function judgeStart(start: Started, view: View, source: ObjectSource): Promise<Finding[]> {
  const { environment } = start.body;
  const what = `entry ${start.seq} (${start.kind} in ${environment}) of ${start.by}`;
  const finding = (verdict: Finding["verdict"], message: string, fix = REFUSED): Finding => ({
    part: "ledger",
    verdict,
    environment,
    message: `${what}: ${message}`,
    fix,
  });
  if (start.kind === "rollback.started") {
    const why = refusedRollback(start, lineState(view.entries.slice(0, start.seq - 1)));
    return why === undefined ? [] : [finding("no", why)];
  }
  const evidence = await evidenceFor(start, view, source);
  // Without its evidence the other rules say no more than that it is missing.
  if (evidence.findings.length > 0)
    return evidence.findings.map((each) => finding(each.verdict, each.message, each.fix));
  const again = await against(start, view, source, evidence.environment);
  return again.map(({ rule, why, verdict }) => finding(verdict, `decided again, ${rule}: ${why}`));
}

/** A start brings no evidence to its environment before it is carried out: the environments before it have it too. */
async function evidenceFor(
  { seq, body }: EntryOf<"promotion.started" | "release.started">,
  view: View,
  source: ObjectSource,
): Promise<{ environment: string; findings: readonly Finding[] }> {
  const listed = view.policyAt(seq)?.policy.environments.map((each) => each.name) ?? [];
  let first: { environment: string; findings: readonly Finding[] } | undefined;
  for (const environment of new Set([body.environment, ...listed])) {
    const { findings } = await auditEvidence(body.evidence, environment, view, source);
    const here = { environment, findings };
    if (findings.length === 0) return here;
    first ??= here;
  }
  return first ?? { environment: body.environment, findings: [] };
}

/** Why a rollback goes where none could go, or from what does not serve; undefined when it could. Pure. */
export function refusedRollback({ body }: EntryOf<"rollback.started">, before: LineState): string | undefined {
  const here = before.environment(body.environment);
  const misfit = rollbackProblem(here, body) ?? rollbackEndpointProblem(here, body);
  return misfit && `it ${misfit}`;
}
