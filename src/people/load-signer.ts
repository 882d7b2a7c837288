import { resolve } from "node:path";
import { usageError } from "../lib/error.ts";
import { type Signer, signerOf } from "../lib/signing.ts";
import { isEncrypted, keyPath, keysFolder, parseKey, readKeyFile } from "./key-file.ts";
import { listKeys } from "./list-keys.ts";

/** The values of the variables that carry a key; taken out of the process environment at the start. */
export interface GivenKey {
  /** FACTORY_SIGNING_KEY: the key itself, PEM. */
  key: string | undefined;
  /** FACTORY_SIGNING_KEY_FILE: a path. */
  file: string | undefined;
  /** FACTORY_KEY_PASSPHRASE */
  passphrase: string | undefined;
}

export interface SignerRequest {
  /** Factory's configuration folder. */
  config: string;
  /** For a relative path in FACTORY_SIGNING_KEY_FILE. */
  cwd: string;
  given: GivenKey;
  /** Name of a key in the user's folder. */
  named: string | undefined;
  /** Asks a person for the passphrase of a key; throws when nobody can be asked. */
  askPassphrase(path: string): Promise<string>;
}

/**
 * The key that this process signs with: the one given by variables; else the named one of the user's; else the only one that
 * there is. Throws a usage error (exit 2) when there is none, several, or one that cannot be used.
 */
export async function loadSigner(request: SignerRequest): Promise<Signer> {
  const { given } = request;
  if (given.key !== undefined && given.file !== undefined)
    throw usageError("key.twice", "FACTORY_SIGNING_KEY and FACTORY_SIGNING_KEY_FILE are both set", "set one of them");
  if (given.key !== undefined) return open(pemOf(given.key), "FACTORY_SIGNING_KEY", request);
  if (given.file !== undefined) {
    if (given.file === "")
      throw usageError("key.empty", "FACTORY_SIGNING_KEY_FILE is empty", "set it to the path of a key, or unset it");
    const path = resolve(request.cwd, given.file);
    return open(readKeyFile(path), path, request);
  }
  const path = request.named === undefined ? onlyKey(request.config) : keyPath(request.config, request.named);
  return open(readKeyFile(path), path, request);
}

async function open(pem: string, where: string, { given, askPassphrase }: SignerRequest): Promise<Signer> {
  const passphrase = isEncrypted(pem) ? (given.passphrase ?? (await askPassphrase(where))) : undefined;
  return signerOf(parseKey(pem, where, passphrase));
}

/** Secret stores that hold one line only are given `\n` for each line feed. */
function pemOf(value: string): string {
  if (value.trim() === "")
    throw usageError(
      "key.empty",
      "FACTORY_SIGNING_KEY is empty",
      "the secret is not there for this job, or has another name",
    );
  return value.includes("\n") ? value : value.replaceAll("\\n", "\n");
}

function onlyKey(config: string): string {
  const keys = listKeys(config);
  const [first] = keys;
  if (first === undefined)
    throw usageError(
      "key.none",
      `there is no key to sign with in ${keysFolder(config)}`,
      "factory keys new; in CI, give FACTORY_SIGNING_KEY or FACTORY_SIGNING_KEY_FILE",
    );
  if (keys.length > 1)
    throw usageError(
      "key.several",
      `there are several keys: ${keys.map((each) => each.name).join(", ")}`,
      "say which: --key NAME",
    );
  return first.path;
}
