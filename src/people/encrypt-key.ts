import { createCipheriv, randomBytes, scryptSync } from "node:crypto";

/** 16 MiB, eight times over, for each guess. OpenSSL reads nothing that needs more than 32 MiB at once. */
const SCRYPT = { N: 1 << 14, r: 8, p: 8 };

const PBES2 = Buffer.from("06092a864886f70d01050d", "hex");
const SCRYPT_ID = Buffer.from("06092b06010401da47040b", "hex");
const AES_256_CBC = Buffer.from("060960864801650304012a", "hex");

/**
 * A private key (PKCS#8 DER) as encrypted PKCS#8 PEM: PBES2 with scrypt and AES-256-CBC (RFC 8018, RFC 7914). OpenSSL reads it;
 * what Node itself writes is 2,048 rounds of PBKDF2, which a graphics card makes short work of.
 */
export function encryptedPem(pkcs8: Uint8Array, passphrase: string): string {
  const salt = randomBytes(16);
  const iv = randomBytes(16);
  const key = scryptSync(Buffer.from(passphrase), salt, 32, { ...SCRYPT, maxmem: 1 << 26 });
  const cipher = createCipheriv("aes-256-cbc", key, iv);
  const encrypted = Buffer.concat([cipher.update(pkcs8), cipher.final()]);
  const kdf = sequence(SCRYPT_ID, sequence(octets(salt), integer(SCRYPT.N), integer(SCRYPT.r), integer(SCRYPT.p)));
  const scheme = sequence(AES_256_CBC, octets(iv));
  const der = sequence(sequence(PBES2, sequence(kdf, scheme)), octets(encrypted));
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN ENCRYPTED PRIVATE KEY-----\n${lines.join("\n")}\n-----END ENCRYPTED PRIVATE KEY-----\n`;
}

/** DER: tag, length, content; all that is written here is shorter than 64 KiB. */
function element(tag: number, content: Uint8Array): Buffer {
  const { length } = content;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

function sequence(...parts: Uint8Array[]): Buffer {
  return element(0x30, Buffer.concat(parts));
}

function octets(content: Uint8Array): Buffer {
  return element(0x04, content);
}

function integer(value: number): Buffer {
  const hex = value.toString(16);
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex");
  // A leading bit would be a sign.
  return element(0x02, (bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes);
}
