import {
  closeSync,
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
import type { Head } from "../ledger/entry.ts";
import type { LedgerStore } from "../ledger/store.ts";
import { outsideError } from "../lib/error.ts";
import { fileError } from "../lib/file-error.ts";
import { syncFolder, writeFileAtomic } from "../lib/files.ts";
import { acquireLock } from "../lib/lock.ts";

const LOCK_WAIT_MS = 60_000;

/** A chain in a file of this machine. Appends are made one after the other by a lock, and are on the disk when they return. */
export function openLedgerFile(path: string, signal?: AbortSignal): LedgerStore {
  return {
    place: path,
    local: true,
    async read() {
      return split(bytesOf(path));
    },
    async append(line, expected) {
      mkdirSync(dirname(path), { recursive: true });
      const release = await acquireLock({
        path: `${path}.lock`,
        what: `the ledger ${path}`,
        waitMs: LOCK_WAIT_MS,
        ...(signal !== undefined && { signal }),
      });
      try {
        const { text, torn } = split(bytesOf(path));
        if (!endsWith(text, expected)) return false;
        if (torn.length > 0)
          writeFileAtomic(`${path}.torn-${new Date().toISOString().replace(/[:.]/g, "-")}`, torn, 0o600);
        appendDurably(path, Buffer.from(`${line}\n`), text.length);
        return true;
      } catch (error) {
        throw fileError(error, path);
      } finally {
        release();
      }
    },
  };
}

function bytesOf(path: string): Buffer {
  if (!existsSync(path)) return Buffer.alloc(0);
  if (!lstatSync(path).isFile())
    throw outsideError("ledger.file", `the ledger ${path} is not a plain file`, "put the file itself there");
  return readFileSync(path);
}

/** What follows the last line feed was left by a writer that died. */
function split(bytes: Buffer): { text: Buffer; torn: Buffer } {
  const end = bytes.lastIndexOf(0x0a) + 1;
  return { text: bytes.subarray(0, end), torn: bytes.subarray(end) };
}

/** Whether the last line carries the expected hash. */
function endsWith(text: Buffer, expected: Head): boolean {
  if (expected.seq === 0) return text.length === 0;
  return text.subarray(-80).toString("latin1").endsWith(`,"hash":"${expected.hash}"}\n`);
}

function appendDurably(path: string, bytes: Buffer, at: number): void {
  const isNew = !existsSync(path);
  const fd = openSync(path, isNew ? "wx" : "r+", 0o644);
  try {
    // A torn rest, set aside already, is overwritten; nothing before it is touched.
    if (fstatSync(fd).size > at) ftruncateSync(fd, at);
    for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done, at + done);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  if (isNew) syncFolder(dirname(path));
}
