import { resolve } from "node:path";
import { usageError } from "../lib/error.ts";
import { keyIdOf, type Signer, signerOf } from "../lib/signing.ts";
import { isEncrypted, keyPath, keysFolder, parseKey, readKeyFile } from "./key-file.ts";
import { type ListedKey, listKeys } from "./list-keys.ts";

/** The values of the variables that carry a key; taken out of the process environment at the start. */
export interface GivenKey {
  /** FACTORY_SIGNING_KEY: the key itself, PEM. */
  key: string | undefined;
  /** FACTORY_SIGNING_KEY_FILE: a path. */
  file: string | undefined;
  /** FACTORY_KEY_PASSPHRASE */
  passphrase: string | undefined;
}

/** Whether the policy that counts lists the key with this id. */
export type IsListed = (keyId: string) => boolean;

export interface SignerRequest {
  /** Factory's configuration folder. */
  config: string;
  /** For a relative path in FACTORY_SIGNING_KEY_FILE. */
  cwd: string;
  given: GivenKey;
  /** Name of a key in the user's folder. */
  named: string | undefined;
  /** Asked only when there are several keys and none is named; absent: no policy is known. */
  listed?: (() => Promise<IsListed>) | undefined;
  /** Asks a person for the passphrase of a key; throws when nobody can be asked. */
  askPassphrase(path: string): Promise<string>;
}

/**
 * The key that this process signs with: the one given by variables; else the named one of the user's; else the only one that
 * there is, or the only one of several that the policy lists. Throws a usage error (exit 2) when there is none, several, or one that cannot be used.
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
  const path = request.named === undefined ? await onlyKey(request) : keyPath(request.config, request.named);
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

async function onlyKey({ config, listed }: SignerRequest): Promise<string> {
  const keys = listKeys(config);
  const [first] = keys;
  if (first === undefined)
    throw usageError(
      "key.none",
      `there is no key to sign with in ${keysFolder(config)}`,
      "factory keys new; in CI, give FACTORY_SIGNING_KEY or FACTORY_SIGNING_KEY_FILE",
    );
  if (keys.length === 1) return first.path;
  const isListed = await listed?.();
  const candidates = isListed === undefined ? keys : keys.filter((each) => isListed(idOf(each)));
  const [one] = candidates;
  if (one !== undefined && candidates.length === 1) return one.path;
  const among =
    isListed === undefined
      ? ""
      : candidates.length === 0
        ? "; the policy lists none of them"
        : `; the policy lists ${candidates.map((each) => each.name).join(", ")}`;
  throw usageError(
    "key.several",
    `there are several keys: ${keys.map((each) => each.name).join(", ")}${among}`,
    "say which: --key NAME",
  );
}

/** Of an encrypted key by what is noted beside it; "" where nothing is, which no policy lists. */
function idOf({ publicKey }: ListedKey): string {
  return publicKey === undefined ? "" : (keyIdOf(publicKey) ?? "");
}
