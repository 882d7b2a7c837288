import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import type { LedgerStore, StoredChain } from "../ledger/store.ts";
import { changedError, errnoOf, FactoryError, messageOf, outsideError } from "../lib/error.ts";
import { fileError } from "../lib/file-error.ts";
import { syncFolder, writeFileAtomic } from "../lib/files.ts";
import { acquireLock, lockHolder } from "../lib/lock.ts";
import { endsWith, splitTorn } from "./ledger-bytes.ts";

const LOCK_WAIT_MS = 60_000;
/** A symbolic link is not followed, and a pipe that somebody put there does not make us wait. */
const CAREFUL = constants.O_NOFOLLOW | constants.O_NONBLOCK;

/**
 * A chain in a file of this machine. Appends are made one after the other by a lock beside it, and are on the disk when they
 * return. A torn rest is set aside as `<path>.torn-<time>` before the next append.
 */
export function openLedgerFile(path: string, signal?: AbortSignal): LedgerStore {
  const locked = async <T>(run: () => T): Promise<T> => {
    let release = () => {};
    try {
      release = await acquireLock({
        path: `${path}.lock`,
        what: `the ledger ${path}`,
        waitMs: LOCK_WAIT_MS,
        ...(signal !== undefined && { signal }),
      });
      return run();
    } catch (thrown) {
      throw ledgerError(thrown, path);
    } finally {
      release();
    }
  };
  return {
    place: path,
    local: true,
    async read() {
      const found = readChain(path);
      // Half a line may belong to a writer that is at work and will be done in a moment.
      return found.torn.length > 0 && lockHolder(`${path}.lock`) !== undefined ? locked(() => readChain(path)) : found;
    },
    async append(line, expected) {
      makeFolder(path);
      return locked(() => {
        const { text, torn } = readChain(path);
        if (!endsWith(text, expected)) return false;
        if (torn.length > 0) writeFileAtomic(besides(path, "torn"), torn, 0o600);
        appendDurably(path, Buffer.from(`${line}\n`), text.length);
        return true;
      });
    },
    async replace(text, was) {
      makeFolder(path);
      return locked(() => {
        const now = readChain(path);
        if (!now.text.equals(was.text) || !now.torn.equals(was.torn))
          throw changedError("ledger.changed", `the ledger ${path} was changed meanwhile`, "run it again");
        const old = Buffer.concat([was.text, was.torn]);
        const kept = old.length === 0 ? undefined : besides(path, "replaced");
        if (kept !== undefined) writeFileAtomic(kept, old, 0o600);
        writeFileAtomic(path, text);
        return { kept };
      });
    },
  };
}

function readChain(path: string): StoredChain {
  refuseLinkedFolder(path);
  let fd: number | undefined;
  try {
    fd = openSync(path, constants.O_RDONLY | CAREFUL);
    if (!fstatSync(fd).isFile()) throw noPlainFile(path);
    return splitTorn(readFileSync(fd));
  } catch (thrown) {
    if (errnoOf(thrown) === "ENOENT") return splitTorn(Buffer.alloc(0));
    throw ledgerError(thrown, path);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** Whoever may place a link could have the chain read from, or written to, a place of their choice. */
function refuseLinkedFolder(path: string): void {
  if (lstatSync(dirname(path), { throwIfNoEntry: false })?.isSymbolicLink() === true)
    throw outsideError("ledger.link", `${dirname(path)}, which holds the ledger, is a symbolic link`, PLAIN);
}

const PLAIN = "put the file itself there, in a folder that is no link";

function noPlainFile(path: string): FactoryError {
  return outsideError("ledger.link", `the ledger ${path} is a symbolic link or no plain file`, PLAIN);
}

function ledgerError(thrown: unknown, path: string): unknown {
  if (thrown instanceof FactoryError) return thrown;
  const code = errnoOf(thrown);
  if (code === "ELOOP" || code === "ENXIO") return noPlainFile(path);
  if (code === undefined) return thrown;
  const known = fileError(thrown, path);
  return known instanceof FactoryError
    ? known
    : outsideError("ledger.file", `the ledger ${path} could not be used: ${messageOf(thrown)}`, undefined, thrown);
}

/** The folder, and every folder above it that had to be made, on the disk. */
function makeFolder(path: string): void {
  const folder = dirname(path);
  try {
    const first = mkdirSync(folder, { recursive: true });
    if (first === undefined) return;
    for (let made = folder; ; made = dirname(made)) {
      syncFolder(dirname(made));
      if (made === first || dirname(made) === made) return;
    }
  } catch (thrown) {
    throw ledgerError(thrown, path);
  }
}

/** A name beside the ledger that is not taken. */
function besides(path: string, why: string): string {
  const name = `${path}.${why}-${new Date().toISOString().replace(/[:.]/g, "-")}`;
  for (let n = 1; ; n++) {
    const free = n === 1 ? name : `${name}-${n}`;
    if (!existsSync(free)) return free;
  }
}

/** Writes after the last whole line. When that fails, what was written of it is taken back. */
function appendDurably(path: string, bytes: Buffer, end: number): void {
  const isNew = !existsSync(path);
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | CAREFUL, 0o644);
  try {
    if (!fstatSync(fd).isFile()) throw noPlainFile(path);
    // A torn rest, set aside already.
    if (fstatSync(fd).size > end) ftruncateSync(fd, end);
    try {
      for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done, end + done);
      fsyncSync(fd);
    } catch (thrown) {
      ftruncateSync(fd, end);
      throw thrown;
    }
  } finally {
    closeSync(fd);
  }
  if (isNew) syncFolder(dirname(path));
}
