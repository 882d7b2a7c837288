import { type Bundle, readBundle } from "../evidence/bundle.ts";
import { bundleContext } from "../evidence/bundle-in-ledger.ts";
import { BUNDLE_FILE } from "../evidence/bundle-index.ts";
import type { Decision } from "../evidence/decision.ts";
import { INDEX_FILE } from "../evidence/evidence-index.ts";
import { envelopeDigest } from "../evidence/signed-statement.ts";
import { verifyBundle } from "../evidence/verify-bundle.ts";
import type { Entry } from "../ledger/entry.ts";
import type { EntryOf, Started } from "../ledger/line-state.ts";
import type { LedgerView } from "../ledger/view.ts";
import { FactoryError } from "../lib/error.ts";
import { auditEvidence, type EvidenceAudit } from "./audit-evidence.ts";
import { type Against, decideAgain } from "./decide-again.ts";
import type { Finding } from "./finding.ts";
import type { ObjectSource } from "./object-source.ts";

type View = Pick<LedgerView, "entries" | "policyAt">;
/** An entry that names a bundle. */
export type Decided = EntryOf<"promoted" | "released" | "rolledback">;

export interface BundlesAudit {
  /** How many the ledger names. */
  named: number;
  /** Of which everything holds, the evidence included. */
  good: number;
  /** Evidences that they name, each once. */
  evidence: number;
  findings: Finding[];
}

/** Entries that name a bundle, in the order of the chain. Pure. */
function decidedEntries(entries: readonly Entry[]): Decided[] {
  return entries.filter(
    (each): each is Decided => each.kind === "promoted" || each.kind === "released" || each.kind === "rolledback",
  );
}

/**
 * Verifies every bundle that a chain names, and the evidence that each names, against the chain. `setAside`: numbers of entries that do
 * not fit and were looked into: what they name need not be there.
 */
export async function auditBundles(
  view: View,
  source: ObjectSource,
  setAside: ReadonlySet<number>,
  advance: (done: number) => void = () => {},
): Promise<BundlesAudit> {
  const findings: Finding[] = [];
  const evidence = new Map<string, EvidenceAudit>();
  let named = 0;
  let good = 0;
  for (const entry of decidedEntries(view.entries)) {
    if (setAside.has(entry.seq)) continue;
    const { bundle: digest, environment } = entry.body;
    if (digest === undefined) {
      findings.push({
        part: "bundles",
        verdict: "note",
        environment,
        message: `entry ${entry.seq} (rolledback) has no bundle${whyNone(entry)}; the ledger has the decision`,
      });
      continue;
    }
    named++;
    const found = await auditBundle(entry, digest, view, source, evidence);
    if (found.length === 0) good++;
    findings.push(...found.map((each) => ({ ...each, environment })));
    advance(named);
  }
  return { named, good, evidence: evidence.size, findings };
}

/** What the entry itself tells of it. Only a rollback may go without: nothing must keep it from happening. */
function whyNone(entry: Decided): string {
  const moment = entry.kind === "rolledback" ? entry.body.effectiveAt : undefined;
  return moment === undefined ? "" : `: the rollback was made without the ledger, at ${moment}, and recorded later`;
}

async function auditBundle(
  entry: Decided,
  digest: string,
  view: View,
  source: ObjectSource,
  known: Map<string, EvidenceAudit>,
): Promise<Finding[]> {
  const { environment } = entry.body;
  const what = `bundle sha256:${digest.slice(0, 12)}… of entry ${entry.seq} (${entry.kind} in ${environment})`;
  const flaw = (message: string): Finding => ({
    part: "bundles",
    verdict: "no",
    message: `${what}: ${message}`,
    fix: "what this entry rests on cannot be shown any more: look for another copy of it, and find out who changed it",
  });
  const obtained = await source.get(digest, BUNDLE_FILE, environment);
  if (!("folder" in obtained)) {
    const { verdict, why, cause, fix } = obtained;
    const missing = cause === undefined ? undefined : { entry: entry.seq, cause };
    const message = `${what}: ${why}`;
    return [{ part: "bundles", verdict, message, ...(missing && { missing }), ...(fix !== undefined && { fix }) }];
  }
  const bundle = await reading(() => readBundle(obtained.folder, digest));
  if ("problem" in bundle) return [flaw(bundle.problem)];
  const { decision, flaws } = verifyBundle(bundle.value, bundleContext(view, entry));
  const findings = flaws.map(({ message }) => flaw(message));
  if (decision === undefined) return findings;
  findings.push(...differences(decision, bundle.value, entry, view).map(flaw));
  const audit =
    known.get(bundle.value.evidence) ?? (await auditEvidence(bundle.value.evidence, environment, view, source));
  known.set(bundle.value.evidence, audit);
  if (audit.model !== undefined && audit.model !== decision.digest)
    findings.push(flaw(`its evidence is about sha256:${audit.model}, its decision about sha256:${decision.digest}`));
  findings.push(...audit.findings.map((each) => ({ ...each, message: `${what}: ${each.message}` })));
  const begun = beginOf(entry, view);
  if (audit.findings.length > 0 || begun === undefined || begun.kind === "rollback.started") return findings;
  const again = await against(begun, view, source, environment);
  return [
    ...findings,
    ...again.map(({ rule, why, verdict }) => ({ ...flaw(`decided again, ${rule}: ${why}`), verdict, fix: AGAIN })),
  ];
}

const AGAIN = "the rules of that time did not allow it: find out who decided, and with which program";

/** What speaks against a decision. Who signed the evidence, the environment's store knows better than the cache. */
export async function against(
  begun: EntryOf<"promotion.started" | "release.started">,
  view: View,
  source: ObjectSource,
  /** Whose store has the evidence. */
  environment: string,
): Promise<(Against & { verdict: Finding["verdict"] })[]> {
  const first = await decideAgain(begun, view, source.cacheFolder);
  if (!first.some(({ rule }) => rule === "evidence signer")) return first.map((each) => ({ ...each, verdict: "no" }));
  if (!("folder" in (await source.fetch(begun.body.evidence, INDEX_FILE, environment))))
    return first.map((each) => ({ ...each, verdict: each.rule === "evidence signer" ? "cannot tell" : "no" }));
  return (await decideAgain(begun, view, source.cacheFolder)).map((each) => ({ ...each, verdict: "no" }));
}

/** Where the decision does not say what the entry that began it says. */
function differences(decision: Decision, bundle: Bundle, entry: Decided, view: View): string[] {
  const started = beginOf(entry, view);
  if (started === undefined) return ["the entry that began it is not in the ledger"];
  const unequal = (name: string, said: string | undefined, ledger: string | undefined): string[] =>
    said === ledger ? [] : [`its ${name} is ${said ?? "none"}, in the ledger ${ledger ?? "none"}`];
  const policy = view.policyAt(started.seq)?.digest;
  return [
    // Whoever carries on what another began signs the decision and the end.
    ...unequal("signer", decision.by, entry.by),
    ...unequal("policy", decision.policy, policy),
    ...unequal("head", decision.seen, `${started.seq - 1}:${started.prev}`),
    ...(started.kind === "rollback.started"
      ? [
          ...unequal("reason", decision.reason, started.body.reason),
          ...unequal("undone release", decision.undoes?.toString(), started.body.undoes?.toString()),
        ]
      : [
          ...unequal("rules", decision.rules, started.body.rules),
          ...unequal("ticket", decision.ticket, started.body.ticket),
          ...unequal("verdicts", JSON.stringify(decision.verdicts), JSON.stringify(started.body.verdicts)),
          ...unequal(
            "list of approvals",
            bundle.approvals.map(envelopeDigest).join(" ") || "empty",
            started.body.approvals.map((hash) => approvalDigest(view.entries, hash)).join(" ") || "empty",
          ),
        ]),
  ];
}

function beginOf(entry: Decided, view: View): Started | undefined {
  return view.entries.find((each): each is Started => each.seq === entry.body.started && isStart(each));
}

function isStart(entry: Entry): entry is Started {
  return entry.kind === "promotion.started" || entry.kind === "release.started" || entry.kind === "rollback.started";
}

function approvalDigest(entries: readonly Entry[], hash: string): string {
  const entry = entries.find((each) => each.hash === hash);
  return entry?.kind === "approved" ? envelopeDigest(entry.body.envelope) : `no approval (${hash.slice(0, 12)}…)`;
}

/** What cannot be read is a finding; a bug is not. */
export async function reading<T>(read: () => Promise<T>): Promise<{ value: T } | { problem: string }> {
  try {
    return { value: await read() };
  } catch (error) {
    if (error instanceof FactoryError) return { problem: error.message };
    throw error;
  }
}
