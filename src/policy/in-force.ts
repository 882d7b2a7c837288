import type { Envelope } from "../lib/dsse.ts";
import { FactoryError } from "../lib/error.ts";
import { sha256 } from "../lib/hash.ts";
import { countSignatures, ownersOf, type SignatureCount } from "./count-signatures.ts";
import { policyDifference } from "./difference.ts";
import { localDate } from "./local-time.ts";
import { parsePolicy } from "./parse-policy.ts";
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
export function policyAfter(
  current: PolicyInForce | undefined,
  record: PolicyRecord,
  at: Date,
): { inForce: PolicyInForce } | { problem: string } {
  const read = readRecord(record);
  if ("problem" in read) return read;
  const { policy } = read;
  const late = notLater(current, read);
  if (late !== undefined) return { problem: late };
  const count = countSignatures(read, record.signatures, current?.policy ?? policy, at);
  const unfit = tooFew(count) ?? lockout(policy, at);
  return unfit === undefined
    ? { inForce: { policy, digest: read.digest, version: policy.version, text: read.text } }
    : { problem: unfit };
}

/** `same`: the file is what is in force. `adopt`: the next writing command may adopt it. Else why not, and who can help. */
export type PolicyFileState =
  | "same"
  | { adopt: PolicyRecord }
  | {
      problem: string;
      /** Owners whose signature would count and is not there yet; of the policy in force, or of the file when none is. */
      maySign: readonly string[];
      /** How the file differs from the policy in force, a line for each key; empty when none is in force. */
      difference: readonly string[];
    };

/**
 * What a policy file is beside the policy in force: the same, a later one that its owners signed, or neither. `signatures` are
 * the envelopes of `policy.sigs.jsonl`. `at` is the moment of the decision. Pure; a file that does not parse throws exit 2.
 */
export function policyFileState(
  inForce: PolicyInForce | undefined,
  file: { text: string; signatures: readonly Envelope[] },
  at: Date,
): PolicyFileState {
  const digest = sha256(file.text);
  if (inForce !== undefined && inForce.digest === digest && inForce.text === file.text) return "same";
  const policy = parsePolicy(file.text, "policy.yaml");
  const judge = inForce?.policy ?? policy;
  const count = countSignatures({ policy, digest }, file.signatures, judge, at);
  const problem = notLater(inForce, { policy, digest, text: file.text }) ?? tooFew(count) ?? lockout(policy, at);
  if (problem === undefined)
    return { adopt: { digest, version: policy.version, text: file.text, signatures: [...count.envelopes] } };
  return {
    problem,
    maySign: ownersOf(judge).filter((each) => !count.owners.includes(each)),
    difference: inForce === undefined ? [] : policyDifference(inForce.policy, policy),
  };
}

interface ReadRecord {
  policy: Policy;
  digest: string;
  text: string;
}

function readRecord({ digest, version, text }: PolicyRecord): ReadRecord | { problem: string } {
  // A lone surrogate and U+FFFD are the same bytes, so that two texts would share one digest.
  if (!text.isWellFormed()) return { problem: "the text of the policy is not well-formed Unicode" };
  if (sha256(text) !== digest) return { problem: "the text of the policy does not have the digest that is recorded" };
  let policy: Policy;
  try {
    policy = parsePolicy(text, "policy.yaml");
  } catch (thrown) {
    if (!(thrown instanceof FactoryError)) throw thrown;
    const [first] = thrown.problems;
    const where = first?.line === undefined ? "" : `line ${first.line}: `;
    const path = first?.path ? `${first.path}: ` : "";
    return {
      problem: `the policy is not valid: ${first === undefined ? thrown.message : where + path + first.message}`,
    };
  }
  return policy.version === version
    ? { policy, digest, text }
    : { problem: `version ${version} is recorded, and the text of the policy says version ${policy.version}` };
}

/** Why a policy does not come after the one in force; undefined when it does, or when none is. Pure. */
export function notLater(current: PolicyInForce | undefined, { policy, digest, text }: ReadRecord): string | undefined {
  if (current === undefined || policy.version > current.version) return undefined;
  if (policy.version < current.version)
    return `version ${policy.version} is older than version ${current.version}, which is in force`;
  return digest === current.digest && text === current.text
    ? `this policy, version ${current.version}, is in force already`
    : `version ${current.version} is in force with another text: a changed policy needs a higher version`;
}

/**
 * Why nobody could ever sign a version after this one; undefined when enough owners can. A policy that locks its owners out is
 * never put in force. Pure.
 */
export function lockout(policy: Policy, at: Date): string | undefined {
  const owners = ownersOf(policy);
  if (owners.length === 0) return "the policy names no policy-owner, so nobody could sign a later version";
  const today = localDate(at, policy.timezone);
  const able = owners.filter((owner) =>
    policy.people[owner]?.keys?.some(({ until }) => until === undefined || until >= today),
  );
  if (able.length >= policy.policyQuorum) return undefined;
  const has = able.length === 1 ? "1 of its policy owners has" : `${able.length} of its policy owners have`;
  return `only ${has} a key that has not ended, and it takes ${policy.policyQuorum} to sign a later version`;
}

function tooFew({ owners, quorum, notCounted }: SignatureCount): string | undefined {
  if (owners.length >= quorum) return undefined;
  const by = owners.length === 0 ? "" : ` (${owners.join(", ")})`;
  const rest = notCounted.length === 0 ? "" : `; not counted: ${notCounted.join("; ")}`;
  return `signed by ${owners.length} of ${quorum} policy owners that it takes${by}${rest}`;
}
