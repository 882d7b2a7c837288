import { existsSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import * as z from "zod";
import { BODIES } from "../ledger/entry.ts";
import { canonicalJson } from "../lib/canonical-json.ts";
import { usageError } from "../lib/error.ts";
import { readTextFile, syncFolder, writeFileAtomic } from "../lib/files.ts";
import { isSignedBy, type Signer } from "../lib/signing.ts";

/**
 * Rollbacks that were made while the ledger could not be used: `.factory/pending/<time>.json`, signed. The next writing command
 * of the same person puts them into the ledger (`record-pending`).
 */

const record = z.strictObject({
  v: z.literal(1),
  project: z.string(),
  /** When the alias was moved, or was about to be. */
  at: z.iso.datetime(),
  /** False: written before the alias was moved, and never finished. */
  done: z.boolean(),
  by: z.string(),
  publicKey: z.string(),
  started: BODIES["rollback.started"],
});
export type PendingRollback = z.infer<typeof record>;
const signed = z.strictObject({ record, sig: z.base64() });

export interface PendingFile {
  path: string;
  pending: PendingRollback;
}

export function pendingFolder(projectFolder: string): string {
  return join(projectFolder, ".factory", "pending");
}

/** Writes or replaces one; returns its path. */
export function writePending(folder: string, pending: PendingRollback, signer: Signer): string {
  const path = join(folder, `${pending.at.replace(/[:.]/g, "-")}-rollback.json`);
  const sig = signer.sign(Buffer.from(canonicalJson(pending))).toString("base64");
  writeFileAtomic(path, `${JSON.stringify({ record: pending, sig }, null, 2)}\n`, 0o600);
  return path;
}

/** What waits, oldest first. Throws exit 2 for a file that is not in that form or was changed. */
export function readPending(folder: string): PendingFile[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith("-rollback.json"))
    .sort()
    .map((name) => {
      const path = join(folder, name);
      const parsed = parse(path);
      const { record: pending, sig } = parsed;
      if (!isSignedBy(pending.publicKey, Buffer.from(canonicalJson(pending)), Buffer.from(sig, "base64")))
        throw usageError(
          "pending.signature",
          `${path} was changed: its signature does not hold`,
          "look at it; factory verify",
        );
      return { path, pending };
    });
}

function parse(path: string): z.infer<typeof signed> {
  try {
    return signed.parse(JSON.parse(readTextFile(path, "pending rollback")));
  } catch {
    throw usageError(
      "pending.form",
      `${path} is not a pending rollback`,
      "look at it; move it away if it is not wanted",
    );
  }
}

/** Removes one that the ledger has by now. */
export function removePending({ path }: PendingFile): void {
  rmSync(path);
  syncFolder(dirname(path));
}
