import { createHash, createPublicKey, type KeyObject, sign, verify } from "node:crypto";

/** Makes signatures with one ed25519 key (RFC 8032). */
export interface Signer {
  /** SHA-256 of the public key's SPKI DER, lower-case hex. */
  readonly keyId: string;
  /** `ed25519:<base64 of the 32 bytes>`, as policy.yaml lists it. */
  readonly publicKey: string;
  /** 64 bytes. */
  sign(bytes: Uint8Array): Buffer;
}

/** What stands before the 32 bytes of an ed25519 key in SPKI DER (RFC 8410). */
const SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex");
const KEY = /^ed25519:([A-Za-z0-9+/]{43}=)$/;

/** Keys that were read; a chain is checked with the same few again and again. */
const known = new Map<string, KeyObject>();
const MAX_KNOWN = 1000;

/** The key that `ed25519:<base64>` stands for; undefined when it is not in that form, byte for byte. */
export function publicKeyOf(text: string): KeyObject | undefined {
  const found = known.get(text);
  if (found !== undefined) return found;
  const der = spkiOf(text);
  try {
    if (der === undefined) return undefined;
    const key = createPublicKey({ key: der, format: "der", type: "spki" });
    if (known.size >= MAX_KNOWN) known.clear();
    known.set(text, key);
    return key;
  } catch {
    return undefined;
  }
}

/** The id of a public key, lower-case hex; undefined when the text is no key. */
export function keyIdOf(publicKey: string): string | undefined {
  const der = spkiOf(publicKey);
  return der === undefined ? undefined : createHash("sha256").update(der).digest("hex");
}

/** Whether the signature over the bytes was made with this key. A text that is no key signs nothing. */
export function isSignedBy(publicKey: string, bytes: Uint8Array, signature: Uint8Array): boolean {
  const key = publicKeyOf(publicKey);
  return key !== undefined && signature.length === 64 && verify(null, bytes, key, signature);
}

/** A signer with an ed25519 private key. Throws TypeError for another kind of key. */
export function signerOf(privateKey: KeyObject): Signer {
  if (privateKey.type !== "private" || privateKey.asymmetricKeyType !== "ed25519")
    throw new TypeError("not an ed25519 private key");
  const der = createPublicKey(privateKey).export({ format: "der", type: "spki" });
  return {
    keyId: createHash("sha256").update(der).digest("hex"),
    publicKey: `ed25519:${der.subarray(SPKI_PREFIX.length).toString("base64")}`,
    sign: (bytes) => sign(null, bytes, privateKey),
  };
}

function spkiOf(text: string): Buffer | undefined {
  const base64 = KEY.exec(text)?.[1];
  if (base64 === undefined) return undefined;
  const raw = Buffer.from(base64, "base64");
  // One key has one spelling: unused bits of the last digit must be zero.
  return raw.length === 32 && raw.toString("base64") === base64 ? Buffer.concat([SPKI_PREFIX, raw]) : undefined;
}
