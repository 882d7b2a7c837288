import { randomBytes } from "node:crypto";
import {
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import { pid } from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { errnoOf, outsideError } from "./error.ts";
import { isSameProcess, processStart } from "./process-identity.ts";

const POLL_MS = 100;
/** A takeover holds its guard for a few file operations; one this old belongs to a process that died in the middle. */
const GUARD_STALE_MS = 10_000;

export interface LockRequest {
  path: string;
  /** What the lock protects, for the message: `the local server in /home/…`. */
  what: string;
  waitMs: number;
  signal?: AbortSignal;
  /** Called once, if somebody else holds it. */
  onWait?: (holderPid: number) => void;
}

interface Holder {
  text: string;
  pid: number;
  started: string;
  host: string;
}

/**
 * Takes a lock between processes and returns what releases it. The lock of a process that is dead, or whose number
 * belongs to another one by now, is taken over. Throws an outside error (exit 4) when it is still held after `waitMs`.
 */
export async function acquireLock(request: LockRequest): Promise<() => void> {
  mkdirSync(dirname(request.path), { recursive: true });
  const mine = `${pid}\n${processStart(pid) ?? "?"}\n${hostname()}\n${randomBytes(8).toString("hex")}\n`;
  const deadline = Date.now() + request.waitMs;
  for (let told = false; ; ) {
    request.signal?.throwIfAborted();
    if (tryCreate(request.path, mine)) {
      removeLeft(request.path);
      return () => release(request.path, mine);
    }
    const holder = readHolder(request.path);
    if (holder === undefined) continue;
    if (isStale(holder)) {
      if (!takeOver(request.path, holder)) await sleep(POLL_MS);
      continue;
    }
    if (!told) request.onWait?.(holder.pid);
    told = true;
    if (Date.now() >= deadline) {
      throw outsideError(
        "lock.held",
        `${request.what} is in use by process ${holder.pid}${holder.host === hostname() ? "" : ` on ${holder.host}`}`,
        `wait until it is done; if no such process exists any more, remove ${request.path}`,
      );
    }
    await sleep(POLL_MS, undefined, request.signal === undefined ? {} : { signal: request.signal }).catch(() => {});
  }
}

/** Process id of who holds the lock now; undefined when nobody does, or only a dead process. */
export function lockHolder(path: string): number | undefined {
  const holder = readHolder(path);
  return holder === undefined || isStale(holder) ? undefined : holder.pid;
}

/** Appears with its content or not at all: a link, since an exclusive create can be seen while still empty. */
function tryCreate(path: string, text: string): boolean {
  const temporary = `${path}.${randomBytes(6).toString("hex")}`;
  writeFileSync(temporary, text, { mode: 0o600, flag: "wx" });
  try {
    linkSync(temporary, path);
    return true;
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return false;
    throw error;
  } finally {
    unlinkSync(temporary);
  }
}

/** What processes left that were killed while they tried to create this lock. Only its holder gets here. */
function removeLeft(path: string): void {
  const start = `${basename(path)}.`;
  for (const name of readdirSync(dirname(path))) {
    const temporary = join(dirname(path), name);
    const isTry = name.startsWith(start) && /^[0-9a-f]{12}$/.test(name.slice(start.length));
    const holder = isTry ? readHolder(temporary) : undefined;
    // One without its text belongs to somebody who is about to write it, or was killed before.
    if (holder !== undefined && isStale(holder) && isOld(temporary, holder.text === "" ? GUARD_STALE_MS : 0))
      rmSync(temporary, { force: true });
  }
}

function isOld(path: string, ms: number): boolean {
  return Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now()) >= ms;
}

function readHolder(path: string): Holder | undefined {
  try {
    const text = readFileSync(path, "utf8");
    const [pid = "", started = "", host = ""] = text.split("\n");
    return { text, pid: Number(pid), started, host };
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** On another machine (a shared home folder) nothing can be known, so it counts as held. */
function isStale(holder: Holder): boolean {
  if (!Number.isSafeInteger(holder.pid) || holder.pid <= 0) return true;
  return holder.host === hostname() && !isSameProcess(holder.pid, holder.started);
}

/** Removes a stale lock under a guard, so that of two takers none removes the other's new lock. */
function takeOver(path: string, stale: Holder): boolean {
  const guard = `${path}.takeover`;
  try {
    mkdirSync(guard);
  } catch {
    const age = Date.now() - (statSync(guard, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
    if (age > GUARD_STALE_MS) rmSync(guard, { recursive: true, force: true });
    return false;
  }
  try {
    if (readHolder(path)?.text === stale.text) rmSync(path, { force: true });
    return true;
  } finally {
    rmdirSync(guard);
  }
}

function release(path: string, mine: string): void {
  if (readHolder(path)?.text === mine) rmSync(path, { force: true });
}
