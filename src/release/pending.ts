import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { BODIES, type Fact } from "../ledger/entry.ts";
import { rollbackProblem } from "../ledger/fits.ts";
import type { Actor } from "../ledger/open-ledger.ts";
import { canonicalJson } from "../lib/canonical-json.ts";
import { usageError } from "../lib/error.ts";
import { readTextFile, syncFolder, writeFileAtomic } from "../lib/files.ts";
import { isSignedBy, type Signer } from "../lib/signing.ts";
import { appendOnLine, changed } from "../promotion/append.ts";
import type { Line } from "../promotion/line.ts";

/**
 * Rollbacks that were made while the ledger could not be reached: `.factory/pending/<time>.json`, signed. The next writing command
 * of the same person puts them into the ledger.
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

/**
 * Puts what waits into the ledger, if this signer wrote it. True: something was appended, and the line has to be read again.
 * Throws exit 5 when it does not fit what the ledger says by now.
 */
export async function appendPending(folder: string | undefined, line: Line, actor: Actor, now: Date): Promise<boolean> {
  if (folder === undefined) return false;
  const waiting = readPending(pendingFolder(folder)).filter(
    (each) => each.pending.publicKey === actor.signer.publicKey,
  );
  const [first] = waiting;
  if (first === undefined) return false;
  const { pending, path } = first;
  const remove = (): true => {
    rmSync(path);
    syncFolder(pendingFolder(folder));
    return true;
  };
  // Recorded by a command that was killed before it could remove the file.
  const isRecorded = line.state
    .environment(pending.started.environment)
    .served.some(({ entry }) => entry.kind === "rolledback" && entry.body.effectiveAt === pending.at);
  if (isRecorded) return remove();
  const { environment, model, digest, to, reason, incident, detectedAt } = pending.started;
  const here = line.state.environment(environment);
  // Also one whose target was taken from a tag that somebody changed: it was not the way back.
  const misfit = pending.done ? rollbackProblem(here, pending.started) : undefined;
  if (misfit !== undefined)
    throw changed(
      "pending.fit",
      `${path} cannot be recorded: by the ledger it ${misfit}`,
      "look at factory history and at the registry, then move that file away",
    );
  if (pending.done) {
    // Begun by a command that was killed between the two entries.
    const begun = here.open.find(
      (each) => each.kind === "rollback.started" && each.key === actor.signer.keyId && each.body.reason === reason,
    );
    const undoes = here.champion?.released.seq;
    const start: Fact = {
      kind: "rollback.started",
      body: { ...pending.started, ...(undoes !== undefined && { undoes }) },
    };
    const started = begun?.seq ?? line.view.head.seq + (line.first === undefined ? 1 : 2);
    const end: Fact = {
      kind: "rolledback",
      body: {
        model,
        digest,
        environment,
        started,
        ...(undoes !== undefined && { undoes }),
        to,
        reason,
        ...(incident !== undefined && { incident }),
        ...(detectedAt !== undefined && { detectedAt }),
        effectiveAt: pending.at,
      },
    };
    if ((await appendOnLine(line, [...(begun === undefined ? [start] : []), end], actor, now)) === undefined)
      throw changed(
        "ledger.moved",
        "the ledger moved while a pending rollback was recorded",
        "run the same command again",
      );
  }
  // What never moved the alias is nothing to record.
  return remove();
}
