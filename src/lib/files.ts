import { randomBytes } from "node:crypto";
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { usageError } from "./error.ts";

/** Writes a file whole or not at all: temporary file beside it, fsync, rename, fsync of the folder. */
export function writeFileAtomic(path: string, data: string | Uint8Array, mode = 0o644): void {
  const folder = dirname(path);
  mkdirSync(folder, { recursive: true });
  const temporary = join(folder, `.${randomBytes(6).toString("hex")}.tmp`);
  try {
    const fd = openSync(temporary, "wx", mode);
    try {
      const bytes = typeof data === "string" ? Buffer.from(data) : data;
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
    syncFolder(folder);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** Makes a rename in this folder durable. */
export function syncFolder(folder: string): void {
  const fd = openSync(folder, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** The text of a configuration file, at most `maxBytes`; a clear usage error otherwise. */
export function readTextFile(path: string, what: string, maxBytes = 1 << 20): string {
  if (!existsSync(path)) throw usageError("file.missing", `${what} not found: ${path}`, "check the path");
  const stat = statSync(path);
  if (!stat.isFile()) throw usageError("file.kind", `${what} is not a file: ${path}`, "name the file itself");
  if (stat.size > maxBytes) throw usageError("file.size", `${what} is larger than ${maxBytes} bytes: ${path}`);
  return readFileSync(path, "utf8");
}

/** The nearest folder, from `start` upward, that holds `name`. */
export function findUpward(start: string, name: string): string | undefined {
  for (let folder = start; ; folder = dirname(folder)) {
    if (existsSync(join(folder, name))) return folder;
    if (dirname(folder) === folder) return undefined;
  }
}
