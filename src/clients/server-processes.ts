import { kill, platform } from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import {
  isSameProcess,
  listProcesses,
  type ProcessEntry,
  processesOfGroup,
  startedWith,
} from "../lib/process-identity.ts";
import type { ServerRecord } from "../local/server.ts";

/** What tells the processes of a server: of a local MLflow server, or of the sandbox. */
type Known = Pick<ServerRecord, "identity" | "process">;

/** Every process of a server carries this variable with the identity of its start. */
export const MARK = "FACTORY_LOCAL_SERVER";
const POLITE_MS = 5000;
const FORCED_MS = 5000;
const POLL_MS = 50;

/** True when the process that leads the recorded server lives, and is not a later one with the same number. */
export function leaderLives(record: Known): boolean {
  const { pid, started } = record.process ?? {};
  return pid !== undefined && started !== undefined && isSameProcess(pid, started);
}

/**
 * All living processes of a recorded server: by the mark in their environment where the system shows it (Linux), which
 * finds them even when neither pid nor leader is known; else by process group.
 */
export function processesOf(record: Known): number[] {
  return entriesOf(record).map((each) => each.pid);
}

function entriesOf(record: Known): ProcessEntry[] {
  if (record.process === undefined) return [];
  const { pid } = record.process;
  if (platform === "linux")
    return listProcesses().filter((each) => startedWith(each.pid, `${MARK}=${record.identity}`) === true);
  if (pid === undefined) return [];
  const members = processesOfGroup(pid);
  // A living leader that is not ours means that the number was used again, and the group is that one's.
  return members.some((each) => each.pid === pid) && !leaderLives(record) ? [] : members;
}

/** Ends them all: SIGTERM, five seconds, SIGKILL. Returns how many there were; throws when some are still there. */
export async function endProcesses(record: Known): Promise<number> {
  const known = entriesOf(record);
  const found = known.map((each) => each.pid);
  send(found, "SIGTERM");
  let left = await waitUntilGone(record, known, POLITE_MS);
  if (left.length > 0) {
    send(left, "SIGKILL");
    left = await waitUntilGone(record, known, FORCED_MS, () => send(processesOf(record), "SIGKILL"));
  }
  if (left.length > 0) throw new Error(`these processes of the server did not end: ${left.join(", ")}`);
  return found.length;
}

/**
 * `known` is what was found before. A process that ends gives back its memory first, and its variables with it: from then on only its number
 * and start tell it, while it still holds its port and its files.
 */
async function waitUntilGone(
  record: Known,
  known: ProcessEntry[],
  limitMs: number,
  again?: () => void,
): Promise<number[]> {
  const deadline = Date.now() + limitMs;
  for (;;) {
    const now = entriesOf(record);
    const seen = new Set(now.map((each) => each.pid));
    known = [...now, ...known.filter((each) => !seen.has(each.pid) && isSameProcess(each.pid, each.started))];
    const left = known.map((each) => each.pid);
    if (left.length === 0 || Date.now() > deadline) return left;
    again?.();
    await sleep(POLL_MS);
  }
}

function send(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      kill(pid, signal);
    } catch {
      // Ended meanwhile.
    }
  }
}
