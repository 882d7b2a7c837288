import { sha256 } from "../lib/hash.ts";
import { isSignedBy } from "../lib/signing.ts";
import { type Identity, identityOfKey, listedKey } from "../policy/identity.ts";
import { type PolicyInForce, policyAfter } from "../policy/in-force.ts";
import { EMPTY_HEAD, type Entry } from "./entry.ts";
import { HASH_TAIL_BYTES, type ParsedLine, parseLine } from "./line.ts";
import type { ChainProblem, LedgerView } from "./open-ledger.ts";

/** How far an entry's time may lie before that of the entry before it. */
const TOLERANCE_MS = 5 * 60_000;

/**
 * The view of a chain's bytes: every line parsed, hashed, chained, and signed by a key that the policy in force at that entry
 * lists. It ends before the first entry that does not hold. Throws nothing about the content. Pure.
 */
export function viewOf(text: Buffer, torn: Buffer = Buffer.alloc(0)): LedgerView {
  const entries: Entry[] = [];
  const policies: { from: number; policy: PolicyInForce }[] = [];
  const problems: ChainProblem[] = [];
  let head = EMPTY_HEAD;
  for (const line of linesOf(text)) {
    const seq = head.seq + 1;
    const result = judge(line, head, entries.at(-1), policies.at(-1)?.policy);
    if ("problem" in result) {
      problems.push({ seq, message: result.problem });
      break;
    }
    entries.push(result.entry);
    if (result.policy !== undefined) policies.push({ from: seq, policy: result.policy });
    head = { seq, hash: result.entry.hash };
  }
  if (text.length > 0 && text.at(-1) !== 0x0a && problems.length === 0)
    problems.push({ seq: head.seq + 1, message: "the last line has no end" });
  return {
    entries,
    head,
    policy: policies.at(-1)?.policy,
    policyAt: (seq) => policies.findLast((each) => each.from <= seq)?.policy,
    problems,
    tornBytes: torn.length,
  };
}

/** Each whole line, without its line feed. */
function* linesOf(text: Buffer): Generator<Buffer> {
  for (let start = 0; start < text.length; ) {
    const end = text.indexOf(0x0a, start);
    if (end < 0) return;
    yield text.subarray(start, end);
    start = end + 1;
  }
}

function judge(
  line: Buffer,
  head: { seq: number; hash: string },
  before: Entry | undefined,
  policy: PolicyInForce | undefined,
): { entry: Entry; policy?: PolicyInForce } | { problem: string } {
  const parsed = parseLine(line);
  if ("problem" in parsed) return parsed;
  const { entry } = parsed;
  if (entry.seq !== head.seq + 1) return { problem: `says that it is entry ${entry.seq}` };
  if (entry.prev !== head.hash) return { problem: "does not follow the entry before it: prev is not its hash" };
  if (sha256(line.subarray(0, line.length - HASH_TAIL_BYTES)) !== entry.hash)
    return { problem: "does not have the hash that it states" };
  if (before !== undefined && Date.parse(entry.at) < Date.parse(before.at) - TOLERANCE_MS)
    return { problem: `is dated ${entry.at}, more than five minutes before the entry before it` };
  if ((entry.kind === "opened") !== (entry.seq === 1))
    return { problem: entry.seq === 1 ? "is the first, and does not open the chain" : "opens a chain that is open" };
  const brought = policyOf(entry, policy);
  if (brought !== undefined && "problem" in brought) return brought;
  return (
    signerProblem(parsed, brought?.inForce ?? policy) ??
    (brought === undefined ? { entry } : { entry, policy: brought.inForce })
  );
}

function policyOf(
  entry: Entry,
  current: PolicyInForce | undefined,
): { inForce: PolicyInForce } | { problem: string } | undefined {
  if (entry.kind !== "opened" && entry.kind !== "policy.adopted") return undefined;
  const after = policyAfter(current, entry.body.policy, new Date(entry.at));
  return "problem" in after ? { problem: `brings a policy that does not count: ${after.problem}` } : after;
}

/** The policy that an entry brings judges that entry too: whoever writes it must be in the policy from then on. */
function signerProblem({ entry, signed, signature }: ParsedLine, policy: PolicyInForce | undefined) {
  if (policy === undefined) return { problem: "was written with no policy in force" };
  const key = listedKey(policy.policy, entry.key);
  if (key === undefined)
    return { problem: `is signed with key ${entry.key.slice(0, 12)}…, which the policy does not list` };
  if (!isSignedBy(key, signed, signature)) return { problem: "has a signature that its key did not make" };
  const identity = identityOfKey(policy.policy, entry.key, new Date(entry.at));
  if ("problem" in identity) return { problem: identity.problem };
  if (identity.address !== entry.by) return { problem: `names ${entry.by}, but ${identity.address} signed it` };
  const may = mayNot(entry, identity);
  return may === undefined ? undefined : { problem: may };
}

/** A bot signs nothing; a service does not speak for a person. */
export function mayNot(entry: Pick<Entry, "kind">, { address, kind }: Identity): string | undefined {
  if (kind === "bot") return `is signed by ${address}, a bot`;
  if (kind === "service" && (entry.kind === "approved" || entry.kind === "approval.withdrawn"))
    return `is an approval signed by ${address}, a service`;
  return undefined;
}
