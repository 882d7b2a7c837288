import { countSignatures, ownersOf, type SignatureCount } from "./count-signatures.ts";
import type { PolicyFile } from "./find-policy.ts";
import { type PolicyFileState, type PolicyInForce, policyFileState } from "./in-force.ts";
import { type ProductLineSlots, slotProblem, slotsOf } from "./slots.ts";

export interface PolicyDescription {
  /** What the file is beside what is in force. */
  state: PolicyFileState;
  /** Who signed the file, as those counted who might; and how many it takes to sign what comes after it, or it. */
  signatures: SignatureCount;
  /** Who may sign what comes after it; while it is not in force, who may sign it. */
  owners: readonly string[];
  slots: readonly ProductLineSlots[];
  projects: readonly {
    name: string;
    productLine: string;
    riskTier: string;
    owner: string;
    /** Why it has no slot. */
    noSlot: string | undefined;
  }[];
}

/** What a ledger says of the policy in force: the one before it, and when it came. */
export interface InForceSince {
  inForce: PolicyInForce | undefined;
  before: PolicyInForce | undefined;
  since: { at: string } | undefined;
}

/** What there is to know of a policy file at a moment; `ledger`: what it says, undefined when none was asked. Pure. */
export function describePolicy(file: PolicyFile, ledger: InForceSince | undefined, now: Date): PolicyDescription {
  const { policy } = file;
  const inForce = ledger?.inForce;
  const judge = inForce?.policy ?? policy;
  const state = policyFileState(inForce, file, now);
  // What is in force was signed by the owners before it, of whom some may have left with it.
  const [signedFor, at] =
    state === "same" && ledger?.since !== undefined
      ? [ledger.before?.policy ?? policy, new Date(ledger.since.at)]
      : [judge, now];
  return {
    state,
    signatures: { ...countSignatures(file, file.signatures, signedFor, at), quorum: judge.policyQuorum },
    owners: ownersOf(judge),
    slots: slotsOf(policy),
    projects: Object.entries(policy.projects).map(([name, listed]) => ({
      name,
      ...listed,
      noSlot: slotProblem(policy, name),
    })),
  };
}
