import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { BRING_BACK } from "../ledger/bring-back.ts";
import { BODIES, type Fact } from "../ledger/entry.ts";
import { rollbackProblem } from "../ledger/fits.ts";
import type { Actor } from "../ledger/open-ledger.ts";
import { canonicalJson } from "../lib/canonical-json.ts";
import { cutTo } from "../lib/cut-to.ts";
import { changedError, outsideError, usageError } from "../lib/error.ts";
import { readTextFile, syncFolder, writeFileAtomic } from "../lib/files.ts";
import { isSignedBy, type Signer } from "../lib/signing.ts";
import { appendOnLine } from "../line/append.ts";
import type { Line } from "../line/line.ts";

/**
 * Rollbacks that were made while the ledger could not be used: `.factory/pending/<time>.json`, signed. The next writing command
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

export interface Settled {
  path: string;
  started: PendingRollback["started"];
  /** Numbers of the entries that were appended; none for one that the ledger had already. */
  entries: number[];
}

/**
 * A chain without an entry says nothing about what waits for it: it is not the one from which there was something to go back. Throws exit 4
 * then, for any command: a chain that is opened anew would be another.
 */
function demandChain(waiting: readonly PendingFile[], { view, ledger }: Line): void {
  const [first] = waiting;
  if (first === undefined || view.entries.length > 0) return;
  throw outsideError(
    "ledger.missing",
    `the ledger ${ledger.place} is empty, but ${first.path} waits for it: what was there is missing`,
    `bring it back: ${BRING_BACK}; leave that file where it is; factory rollback goes on without the ledger`,
  );
}

/**
 * Puts the next rollback that waits into the ledger, if this signer wrote it, and removes its file; then the line has to be read
 * again. A dry run, on a ledger in memory, leaves the file: those that are `done` are passed over. Throws exit 4 when the chain is
 * missing, exit 5 when it does not fit what the ledger says by now, and for one that was cut off before it was done: whether it moved
 * anything only another rollback can settle, for which it is left (`unfinished`).
 */
export async function appendPending(
  folder: string | undefined,
  line: Line,
  actor: Actor,
  now: Date,
  how: { unfinished: "refuse" | "leave"; dryRun: boolean; done: ReadonlySet<string> },
): Promise<Settled | undefined> {
  if (folder === undefined) return undefined;
  const waiting = readPending(pendingFolder(folder));
  demandChain(waiting, line);
  for (const { path, pending } of waiting) {
    if (pending.publicKey !== actor.signer.publicKey || how.done.has(path)) continue;
    const { started } = pending;
    let entries: number[] = [];
    if (!isSettled(line, pending)) {
      if (!pending.done && how.unfinished === "leave") continue;
      if (!pending.done)
        throw changedError(
          "pending.unfinished",
          `a rollback in ${started.environment} was begun without the ledger at ${pending.at} and not finished`,
          `factory rollback --env ${started.environment} --reason "WHY" ends it; if champion was never moved (factory status), remove ${path}`,
        );
      entries = await recordPending(path, pending, line, actor, now);
    }
    if (!how.dryRun) {
      rmSync(path);
      syncFolder(pendingFolder(folder));
    }
    return { path, started, entries };
  }
  return undefined;
}

/** By the ledger it is over: recorded by a command that was killed before it could remove the file, or ended by a later rollback. */
function isSettled(line: Line, { at, done, started }: PendingRollback): boolean {
  return line.state
    .environment(started.environment)
    .rolledback.some(({ entry }) => entry.body.effectiveAt === at || (!done && entry.at > at));
}

async function recordPending(
  path: string,
  pending: PendingRollback,
  line: Line,
  actor: Actor,
  now: Date,
): Promise<number[]> {
  const { environment, model, digest, from, to, reason, incident, detectedAt } = pending.started;
  const here = line.state.environment(environment);
  // What it went back from may be a release that is half done: the rollback ends that.
  const halfDone = here.open.filter((each) => each.kind === "release.started" && each.body.version === from.version);
  // Also one whose target was taken from a tag that somebody changed: it was not the way back.
  const misfit = rollbackProblem({ ...here, abandoned: [...here.abandoned, ...halfDone] }, pending.started);
  if (misfit !== undefined)
    throw changedError(
      "pending.fit",
      `${path} cannot be recorded: by the ledger it ${misfit}`,
      "look at factory history and at the registry. If somebody else went back before that without the ledger, a writing command of theirs records it first; if a later entry says the same, move that file away",
    );
  // Begun by a command that was killed between the entries.
  const begun = here.open.find(
    (each) => each.kind === "rollback.started" && each.key === actor.signer.keyId && each.body.reason === reason,
  );
  const undoes = here.champion?.version === from.version ? here.champion.released.seq : undefined;
  const before: Fact[] = [
    ...halfDone.map(({ seq }) => abandonedFor(reason, seq, environment)),
    ...(begun === undefined
      ? [
          {
            kind: "rollback.started" as const,
            body: { ...pending.started, ...(undoes !== undefined && { undoes }) },
          },
        ]
      : []),
  ];
  const end: Fact = {
    kind: "rolledback",
    body: {
      model,
      digest,
      environment,
      started: begun?.seq ?? line.view.head.seq + before.length + (line.first === undefined ? 0 : 1),
      ...(undoes !== undefined && { undoes }),
      to,
      reason,
      ...(incident !== undefined && { incident }),
      ...(detectedAt !== undefined && { detectedAt }),
      effectiveAt: pending.at,
    },
  };
  const entries = await appendOnLine(line, [...before, end], actor, now);
  if (entries === undefined)
    throw changedError(
      "ledger.moved",
      "the ledger moved while a pending rollback was recorded",
      "run the same command again",
    );
  return entries.map((each) => each.seq);
}

/** The entry that ends a half-done release for a rollback. */
export function abandonedFor(reason: string, started: number, environment: string): Fact {
  return { kind: "abandoned", body: { started, environment, reason: cutTo(`rolled back: ${reason}`, 200) } };
}
