import { createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { errnoOf, usageError } from "../lib/error.ts";
import { fileError } from "../lib/file-error.ts";
import { syncFolder, writeFileAtomic } from "../lib/files.ts";
import { keyIdOf, type Signer, signerOf } from "../lib/signing.ts";
import { encryptedPem } from "./encrypt-key.ts";

/** A key file is a few hundred bytes; more is something else. */
const MAX_BYTES = 16_384;
/** Shorter ones are guessed, whatever the key derivation costs. */
const MIN_PASSPHRASE = 12;

/** The folder of a user's keys inside factory's configuration folder. */
export function keysFolder(config: string): string {
  return join(config, "keys");
}

/** Where the key with this name is. Throws a usage error (exit 2) for what cannot be the name of a file. */
export function keyPath(config: string, name: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/.test(name))
    throw usageError(
      "key.name",
      `${JSON.stringify(name)} is no name of a key`,
      "letters, digits, - and _, such as default",
    );
  return join(keysFolder(config), `${name}.pem`);
}

/** A new ed25519 key: its signer, and the PKCS#8 PEM text to keep, encrypted when there is a passphrase. */
export function makeKey(passphrase: string | undefined): { signer: Signer; pem: string } {
  const { privateKey } = generateKeyPairSync("ed25519");
  const pem =
    passphrase === undefined
      ? privateKey.export({ type: "pkcs8", format: "pem" }).toString()
      : encryptedPem(privateKey.export({ type: "pkcs8", format: "der" }), passphrase);
  return { signer: signerOf(privateKey), pem };
}

/** Why a passphrase will not do; undefined for a good one. */
export function passphraseProblem(passphrase: string): string | undefined {
  return [...passphrase].length < MIN_PASSPHRASE ? `has fewer than ${MIN_PASSPHRASE} characters` : undefined;
}

/**
 * Writes a private key where nothing is yet, whole or not at all, mode 0600. Throws exit 2 when something is there: a key is
 * never replaced, since what it signed must stay known as that key's.
 */
export function writeKeyFile(path: string, pem: string): void {
  const folder = dirname(path);
  const temporary = join(folder, `.${randomBytes(6).toString("hex")}.tmp`);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const fd = openSync(temporary, "wx", 0o600);
    try {
      writeFileSync(fd, pem);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    try {
      // A link never replaces what is there, as a rename would.
      linkSync(temporary, path);
    } finally {
      unlinkSync(temporary);
    }
    syncFolder(folder);
  } catch (error) {
    if (errnoOf(error) === "EEXIST") throw keyExists(path);
    throw fileError(error, path);
  }
}

export function keyExists(path: string): Error {
  return usageError(
    "key.exists",
    `${path} is there already`,
    "a key is never overwritten: choose another name with --name (of a service, another file with --out)",
  );
}

/** Notes the public key beside a private one, so that an encrypted key can be listed without its passphrase. */
export function writePublicKey(path: string, publicKey: string): void {
  writeFileAtomic(publicPath(path), `${publicKey}\n`);
}

/**
 * The text of a private key's file. Throws a usage error (exit 2) when it is missing, a link, no file, or when others may read
 * or write it. No message holds anything of its content.
 */
export function readKeyFile(path: string): string {
  let fd: number;
  try {
    // Without waiting, should it be a pipe.
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const code = errnoOf(error);
    if (code === "ENOENT" || code === "ENOTDIR")
      throw usageError("key.missing", `there is no key ${path}`, "factory keys list");
    if (code === "ELOOP") throw usageError("key.link", `${path} is a link`, "give the path of the key itself");
    throw usageError("key.unreadable", `${path} cannot be read (${code})`, "check its owner and mode: chmod 600");
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw usageError("key.kind", `${path} is not a file`, "give the path of a PKCS#8 PEM file");
    if ((stat.mode & 0o077) !== 0)
      throw usageError(
        "key.mode",
        `others may read or write ${path} (mode ${modeText(stat.mode)})`,
        `chmod 600 ${path}`,
      );
    if (stat.size > MAX_BYTES)
      throw usageError("key.size", `${path} is too large for a key`, "give the path of a PKCS#8 PEM file");
    return readFileSync(fd, "utf8");
  } finally {
    closeSync(fd);
  }
}

/** Whether a PEM text asks for a passphrase. */
export function isEncrypted(pem: string): boolean {
  return pem.includes("-----BEGIN ENCRYPTED PRIVATE KEY-----");
}

/**
 * The private key in a PKCS#8 PEM text. `where` is what messages call it. Throws a usage error (exit 2) for anything else than
 * an ed25519 key, and for a wrong passphrase; no message holds anything of the text, nor what the parser said of it.
 */
export function parseKey(pem: string, where: string, passphrase?: string): KeyObject {
  const other = otherKind(pem);
  if (other !== undefined) throw usageError("key.format", `${where} ${other}`, MAKE);
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: pem, format: "pem", ...(passphrase !== undefined && { passphrase }) });
  } catch {
    if (isEncrypted(pem))
      throw usageError("key.passphrase", `the passphrase does not open ${where}`, "give the one that it was made with");
    throw usageError("key.damaged", `${where} is a damaged private key`, MAKE);
  }
  if (key.asymmetricKeyType !== "ed25519")
    throw usageError("key.type", `${where} is a key of type ${key.asymmetricKeyType ?? "unknown"}, not ed25519`, MAKE);
  return key;
}

const MAKE = "factory keys new makes one: ed25519, PKCS#8, PEM";

/** What a text is instead of a PKCS#8 private key, in words; undefined when it looks like one. */
function otherKind(pem: string): string | undefined {
  if (pem.trim() === "") return "is empty";
  const label = /-----BEGIN ([A-Z0-9 ]{1,40})-----/.exec(pem)?.[1];
  if (label === undefined) return "is no PEM text";
  if (label === "PRIVATE KEY" || label === "ENCRYPTED PRIVATE KEY") return undefined;
  if (label.endsWith("PUBLIC KEY")) return "is a public key: the private one is needed";
  return `is a PEM text of kind ${label}, not PKCS#8`;
}

/** The public key that is noted beside a private one; undefined when there is none. Anyone may have written it. */
export function notedKey(path: string): string | undefined {
  try {
    const text = readFileSync(publicPath(path), "utf8").slice(0, 200).trim();
    return keyIdOf(text) === undefined ? undefined : text;
  } catch {
    return undefined;
  }
}

function publicPath(path: string): string {
  return path.replace(/\.pem$/, ".pub");
}

/** `0644` */
export function modeText(mode: number): string {
  return (mode & 0o777).toString(8).padStart(4, "0");
}
