import { BRING_BACK } from "../ledger/bring-back.ts";
import type { Fact } from "../ledger/entry.ts";
import { rollbackProblem } from "../ledger/fits.ts";
import type { Actor } from "../ledger/open-ledger.ts";
import { changedError, outsideError } from "../lib/error.ts";
import { appendOnLine } from "../line/append.ts";
import type { Line } from "../line/line.ts";
import { type PendingFile, type PendingRollback, pendingFolder, readPending, removePending } from "./pending.ts";
import { abandonedFor, endOfRollback } from "./plan-rollback.ts";

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
    if (!how.dryRun) removePending({ path, pending });
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
  const { environment, from, reason } = pending.started;
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
  const body = { ...pending.started, ...(undoes !== undefined && { undoes }) };
  const before: Fact[] = [
    ...halfDone.map(({ seq }) => abandonedFor(reason, seq, environment)),
    ...(begun === undefined ? [{ kind: "rollback.started" as const, body }] : []),
  ];
  const started = begun?.seq ?? line.view.head.seq + before.length + (line.first === undefined ? 0 : 1);
  const end: Fact = { kind: "rolledback", body: { ...endOfRollback(body, started), effectiveAt: pending.at } };
  const entries = await appendOnLine(line, [...before, end], actor, now);
  if (entries === undefined)
    throw changedError(
      "ledger.moved",
      "the ledger moved while a pending rollback was recorded",
      "run the same command again",
    );
  return entries.map((each) => each.seq);
}
