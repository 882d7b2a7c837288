import type { Policy } from "./policy.ts";
import type { PolicyRecord } from "./policy-record.ts";

/** A policy that counts: its owners signed it, and the ledger says so. */
export interface PolicyInForce {
  policy: Policy;
  digest: string;
  version: number;
  text: string;
}

/**
 * What is in force after a ledger entry brought a policy. The first one must be signed by the quorum of owners that it names
 * itself; a later one needs a higher version and a quorum of the owners named in the one before it. Pure.
 */
export declare function policyAfter(
  current: PolicyInForce | undefined,
  record: PolicyRecord,
  at: Date,
): { inForce: PolicyInForce } | { problem: string };
