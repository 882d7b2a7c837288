import { planBundle } from "../evidence/bundle.ts";
import type { PlannedBundle } from "../evidence/bundle-index.ts";
import { type Decision, decisionStatement } from "../evidence/decision.ts";
import { envelopeDigest, signStatement } from "../evidence/signed-statement.ts";
import type { Entry, EntryBody } from "../ledger/entry.ts";
import type { Actor } from "../ledger/open-ledger.ts";
import type { Envelope } from "../lib/dsse.ts";
import { outsideError } from "../lib/error.ts";
import type { PolicyRecord } from "../policy/policy-record.ts";

/** The policy record that was in force when an entry was written: the last one before it in the chain. Throws exit 4 without one. */
export function policyRecordAt(entries: readonly Entry[], seq: number): PolicyRecord {
  const entry = entries.findLast(
    (each) => each.seq < seq && (each.kind === "opened" || each.kind === "policy.adopted"),
  );
  if (entry?.kind === "opened" || entry?.kind === "policy.adopted") return entry.body.policy;
  throw outsideError("ledger.policy", "the ledger holds no policy before this entry");
}

/**
 * The bundle of one step: its decision, signed, with the approvals and the policy that it rests on. Everything follows from the
 * started entry, so that a step that is carried on by the same signer makes the same bundle. Pure but for the signature.
 */
export function decisionBundle(
  started: Entry & { body: { approvals?: readonly string[] } },
  decision: Omit<Decision, "by" | "at" | "approvals" | "seen">,
  parts: { manifest: string; entries: readonly Entry[] },
  actor: Actor,
): PlannedBundle {
  const approvals = (started.body.approvals ?? []).map((hash) => approvalIn(parts.entries, hash));
  const statement = decisionStatement({
    ...decision,
    by: actor.by,
    at: started.at,
    approvals: approvals.map(envelopeDigest),
    seen: `${started.seq - 1}:${started.prev}`,
  });
  return planBundle({
    evidence: decision.evidence,
    manifest: parts.manifest,
    approvals,
    decision: signStatement(statement, actor.signer),
    policy: policyRecordAt(parts.entries, started.seq),
  });
}

/** What was decided when a model moved up or was let serve: all of it stands in the entry that started the step. */
export function decisionOf(
  action: "promote" | "release",
  body: EntryBody<"promotion.started"> | EntryBody<"release.started">,
  names: Pick<Decision, "model" | "project" | "factory">,
): Parameters<typeof decisionBundle>[1] {
  const { digest, environment, policy, rules, evidence, ticket, verdicts } = body;
  return { action, ...names, digest, environment, policy, rules, evidence, ticket, verdicts };
}

function approvalIn(entries: readonly Entry[], hash: string): Envelope {
  const entry = entries.find((each) => each.hash === hash);
  if (entry?.kind !== "approved")
    throw outsideError("ledger.approval", `the ledger holds no approval ${hash.slice(0, 12)}…`);
  return entry.body.envelope;
}
