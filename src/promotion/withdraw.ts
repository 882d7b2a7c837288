import type { Fact } from "../ledger/entry.ts";
import type { EntryOf, LineState } from "../ledger/line-state.ts";
import type { Actor } from "../ledger/open-ledger.ts";
import { changedError, usageError } from "../lib/error.ts";
import { appendOnLine } from "../line/append.ts";
import type { Line } from "../line/line.ts";
import { identityOfKey } from "../policy/identity.ts";
import { readApproval } from "./facts-of-approvals.ts";

export interface Withdrawal {
  approval: EntryOf<"approved">;
  environment: string;
  approver: string;
}

/** Approvals of a candidate for an environment that are not withdrawn, by whoever they are. Pure. */
export function standingApprovals(state: LineState, digest: string, environment: string): Withdrawal[] {
  return state.approvals.flatMap(({ entry, withdrawn }) => {
    if (withdrawn !== undefined) return [];
    const approval = readApproval(entry.body.envelope);
    return approval?.digest === digest && approval.environment === environment
      ? [{ approval: entry, environment, approver: entry.by }]
      : [];
  });
}

/** What this key may take back: one's own approvals; a policy owner anyone's. `refused` says why nothing. Pure. */
export function planWithdrawal(
  line: Pick<Line, "policy">,
  found: readonly Withdrawal[],
  keyId: string,
  at: Date,
): { by: string; approvals: Withdrawal[] } | { refused: string } {
  if (!line.policy.known) throw usageError("policy.none", line.policy.why, line.policy.fix);
  const { policy } = line.policy.value.inForce;
  const identity = identityOfKey(policy, keyId, at);
  if ("problem" in identity) return { refused: identity.problem };
  const isOwner = (policy.roles["policy-owner"] ?? []).includes(identity.address);
  const mine = found.filter((each) => isOwner || each.approver === identity.address);
  if (mine.length > 0) return { by: identity.address, approvals: mine };
  return {
    refused:
      found.length === 0
        ? "there is no approval that stands"
        : `only ${[...new Set(found.map((each) => each.approver))].join(", ")} or a policy owner can take it back`,
  };
}

/** Signs the withdrawals. Throws exit 5 when the ledger moved meanwhile: nothing was written. */
export async function withdraw(
  line: Line,
  approvals: readonly Withdrawal[],
  reason: string,
  actor: Actor,
  at: Date,
): Promise<EntryOf<"approval.withdrawn">[]> {
  const facts = approvals.map((each): Fact => {
    return { kind: "approval.withdrawn", body: { approval: each.approval.hash, reason } };
  });
  const entries = await appendOnLine(line, facts, actor, at);
  if (entries === undefined)
    throw changedError("ledger.moved", "the ledger moved while this was withdrawn", "run the same command again");
  return entries.flatMap((entry) => (entry.kind === "approval.withdrawn" ? [entry] : []));
}
