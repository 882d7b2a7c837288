import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Bytes of files, by their digest: written once, never changed. */
export interface Blobs {
  put(bytes: Buffer): string;
  get(digest: string): Buffer;
}

const digestOf = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

export function memoryBlobs(): Blobs {
  const kept = new Map<string, Buffer>();
  return {
    put(bytes) {
      const digest = digestOf(bytes);
      kept.set(digest, bytes);
      return digest;
    },
    get(digest) {
      const bytes = kept.get(digest);
      if (bytes === undefined) throw new Error(`no bytes with digest ${digest}`);
      return bytes;
    },
  };
}

export function folderBlobs(folder: string): Blobs {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return {
    put(bytes) {
      const digest = digestOf(bytes);
      const path = join(folder, digest);
      if (!existsSync(path)) {
        writeFileSync(`${path}.new`, bytes, { mode: 0o600 });
        renameSync(`${path}.new`, path);
      }
      return digest;
    },
    get: (digest) => readFileSync(join(folder, digest)),
  };
}
