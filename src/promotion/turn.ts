import { existsSync } from "node:fs";
import { join } from "node:path";
import { FactoryError } from "../lib/error.ts";
import { writeFileAtomic } from "../lib/files.ts";
import { sha256 } from "../lib/hash.ts";
import { acquireLock, lockHolder } from "../lib/lock.ts";
import { changed } from "./append.ts";
import type { Line } from "./line.ts";
import type { LineWorld } from "./world.ts";

export interface Turn {
  /**
   * The command of this user that had the turn before did not come to its end, and is not at work any more: what it began may be
   * carried on at once. Of another machine nobody can know that.
   */
  cutOff: boolean;
  /** Said right before the first entry, or before what was begun is carried on. */
  begin(): void;
  /** `done`: nothing that was begun is left open. Else the next command is told so. */
  end(done: boolean): void;
}

/** No process has this number: the lock is free, and that it is there says that what was begun under it is open. */
const NOBODY = "0\n";
/** Errors after which nothing is open: somebody was faster, or what was begun was abandoned. */
const NOTHING_OPEN = ["ledger.moved", "begun.stale"];

/**
 * One command of this user at a time changes something in an environment of a line. Exit 5 when another one is at it.
 * A dry run only looks.
 */
export async function takeTurn(
  line: Pick<Line, "ledger" | "project">,
  environment: string,
  world: Pick<LineWorld, "cacheFolder" | "signal">,
  dryRun: boolean,
): Promise<Turn> {
  const name = sha256([line.ledger.place, line.project, environment].join("\n")).slice(0, 32);
  const path = join(world.cacheFolder, "turns", name);
  const cutOff = existsSync(path) && lockHolder(path) === undefined;
  if (dryRun) return { cutOff, begin: () => {}, end: () => {} };
  const what = `${environment} of ${line.project}`;
  try {
    const release = await acquireLock({ path, what, waitMs: 0, signal: world.signal });
    let left = cutOff;
    const begin = (): void => {
      left = true;
    };
    const end = (done: boolean): void => {
      // A lock that no process holds takes the place of ours in one step: this process goes on living for a moment.
      if (left && !done) writeFileAtomic(path, NOBODY);
      else release();
    };
    return { cutOff, begin, end };
  } catch (error) {
    if (error instanceof FactoryError && error.code === "lock.held")
      throw changed("environment.busy", error.message, `${error.hint}; then look: factory status`);
    throw error;
  }
}

/** Runs a command in its turn, and says how it ended. What could not be told leaves open what was begun before. */
export async function inTurn<T extends { kind: string }>(turn: Turn, run: (turn: Turn) => Promise<T>): Promise<T> {
  try {
    const result = await run(turn);
    turn.end(result.kind !== "cannot tell");
    return result;
  } catch (error) {
    turn.end(error instanceof FactoryError && NOTHING_OPEN.includes(error.code));
    throw error;
  }
}
