import { type Approval, parseApproval } from "../evidence/approval.ts";
import type { Entry } from "../ledger/entry.ts";
import type { EntryOf, LineState } from "../ledger/line-state.ts";
import { FactoryError } from "../lib/error.ts";
import { membersOf } from "../policy/members.ts";
import type { Policy } from "../policy/policy.ts";
import { approvalsOf } from "../promotion/facts-of-approvals.ts";

/** An approval as its entry says it. */
export interface GivenApproval extends Approval {
  seq: number;
  /** When its entry was signed. */
  at: string;
}

/** What an entry approves; undefined when its envelope holds no approval. Its signature was verified with the chain. Pure. */
export function approvalIn(entry: EntryOf<"approved">): GivenApproval | undefined {
  try {
    return { ...parseApproval(Buffer.from(entry.body.envelope.payload, "base64")), seq: entry.seq, at: entry.at };
  } catch (error) {
    if (error instanceof FactoryError) return undefined;
    throw error;
  }
}

/** The approvals that an entry rests on, by the hashes that it names. Pure. */
export function approvalsBehind(entries: readonly Entry[], hashes: readonly string[]): GivenApproval[] {
  return hashes.flatMap((hash) => {
    const entry = entries.find((each) => each.hash === hash);
    return (entry?.kind === "approved" ? approvalIn(entry) : undefined) ?? [];
  });
}

/**
 * Approvals that still count at a moment, in the order of the chain: neither withdrawn nor ended, not given before a rollback of
 * those bytes in that environment, over the evidence that counts, which is the newest that was registered of them, and by a key
 * and in a role that the policy still gives the approver. Whether the rules are the same still, the ledger cannot say. Pure.
 */
export function standingApprovals(state: LineState, policy: Policy | undefined, now: Date): GivenApproval[] {
  const lost = policy === undefined ? [] : lostApprovals(state, policy);
  return state.approvals.flatMap(({ entry, withdrawn }) => {
    const approval = withdrawn === undefined && !lost.includes(entry.seq) ? approvalIn(entry) : undefined;
    if (approval === undefined || new Date(approval.notAfter) <= now) return [];
    return rolledBackSince(state, approval) || newestEvidence(state, approval) !== approval.evidence ? [] : [approval];
  });
}

/** Numbers of the entries whose approver has lost the key or the role since. */
function lostApprovals(state: LineState, policy: Policy): number[] {
  return approvalsOf({ state }, policy).flatMap(({ seq, by, approval: { role, project } }) =>
    "problem" in by || !membersOf(policy, role, project).includes(by.address) ? [seq] : [],
  );
}

function rolledBackSince(state: LineState, { environment, digest, seq }: GivenApproval): boolean {
  return state
    .environment(environment)
    .served.some(({ entry }) => entry.kind === "rolledback" && entry.seq > seq && entry.body.digest === digest);
}

function newestEvidence(state: LineState, { model, digest }: GivenApproval): string | undefined {
  return state.registered.findLast(({ body }) => body.digest === digest && body.model === model)?.body.evidence;
}
