import { type EntryOf, type LineState, lineState } from "../ledger/line-state.ts";
import type { Actor } from "../ledger/open-ledger.ts";
import { usageError } from "../lib/error.ts";
import { identityOfKey } from "../policy/identity.ts";
import { appendOn, changed } from "./append.ts";
import { readApproval } from "./facts-of-approvals.ts";
import type { Line } from "./line.ts";

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

/**
 * Takes back one's own approvals of a candidate; a policy owner may take back anyone's. `refused` says why not. The ledger may
 * move meanwhile: withdrawing is right on any head.
 */
export async function withdraw(
  line: Line,
  found: readonly Withdrawal[],
  reason: string,
  actor: Omit<Actor, "by">,
  at: Date,
): Promise<{ withdrawn: EntryOf<"approval.withdrawn">[] } | { refused: string }> {
  if (!line.policy.known) throw usageError("policy.none", line.policy.why, line.policy.fix);
  const { policy } = line.policy.value.inForce;
  const identity = identityOfKey(policy, actor.signer.keyId, at);
  if ("problem" in identity) return { refused: identity.problem };
  const isOwner = (policy.roles["policy-owner"] ?? []).includes(identity.address);
  const mine = found.filter((each) => isOwner || each.approver === identity.address);
  if (mine.length === 0)
    return {
      refused:
        found.length === 0
          ? "there is no approval that stands"
          : `only ${found.map((each) => each.approver).join(", ")} or a policy owner can take it back`,
    };
  const withdrawn: EntryOf<"approval.withdrawn">[] = [];
  let { head } = line.view;
  let first = line.first;
  for (const each of mine) {
    const entries = await appendOn(
      line.ledger,
      [
        ...(first === undefined ? [] : [first]),
        { kind: "approval.withdrawn", body: { approval: each.approval.hash, reason } },
      ],
      { by: identity.address, signer: actor.signer },
      head,
      at,
    );
    const entry = entries?.at(-1);
    if (entry?.kind !== "approval.withdrawn") {
      const later = await line.ledger.view();
      if (lineState(later.entries).approvals.some((one) => one.entry.hash === each.approval.hash && one.withdrawn))
        continue;
      throw changed("ledger.moved", "the ledger moved while this was withdrawn", "run the same command again");
    }
    withdrawn.push(entry);
    first = undefined;
    head = { seq: entry.seq, hash: entry.hash };
  }
  return { withdrawn };
}
