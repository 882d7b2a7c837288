import * as z from "zod";
import { canonicalJson } from "../lib/canonical-json.ts";
import { type Envelope, IN_TOTO_PAYLOAD } from "../lib/dsse.ts";
import { STATEMENT_TYPE, type Statement, subjectSchema } from "../lib/in-toto.ts";
import type { Policy } from "./policy.ts";

/** What an owner says with a signature: these bytes are the policy of this organisation, in this version. */
const POLICY_PREDICATE = "urn:pilot-to-production:policy/v1";

/** The bytes that an owner signs: an in-toto Statement v1 in canonical JSON. One policy has exactly one such text. Pure. */
export function policyStatement(policy: Pick<Policy, "organisation" | "version">, digest: string): Buffer {
  const statement: Statement = {
    _type: STATEMENT_TYPE,
    subject: [{ name: "policy.yaml", digest: { sha256: digest } }],
    predicateType: POLICY_PREDICATE,
    predicate: { organisation: policy.organisation, version: policy.version },
  };
  return Buffer.from(canonicalJson(statement));
}

const signedStatement = z.object({ predicateType: z.string(), subject: z.array(subjectSchema).length(1) });

/** The digest (hex) of the policy that an envelope speaks of, or why it speaks of none. Says nothing about its signatures. Pure. */
export function policyOfEnvelope(envelope: Envelope): { digest: string } | { problem: string } {
  if (envelope.payloadType !== IN_TOTO_PAYLOAD) return { problem: "an envelope holds no in-toto statement" };
  let content: unknown;
  try {
    content = JSON.parse(Buffer.from(envelope.payload, "base64").toString("utf8"));
  } catch {
    return { problem: "an envelope holds no JSON" };
  }
  const parsed = signedStatement.safeParse(content);
  const subject = parsed.data?.subject[0];
  if (subject === undefined) return { problem: "an envelope holds no statement about one file" };
  if (parsed.data?.predicateType !== POLICY_PREDICATE)
    return { problem: "an envelope is signed for something else than a policy" };
  return { digest: subject.digest.sha256 };
}
