import { randomBytes } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { sha256 } from "../../../lib/hash.ts";
import { learnSecret } from "../../../lib/redact.ts";
import type { Token } from "./token.ts";

const kept = z.strictObject({ value: z.string().min(1), expiresMs: z.number(), fromMs: z.number() });

/**
 * Tokens that outlive a command, in a folder of the user's own, 0600. The name of a file is the digest of all that its token was had
 * for, the secret too: who has not got the secret does not find the token.
 */
export interface TokenStore {
  read(keptFor: readonly string[]): Promise<Token | undefined>;
  write(keptFor: readonly string[], token: Token): Promise<void>;
}

/** The store in the config folder. It never fails a command: what cannot be read or written is asked for anew. */
export function tokenStore(config: string, now: () => number = Date.now): TokenStore {
  const folder = join(config, "databricks-tokens");
  const pathFor = (keptFor: readonly string[]) => join(folder, `${sha256(JSON.stringify(keptFor))}.json`);
  return {
    async read(keptFor) {
      try {
        const path = pathFor(keptFor);
        // One that others could have written may be another's.
        if (((await stat(path)).mode & 0o077) !== 0) return undefined;
        const token = kept.parse(JSON.parse(await readFile(path, "utf8")));
        learnSecret(token.value);
        return token;
      } catch {
        return undefined;
      }
    },
    async write(keptFor, token) {
      if (token.expiresMs === undefined) return;
      try {
        await mkdir(folder, { recursive: true, mode: 0o700 });
        const path = pathFor(keptFor);
        const fresh = `${path}.${randomBytes(6).toString("hex")}`;
        const file = await open(fresh, "w", 0o600);
        try {
          await file.writeFile(JSON.stringify(token));
        } finally {
          await file.close();
        }
        await rename(fresh, path);
        await sweep(folder, now());
      } catch {
        // A read-only home is no reason to refuse the command.
      }
    },
  };
}

/** Takes away what ended long ago. */
async function sweep(folder: string, nowMs: number): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    if (nowMs - (await stat(path)).mtimeMs > DAY_MS) await rm(path, { force: true });
  }
}

const DAY_MS = 86_400_000;
