import { type Envelope, IN_TOTO_PAYLOAD, openEnvelope } from "../lib/dsse.ts";
import { identityOfKey, listedKey } from "./identity.ts";
import type { Policy } from "./policy.ts";
import { policyOfEnvelope, policyStatement } from "./policy-statement.ts";

export const OWNER_ROLE = "policy-owner";

/** As many as a ledger entry takes, and as many as a quorum can ask for. */
const MAX_ENVELOPES = 20;

export interface SignatureCount {
  /** People of role policy-owner whose signature counts, sorted; each once, however many keys they have. */
  owners: readonly string[];
  /** How many of them it takes. */
  quorum: number;
  /** The envelopes that hold their signatures, 20 at most. */
  envelopes: readonly Envelope[];
  /** Why other signatures count for nothing, each reason once. */
  notCounted: readonly string[];
}

/**
 * Which owners signed a policy. Who is an owner, whose key it is and how many it takes is asked of `judge`: the policy that
 * was in force before, or for the first one the policy itself. Pure.
 */
export function countSignatures(
  signed: { policy: Policy; digest: string },
  signatures: readonly Envelope[],
  judge: Policy,
  at: Date,
): SignatureCount {
  const expected = policyStatement(signed.policy, signed.digest);
  const counted = new Map<string, Envelope>();
  const notCounted = new Set<string>();
  for (const envelope of signatures) {
    const wrong = wrongContent(envelope, expected, signed.digest);
    if (wrong !== undefined) {
      notCounted.add(wrong);
      continue;
    }
    const { signedBy } = openEnvelope(envelope, (id) => listedKey(judge, id));
    for (const { keyid } of envelope.signatures) {
      const owner = ownerOfKey(judge, keyid, at);
      if (typeof owner !== "string") notCounted.add(owner.problem);
      else if (!signedBy.includes(keyid)) notCounted.add(`a signature with the key of ${owner} does not hold`);
      else if (!counted.has(owner)) counted.set(owner, envelope);
    }
  }
  return {
    owners: [...counted.keys()].sort(),
    quorum: judge.policyQuorum,
    envelopes: [...new Set(counted.values())].slice(0, MAX_ENVELOPES),
    notCounted: [...notCounted],
  };
}

/** The policy owner whose key this is at a moment, or why it is none. Pure. */
export function ownerOfKey(policy: Policy, keyId: string, at: Date): string | { problem: string } {
  const identity = identityOfKey(policy, keyId, at);
  if ("problem" in identity) return identity;
  const { address, kind } = identity;
  if (kind !== "person") return { problem: `${address} is a ${kind}, which cannot sign a policy` };
  return ownersOf(policy).includes(address) ? address : { problem: `${address} is not in role ${OWNER_ROLE}` };
}

/** Who may sign: the members of role policy-owner, sorted. */
export function ownersOf(policy: Policy): readonly string[] {
  const owners = Object.hasOwn(policy.roles, OWNER_ROLE) ? (policy.roles[OWNER_ROLE] ?? []) : [];
  return [...new Set(owners)].sort();
}

/** Only the very statement that this policy asks for is signed for; a message says what was signed instead. */
function wrongContent(envelope: Envelope, expected: Buffer, digest: string): string | undefined {
  if (envelope.payloadType === IN_TOTO_PAYLOAD && Buffer.from(envelope.payload, "base64").equals(expected))
    return undefined;
  const about = policyOfEnvelope(envelope);
  if ("problem" in about) return about.problem;
  return about.digest === digest
    ? "an envelope names another organisation or version than the policy"
    : `an envelope is signed for other bytes (sha256:${about.digest.slice(0, 12)}…)`;
}
