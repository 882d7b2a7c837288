import { type Envelope, envelopeLine, signEnvelope } from "../lib/dsse.ts";
import { FactoryError } from "../lib/error.ts";
import { fileError } from "../lib/file-error.ts";
import { writeFileAtomic } from "../lib/files.ts";
import { acquireLock } from "../lib/lock.ts";
import type { Signer } from "../lib/signing.ts";
import { countSignatures, OWNER_ROLE, ownerOfKey, ownersOf, type SignatureCount } from "./count-signatures.ts";
import { openPolicyFile, type PolicyFile } from "./find-policy.ts";
import { lockout, notLater, type PolicyInForce } from "./in-force.ts";
import { policyOfEnvelope, policyStatement } from "./policy-statement.ts";

/** What a signature would do; or why this signer may not give it, and who may. */
export type SignaturePlan =
  | {
      allowed: true;
      /** Whose signature it is. */
      owner: string;
      /** Lines of the file that stay. */
      kept: readonly Envelope[];
      /** Lines that speak of other bytes and go, one reason each. */
      dropped: readonly string[];
      /** Owners whose signature counts afterwards, sorted. */
      owners: readonly string[];
      quorum: number;
      /** How many are missing afterwards. */
      missing: number;
    }
  | { allowed: false; why: string; fix: string };

/** The policy in force; undefined: the ledger says that none is. */
export type AskedPolicy = PolicyInForce | undefined | "not asked";

/**
 * Whether the holder of a key may sign a policy file, and what its signatures are afterwards. Owners are those of the policy in
 * force; of the file itself when none is. Pure.
 */
export function planSignature(
  file: Pick<PolicyFile, "policy" | "digest" | "text" | "signatures">,
  asked: AskedPolicy,
  keyId: string,
  at: Date,
): SignaturePlan {
  const inForce = asked === "not asked" ? undefined : asked;
  const late = notLater(inForce, file);
  if (late !== undefined)
    return {
      allowed: false,
      why: late,
      fix: inForce?.digest === file.digest ? "there is nothing to sign" : "raise version in policy.yaml, then sign",
    };
  const locked = lockout(file.policy, at);
  if (locked !== undefined)
    return {
      allowed: false,
      why: locked,
      fix: `name owners under roles.${OWNER_ROLE}, and their keys under people (factory keys new)`,
    };
  const judge = inForce?.policy ?? file.policy;
  const owners = ownersOf(judge);
  const owner = ownerOfKey(judge, keyId, at);
  if (typeof owner !== "string") {
    const whose = inForce === undefined ? "the policy" : `policy v${inForce.version}, which is in force`;
    return {
      allowed: false,
      why: `${owner.problem} (by ${whose})`,
      fix: `one of these may sign: ${owners.join(", ")}`,
    };
  }
  // Where no ledger was asked what is in force, signatures are: what enough owners signed may be.
  const taken = asked === "not asked" ? othersOfVersion(file, at) : undefined;
  if (taken !== undefined)
    return {
      allowed: false,
      why: `${taken.join(", ")} signed other bytes as v${file.policy.version}, which may be in force`,
      fix: "raise version in policy.yaml, then sign",
    };
  const count = countSignatures(file, file.signatures, judge, at);
  if (count.owners.includes(owner))
    return { allowed: false, why: `${owner} has signed this version already`, fix: whatIsLeft(count, owners) };
  const signed = [...count.owners, owner].sort();
  return {
    allowed: true,
    owner,
    ...keptOf(file.signatures, file.digest),
    owners: signed,
    quorum: count.quorum,
    missing: Math.max(0, count.quorum - signed.length),
  };
}

/**
 * Signs a policy file and writes the line beside it, under a lock, whole or not at all. What was planned is planned again on
 * what lies there now. Throws exit 5 when the policy's bytes are no longer those that were shown.
 */
export async function signPolicy(
  shown: Pick<PolicyFile, "path" | "digest">,
  asked: AskedPolicy,
  signer: Signer,
  at: Date,
  signal?: AbortSignal,
): Promise<SignaturePlan> {
  const { signaturesPath } = openPolicyFile(shown.path);
  const lock = { path: `${signaturesPath}.lock`, what: `the signatures of ${shown.path}`, waitMs: 10_000 };
  const release = await acquireLock({ ...lock, ...(signal !== undefined && { signal }) }).catch((thrown: unknown) => {
    throw fileError(thrown, lock.path);
  });
  try {
    const file = openPolicyFile(shown.path);
    if (file.digest !== shown.digest)
      throw new FactoryError("policy.changed", 5, `${shown.path} was changed while it was being signed`, {
        hint: "read it again, then sign: factory policy sign",
      });
    const plan = planSignature(file, asked, signer.keyId, at);
    if (!plan.allowed) return plan;
    const envelope = signEnvelope(policyStatement(file.policy, file.digest), signer);
    try {
      writeFileAtomic(signaturesPath, [...plan.kept, envelope].map(envelopeLine).join(""));
    } catch (thrown) {
      throw fileError(thrown, signaturesPath);
    }
    return plan;
  } finally {
    release();
  }
}

/** The owners of a quorum that signed other bytes under the version that this file has; undefined when there is none. */
function othersOfVersion(
  { policy, digest, signatures }: Pick<PolicyFile, "policy" | "digest" | "signatures">,
  at: Date,
): readonly string[] | undefined {
  const digests = new Set(
    signatures.flatMap((each) => {
      const about = policyOfEnvelope(each);
      return "problem" in about || about.digest === digest ? [] : [about.digest];
    }),
  );
  return [...digests]
    .map((other) => countSignatures({ policy, digest: other }, signatures, policy, at))
    .find(({ owners, quorum }) => owners.length >= quorum)?.owners;
}

function keptOf(signatures: readonly Envelope[], digest: string): { kept: Envelope[]; dropped: string[] } {
  const kept: Envelope[] = [];
  const dropped: string[] = [];
  for (const envelope of signatures) {
    const about = policyOfEnvelope(envelope);
    if ("problem" in about) dropped.push(about.problem);
    else if (about.digest !== digest)
      dropped.push(`a signature over other bytes (sha256:${about.digest.slice(0, 12)}…)`);
    else kept.push(envelope);
  }
  return { kept, dropped };
}

function whatIsLeft({ owners, quorum }: SignatureCount, all: readonly string[]): string {
  const missing = quorum - owners.length;
  if (missing <= 0) return "it is signed by enough owners";
  return `${missing} more must sign, of: ${all.filter((each) => !owners.includes(each)).join(", ")}`;
}
