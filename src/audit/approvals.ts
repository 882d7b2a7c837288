import { type Approval, parseApproval } from "../evidence/approval.ts";
import type { Entry } from "../ledger/entry.ts";
import type { EntryOf, LineState } from "../ledger/line-state.ts";
import { FactoryError } from "../lib/error.ts";

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

/** Approvals that were neither withdrawn nor have ended at a moment, in the order of the chain. Pure. */
export function standingApprovals(state: LineState, now: Date): GivenApproval[] {
  return state.approvals.flatMap(({ entry, withdrawn }) => {
    const approval = withdrawn === undefined ? approvalIn(entry) : undefined;
    return approval !== undefined && new Date(approval.notAfter) > now ? [approval] : [];
  });
}
