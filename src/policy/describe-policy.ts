import { countSignatures, ownersOf, type SignatureCount } from "./count-signatures.ts";
import type { PolicyFile } from "./find-policy.ts";
import { type PolicyFileState, type PolicyInForce, policyFileState } from "./in-force.ts";
import { type ProductLineSlots, slotProblem, slotsOf } from "./slots.ts";

export interface PolicyDescription {
  /** What the file is beside what is in force. */
  state: PolicyFileState;
  /** Who signed the file, as those count who may sign it. */
  signatures: SignatureCount;
  /** Who may sign it. */
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

/** What there is to know of a policy file at a moment; `inForce` is what the ledger says, undefined when none is in force. Pure. */
export function describePolicy(file: PolicyFile, inForce: PolicyInForce | undefined, at: Date): PolicyDescription {
  const { policy } = file;
  const judge = inForce?.policy ?? policy;
  return {
    state: policyFileState(inForce, file, at),
    signatures: countSignatures(file, file.signatures, judge, at),
    owners: ownersOf(judge),
    slots: slotsOf(policy),
    projects: Object.entries(policy.projects).map(([name, listed]) => ({
      name,
      ...listed,
      noSlot: slotProblem(policy, name),
    })),
  };
}
