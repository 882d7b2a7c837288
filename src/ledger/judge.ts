import { isSignedBy, keyIdOf } from "../lib/signing.ts";
import { type Identity, identityOfKey } from "../policy/identity.ts";
import { type PolicyInForce, policyAfter } from "../policy/in-force.ts";
import type { Policy } from "../policy/policy.ts";
import { EMPTY_HEAD, type Entry, type Head } from "./entry.ts";
import { signedPart } from "./entry-line.ts";

/** How far the clocks of two machines may be apart: an entry's time may lie so long before that of the entry before it. */
export const CLOCK_TOLERANCE_MS = 5 * 60_000;

/** What the entries up to a place say that matters for the next one. */
export interface Judged {
  head: Head;
  /** When the last entry was signed, milliseconds since 1970. */
  lastMs: number;
  policy: PolicyInForce | undefined;
}

export const NOTHING_JUDGED: Judged = { head: EMPTY_HEAD, lastMs: Number.NEGATIVE_INFINITY, policy: undefined };

/** Why an entry does not count; `clock`: for its time alone. */
export interface Refusal {
  problem: string;
  clock?: true;
}

/**
 * Whether an entry counts after those before it: in its place, opened once, in time, signed by a key that the policy in force
 * lists, in the name of its holder. An entry that brings a policy is judged by the policy that it brings: whoever writes it must
 * be listed from then on, and that the policy counts, the owners named before it have signed. Pure.
 */
export function judgeEntry(before: Judged, entry: Entry, line: Buffer): Judged | Refusal {
  const { head } = before;
  if (entry.seq !== head.seq + 1) return { problem: `stands where entry ${head.seq + 1} belongs` };
  if (entry.prev !== head.hash) return { problem: "names another hash than that of the entry before it" };
  const atMs = Date.parse(entry.at);
  if (atMs < before.lastMs - CLOCK_TOLERANCE_MS)
    return { problem: `is dated ${entry.at}, more than 5 minutes before the entry before it`, clock: true };
  if ((entry.kind === "opened") !== (entry.seq === 1))
    return { problem: entry.seq === 1 ? "is the first, and does not open the chain" : "opens a chain that is open" };
  const policy = policyWith(before.policy, entry);
  if (policy === undefined || "problem" in policy) return policy ?? { problem: "has no policy before it" };
  const refused = refuseSigner(policy.policy, entry, line);
  return refused ?? { head: { seq: entry.seq, hash: entry.hash }, lastMs: atMs, policy };
}

function policyWith(current: PolicyInForce | undefined, entry: Entry): PolicyInForce | Refusal | undefined {
  if (entry.kind !== "opened" && entry.kind !== "policy.adopted") return current;
  const after = policyAfter(current, entry.body.policy, new Date(entry.at));
  return "problem" in after ? { problem: `brings a policy that does not count: ${after.problem}` } : after.inForce;
}

function refuseSigner(policy: Policy, entry: Entry, line: Buffer): Refusal | undefined {
  const holder = holderOf(policy, entry.key, new Date(entry.at));
  if ("problem" in holder) return { problem: `is signed with a key that does not count: ${holder.problem}` };
  const { signed, sig } = signedPart(line);
  if (!isSignedBy(holder.key, signed, sig)) return { problem: "has a signature that its key did not make" };
  if (holder.address !== entry.by)
    return { problem: `is in the name of ${entry.by}, and signed with the key of ${holder.address}` };
  return refuseKind(entry.kind, holder);
}

/** A bot signs nothing; a service does not speak for a person. */
function refuseKind(kind: Entry["kind"], { address, kind: who }: Identity): Refusal | undefined {
  if (who === "bot") return { problem: `is signed by ${address}, a bot` };
  if (who === "service" && (kind === "approved" || kind === "approval.withdrawn"))
    return { problem: `is an approval signed by ${address}, a service` };
  return undefined;
}

type Holder = Identity & { key: string };

/** No zone is further from UTC than this, so that two days inside of a key's first and last one its day is the same everywhere. */
const SURE_MS = 2 * 86_400_000;
const holders = new WeakMap<Policy, Map<string, { holder: Holder; fromMs: number; untilMs: number }>>();

/** As `identityOfKey`, with the key itself. A chain asks for the same few keys again and again, and each answer costs hashes. */
function holderOf(policy: Policy, keyId: string, at: Date): Holder | Refusal {
  const known = holders.get(policy) ?? new Map<string, { holder: Holder; fromMs: number; untilMs: number }>();
  holders.set(policy, known);
  const before = known.get(keyId);
  if (before !== undefined && at.getTime() >= before.fromMs && at.getTime() <= before.untilMs) return before.holder;
  const identity = identityOfKey(policy, keyId, at);
  if ("problem" in identity) return identity;
  const listed = policy.people[identity.address]?.keys?.find((each) => keyIdOf(each.key) === keyId);
  if (listed === undefined) return { problem: "it is not listed" };
  const holder = { ...identity, key: listed.key };
  const fromMs = Date.parse(listed.from) + SURE_MS;
  const untilMs = listed.until === undefined ? Number.POSITIVE_INFINITY : Date.parse(listed.until) - SURE_MS;
  known.set(keyId, { holder, fromMs, untilMs });
  return holder;
}
