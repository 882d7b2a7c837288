import { existsSync, lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { signerOf } from "../lib/signing.ts";
import { isEncrypted, keysFolder, modeText, notedKey, parseKey, readKeyFile } from "./key-file.ts";

export interface ListedKey {
  name: string;
  path: string;
  encrypted: boolean;
  /** Undefined: encrypted, and nothing is noted beside it. */
  publicKey: string | undefined;
  /** Why it cannot be used as it is. */
  problem: string | undefined;
}

/** The keys of a user, sorted by name. An encrypted one is told by what is noted beside it. */
export function listKeys(config: string): ListedKey[] {
  const folder = keysFolder(config);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((file) => /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}\.pem$/.test(file))
    .sort()
    .map((file) => describe(join(folder, file), file.slice(0, -".pem".length)));
}

/** A warning when others may change what is in the folder of keys; undefined when all is well, or there is none. */
export function folderProblem(config: string): string | undefined {
  const folder = keysFolder(config);
  const stat = lstatSync(folder, { throwIfNoEntry: false });
  if (stat === undefined || (stat.mode & 0o077) === 0) return undefined;
  return `others may look into ${folder} (mode ${modeText(stat.mode)}): chmod 700 ${folder}`;
}

function describe(path: string, name: string): ListedKey {
  const noted = notedKey(path);
  try {
    const pem = readKeyFile(path);
    const encrypted = isEncrypted(pem);
    if (encrypted) return { name, path, encrypted, publicKey: noted, problem: undefined };
    return { name, path, encrypted, publicKey: signerOf(parseKey(pem, path)).publicKey, problem: undefined };
  } catch (error) {
    const problem = error instanceof Error ? error.message : "cannot be read";
    return { name, path, encrypted: false, publicKey: noted, problem };
  }
}
