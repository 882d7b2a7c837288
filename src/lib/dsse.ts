import * as z from "zod";
import { canonicalJson } from "./canonical-json.ts";
import { isSignedBy, type Signer } from "./signing.ts";

/** Base64 in its one spelling: unused bits of the last digit are zero, so that bytes cannot be written in two ways. */
const base64 = z
  .base64()
  .refine((text) => Buffer.from(text, "base64").toString("base64") === text, "base64 with unused bits set");

/** Dead Simple Signing Envelope, protocol version 1: https://github.com/secure-systems-lab/dsse */
export const envelopeSchema = z.strictObject({
  payloadType: z.string().min(1).max(200),
  payload: base64,
  signatures: z
    .array(z.strictObject({ keyid: z.string().regex(/^[0-9a-f]{64}$/), sig: base64 }))
    .min(1)
    .max(20),
});
export type Envelope = z.infer<typeof envelopeSchema>;

export const IN_TOTO_PAYLOAD = "application/vnd.in-toto+json";

/** The bytes that are signed: `DSSEv1 <length> <type> <length> <payload>` (pre-authentication encoding). */
function preAuthEncoding(payloadType: string, payload: Uint8Array): Buffer {
  const type = Buffer.from(payloadType);
  return Buffer.concat([Buffer.from(`DSSEv1 ${type.length} `), type, Buffer.from(` ${payload.length} `), payload]);
}

/** An envelope around the payload with one signature. */
export function signEnvelope(payload: Uint8Array, signer: Signer, payloadType = IN_TOTO_PAYLOAD): Envelope {
  const sig = signer.sign(preAuthEncoding(payloadType, payload)).toString("base64");
  return {
    payloadType,
    payload: Buffer.from(payload).toString("base64"),
    signatures: [{ keyid: signer.keyId, sig }],
  };
}

/** One line of a `.jsonl` file of envelopes: canonical JSON with a final line feed. */
export function envelopeLine(envelope: Envelope): string {
  return `${canonicalJson(envelope)}\n`;
}

/**
 * The payload and the ids of the keys whose signatures over it hold. `keyOf` gives the public key (`ed25519:…`) for an id;
 * a signature by an unknown key, a wrong one, and a second one by the same key count for nothing. Pure.
 */
export function openEnvelope(
  envelope: Envelope,
  keyOf: (keyId: string) => string | undefined,
): { payload: Buffer; signedBy: string[] } {
  const payload = Buffer.from(envelope.payload, "base64");
  const signed = preAuthEncoding(envelope.payloadType, payload);
  const signedBy = new Set<string>();
  for (const { keyid, sig } of envelope.signatures) {
    const key = keyOf(keyid);
    if (key !== undefined && isSignedBy(key, signed, Buffer.from(sig, "base64"))) signedBy.add(keyid);
  }
  return { payload, signedBy: [...signedBy] };
}
