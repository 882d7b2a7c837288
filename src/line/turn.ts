import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Started } from "../ledger/line-state.ts";
import { changedError, FactoryError } from "../lib/error.ts";
import { sha256 } from "../lib/hash.ts";
import { acquireLock, lockHolder } from "../lib/lock.ts";
import type { Line } from "./line.ts";
import type { LineWorld } from "./world.ts";

export interface Turn {
  /**
   * Whether a start is what a command of this user began here, which did not come to its end and is not at work any more: it may be
   * carried on at once. Of what began elsewhere, with the same key too, nobody can know that.
   */
  cutOff(started: Pick<Started, "seq">): boolean;
  /** Said right before the first entry goes onto a head with this number, or before what was begun on it is carried on. */
  begin(head: number): void;
  /** `done`: nothing that was begun is left open. Else the next command is told so. */
  end(done: boolean): void;
}

/** A start follows its head, or the entry that puts a policy in force first. */
const FOLLOWS = 2;
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
  const begun = `${path}.begun`;
  const cutOff = ({ seq }: Pick<Started, "seq">): boolean => {
    const head = headIn(begun);
    return head !== undefined && seq > head && seq <= head + FOLLOWS;
  };
  if (dryRun) {
    const atWork = lockHolder(path) !== undefined;
    return { cutOff: (started) => !atWork && cutOff(started), begin: () => {}, end: () => {} };
  }
  const what = `${environment} of ${line.project}`;
  try {
    const release = await acquireLock({ path, what, waitMs: 0, signal: world.signal });
    // Not by a rename, which could leave a file behind: half a number is none, and nothing is begun before it is whole.
    const begin = (head: number): void => writeFileSync(begun, `${head}\n`, { mode: 0o600 });
    const end = (done: boolean): void => {
      if (done) rmSync(begun, { force: true });
      release();
    };
    return { cutOff, begin, end };
  } catch (error) {
    if (error instanceof FactoryError && error.code === "lock.held")
      throw changedError("environment.busy", error.message, `${error.hint}; then look: factory status`);
    throw error;
  }
}

/** On which head a command began something that it did not end; undefined: on none. */
function headIn(path: string): number | undefined {
  const text = existsSync(path) ? readFileSync(path, "utf8") : "";
  return /^\d{1,15}\n$/.test(text) ? Number(text) : undefined;
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
