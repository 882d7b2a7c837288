import { type Approval, parseApproval } from "../evidence/approval.ts";
import { openSigned } from "../evidence/signed-statement.ts";
import type { Envelope } from "../lib/dsse.ts";
import { FactoryError } from "../lib/error.ts";
import type { Line } from "../line/line.ts";
import { identityOfKey, listedKey } from "../policy/identity.ts";
import type { Policy } from "../policy/policy.ts";
import type { SeenApproval } from "../rules/facts.ts";

/**
 * Every approval of a chain, and whose it is: by the keys that the policy lists now, as they were when it was signed. So a key
 * that has ended since leaves what it signed before, and one that was taken out, or ended before, leaves nothing. Pure.
 */
export function approvalsOf(line: Pick<Line, "state">, policy: Policy): SeenApproval[] {
  return line.state.approvals.flatMap(({ entry, withdrawn }) => {
    const { envelope } = entry.body;
    const read = readApproval(envelope);
    if (read === undefined) return [];
    const { digest, evidence, ...approval } = read;
    const opened = openSigned(envelope, (id) => listedKey(policy, id), "the approval");
    // The envelope and its entry are signed by one key: another one's statement cannot be brought in under a name.
    const by =
      "flaw" in opened
        ? { problem: opened.flaw.message }
        : opened.keyId === entry.key
          ? identityOfKey(policy, opened.keyId, new Date(entry.at))
          : { problem: "signed by another key than its entry" };
    const undone = line.state
      .environment(approval.environment)
      .served.some(
        ({ entry: later }) => later.kind === "rolledback" && later.seq > entry.seq && later.body.digest === digest,
      );
    const seen = { hash: entry.hash, seq: entry.seq, at: new Date(entry.at), by, approval };
    return [{ ...seen, model: digest, evidence, withdrawn: withdrawn !== undefined, undone }];
  });
}

/** The approval in an envelope, its signature not verified; undefined for what is none. Pure. */
export function readApproval(envelope: Envelope): Approval | undefined {
  try {
    return parseApproval(Buffer.from(envelope.payload, "base64"));
  } catch (error) {
    if (error instanceof FactoryError) return undefined;
    throw error;
  }
}
