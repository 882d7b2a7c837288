import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { lstat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errnoOf } from "../lib/error.ts";
import { syncFolder, writeFileAtomic } from "../lib/files.ts";
import { sha256, sha256File } from "../lib/hash.ts";
import { type BUNDLE_FILE, parseBundleIndex } from "./bundle-index.ts";
import { type EvidenceFile, INDEX_FILE, parseIndex } from "./evidence-index.ts";
import { SIGNATURE_PATH } from "./signature-path.ts";

/** The folders in which fetched objects are kept. Whoever can write there can write anything, so nothing in it is believed. */

export const MAX_INDEX_BYTES = 4 << 20;
export type IndexName = typeof INDEX_FILE | typeof BUNDLE_FILE;

/** The files that an index lists. Throws exit 2 for one that is not in its form. */
export function filesOfIndex(indexName: IndexName, text: string): readonly EvidenceFile[] {
  return indexName === INDEX_FILE ? parseIndex(text) : parseBundleIndex(text).files;
}

/** Whether the cache holds the object, every byte of it. */
export async function holds(folder: string, digest: string, indexName: IndexName): Promise<boolean> {
  try {
    if (!lstatSync(folder).isDirectory()) return false;
    const index = readPlain(join(folder, indexName), MAX_INDEX_BYTES);
    if (sha256(index) !== digest) return false;
    const files = filesOfIndex(indexName, index.toString("utf8"));
    for (const file of files) {
      const stat = await lstat(join(folder, file.path));
      if (!stat.isFile() || stat.size !== file.bytes || (await sha256File(join(folder, file.path))) !== file.sha256)
        return false;
    }
    const isEvidence = indexName === INDEX_FILE;
    const listed = new Set(files.flatMap((file) => [file.path, ...foldersAbove(file.path)]));
    const beside = (path: string) => path === indexName || (isEvidence && isOfSignatures(path));
    return walk(folder).every((path) => listed.has(path) || beside(path));
  } catch {
    return false;
  }
}

function readPlain(path: string, maxBytes: number): Buffer {
  const stat = lstatSync(path);
  if (!stat.isFile() || stat.size > maxBytes) throw new Error(`${path} is not a plain file of reasonable size`);
  return readFileSync(path);
}

/** Every path below a folder; that of a folder ends with a slash. A folder that is a link is none. */
function walk(folder: string, below = ""): string[] {
  return readdirSync(join(folder, below), { withFileTypes: true }).flatMap((entry) => {
    const path = `${below}${entry.name}`;
    return entry.isDirectory() ? [`${path}/`, ...walk(folder, `${path}/`)] : [path];
  });
}

function foldersAbove(path: string): string[] {
  return path.split("/").map((_, i, parts) =>
    parts
      .slice(0, i)
      .map((part) => `${part}/`)
      .join(""),
  );
}

/** The folder of the signatures, or a file in it: a folder of such a name holds nothing that could be read. */
function isOfSignatures(path: string): boolean {
  return path === "signatures/" || SIGNATURE_PATH.test(path);
}

/** Puts a fetched object in its place, unless a whole one has come there meanwhile: somebody may be reading it. */
export async function keep(temporary: string, folder: string, digest: string, indexName: IndexName): Promise<void> {
  if (await holds(folder, digest, indexName)) return;
  mkdirSync(dirname(folder), { recursive: true, mode: 0o700 });
  rmSync(folder, { recursive: true, force: true });
  try {
    renameSync(temporary, folder);
  } catch (error) {
    if (!["ENOTEMPTY", "EEXIST"].includes(errnoOf(error) ?? "") || !(await holds(folder, digest, indexName)))
      throw error;
  }
  syncFolder(dirname(folder));
}

/** Makes the signatures in a folder those that are given; what is right already is not touched. */
export function keepSignatures(folder: string, files: readonly { path: string; bytes: Buffer }[]): void {
  const below = join(folder, "signatures");
  const stat = lstatSync(below, { throwIfNoEntry: false });
  if (stat !== undefined && !stat.isDirectory()) rmSync(below);
  const wanted = new Set(files.map((file) => join(folder, file.path)));
  for (const path of existsSync(below) ? readdirSync(below).map((name) => join(below, name)) : [])
    if (!wanted.has(path) || !lstatSync(path).isFile()) rmSync(path, { recursive: true });
  for (const { path, bytes } of files) {
    const full = join(folder, path);
    if (!existsSync(full) || !readFileSync(full).equals(bytes)) place(full, bytes);
  }
}

/** Writes one file of an object, readable by this user alone. */
export function place(path: string, bytes: Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileAtomic(path, bytes, 0o600);
  chmodSync(path, 0o400);
}
