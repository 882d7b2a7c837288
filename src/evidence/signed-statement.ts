import { canonicalJson } from "../lib/canonical-json.ts";
import {
  type Envelope,
  envelopeLine,
  envelopeSchema,
  IN_TOTO_PAYLOAD,
  openEnvelope,
  signEnvelope,
} from "../lib/dsse.ts";
import { sha256 } from "../lib/hash.ts";
import type { Statement } from "../lib/in-toto.ts";
import type { Signer } from "../lib/signing.ts";
import type { Flaw } from "./flaw.ts";

/** The public key (`ed25519:…`) that counts under an id; undefined when none does. */
export type KeyOf = (keyId: string) => string | undefined;

/** An envelope around the statement, whose payload is canonical JSON (RFC 8785) without a final line feed. */
export function signStatement(statement: Statement, signer: Signer): Envelope {
  return signEnvelope(Buffer.from(canonicalJson(statement)), signer);
}

/** How a decision names an approval: SHA-256 of its envelope in canonical JSON, hex. */
export function envelopeDigest(envelope: Envelope): string {
  return sha256(envelopeLine(envelope).trimEnd());
}

/** Reads `.jsonl` of envelopes. Each line has to be canonical, so that one envelope has one spelling. Pure. */
export function parseEnvelopes(text: string, what: string): { envelopes: Envelope[]; flaws: Flaw[] } {
  if (text === "") return { envelopes: [], flaws: [] };
  const flaw = (code: string, message: string) => ({ envelopes: [], flaws: [{ code, message: `${what} ${message}` }] });
  if (!text.endsWith("\n")) return flaw("envelope.truncated", "does not end with a line feed");
  const envelopes: Envelope[] = [];
  for (const [i, line] of text.slice(0, -1).split("\n").entries()) {
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      return flaw("envelope.json", `line ${i + 1} is not JSON`);
    }
    const parsed = envelopeSchema.safeParse(value);
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      return flaw("envelope.form", `line ${i + 1} is no envelope: ${issue?.path.join(".")} ${issue?.message}`);
    }
    if (envelopeLine(parsed.data) !== `${line}\n`)
      return flaw(
        "envelope.canonical",
        `line ${i + 1} is not in canonical form (a key twice, another order, or white space)`,
      );
    envelopes.push(parsed.data);
  }
  return { envelopes, flaws: [] };
}

/** The payload of an envelope with exactly one signature, which holds; else what is wrong with it. Pure. */
export function openSigned(
  envelope: Envelope,
  keyOf: KeyOf,
  what: string,
): { payload: Buffer; keyId: string } | { flaw: Flaw } {
  const flaw = (code: string, message: string) => ({ flaw: { code, message: `${what} ${message}` } });
  if (envelope.payloadType !== IN_TOTO_PAYLOAD)
    return flaw("signature.type", `has the payload type ${JSON.stringify(envelope.payloadType)}`);
  const [signature, ...others] = envelope.signatures;
  if (signature === undefined || others.length > 0)
    return flaw("signature.count", `carries ${envelope.signatures.length} signatures, not one`);
  const short = `${signature.keyid.slice(0, 12)}…`;
  if (keyOf(signature.keyid) === undefined)
    return flaw("signature.unknown", `is signed with key ${short}, which does not count here`);
  const { payload, signedBy } = openEnvelope(envelope, keyOf);
  if (signedBy.length !== 1) return flaw("signature.bad", `has a signature that key ${short} did not make`);
  return { payload, keyId: signature.keyid };
}
