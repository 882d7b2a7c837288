import { lstat, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { FactoryError, messageOf, outsideError, usageError } from "../lib/error.ts";
import { fileError } from "../lib/file-error.ts";
import { sha256 } from "../lib/hash.ts";
import { inParallel } from "../lib/parallel.ts";
import { makeWorkFolder } from "../lib/work-folder.ts";
import type { PlannedBundle } from "./bundle-index.ts";
import { type EvidenceFile, INDEX_FILE } from "./evidence-index.ts";
import { filesOfIndex, holds, type IndexName, keep, keepSignatures, MAX_INDEX_BYTES, place } from "./object-cache.ts";
import type { ObjectStore, StoredFile } from "./object-store.ts";
import { type Evidence, readEvidence } from "./read-evidence.ts";
import { MAX_SIGNATURE_BYTES, MAX_SIGNATURE_FILES, SIGNATURE_PATH, type SignedFile } from "./signature-path.ts";

const MAX_FILE_BYTES = 64 << 20;
const MAX_OBJECT_BYTES = 1 << 30;
const MAX_FILES = 5000;
/** A file that comes with other bytes is read so often before it is said to have changed. */
const MOST_READS = 3;
const AT_ONCE = 8;

/**
 * Brings an evidence or a bundle from a store into `<cacheFolder>/objects/<digest>/` and returns that folder: the files that
 * its index lists, and the signatures that the store holds now. What the cache holds is verified, never believed; what does
 * not hold is fetched again. Throws exit 4: nothing there, a file missing, other bytes than the digest says, too large.
 */
export async function fetchObject(
  store: ObjectStore,
  digest: string,
  indexName: IndexName,
  cacheFolder: string,
): Promise<string> {
  if (!/^[0-9a-f]{64}$/.test(digest)) throw outsideError("object.digest", `${JSON.stringify(digest)} is no digest`);
  const folder = join(cacheFolder, "objects", digest);
  const stored = await store.list(digest);
  if (stored.length === 0)
    throw outsideError(
      "object.missing",
      `nothing is stored under ${digest} (${indexName})`,
      "it was removed from the registry, or never arrived there",
    );
  try {
    if (!(await holds(folder, digest, indexName)))
      await fetchWhole(store, digest, indexName, folder, join(cacheFolder, "work"));
    await refreshSignatures(store, digest, stored, folder);
  } catch (error) {
    throw fileError(error, folder);
  }
  return folder;
}

/** Evidence from a store, verified file by file, and the signatures beside it, which are yet to be verified. */
export async function fetchEvidence(
  store: ObjectStore,
  digest: string,
  cacheFolder: string,
): Promise<{ evidence: Evidence; signatures: SignedFile[] }> {
  return readSigned(await fetchObject(store, digest, INDEX_FILE, cacheFolder), digest);
}

/** Evidence in a folder with the signatures beside it; see `fetchEvidence`. Throws exit 2. */
export async function readSigned(
  folder: string,
  digest?: string,
): Promise<{ evidence: Evidence; signatures: SignedFile[] }> {
  const evidence = await readEvidence(folder, digest, { signatures: true });
  const names = await readdir(join(folder, "signatures")).catch(() => []);
  const paths = names.map((name) => `signatures/${name}`).sort();
  const signatures = await Promise.all(
    paths.map(async (path) => {
      if ((await lstat(join(folder, path))).size > MAX_SIGNATURE_BYTES)
        throw usageError("evidence.size", `${path} in ${folder} is too large`);
      return { path, text: await readFile(join(folder, path), "utf8") };
    }),
  );
  return { evidence, signatures };
}

/** Writes evidence and its signatures to a store, each file read once; its index last, so that what has one is whole. */
export async function putEvidence(
  store: ObjectStore,
  evidence: Pick<Evidence, "digest" | "folder" | "files">,
  signatures: readonly SignedFile[],
  model: string,
): Promise<void> {
  const file = (path: string, digest: string): StoredFile => ({
    path,
    sha256: digest,
    bytes: async () => {
      const bytes = await readFile(join(evidence.folder, path));
      if (sha256(bytes) !== digest)
        throw outsideError("object.changed", `${path} in ${evidence.folder} changed while it was read`);
      return bytes;
    },
  });
  await store.write(
    evidence.digest,
    [
      ...evidence.files.map(({ path, sha256: digest }) => file(path, digest)),
      ...signatures.map(({ path, text }) => inMemory(path, text)),
      file(INDEX_FILE, evidence.digest),
    ],
    { model, what: "evidence" },
  );
}

/** Writes a bundle to a store; its index last. */
export async function putBundle(store: ObjectStore, bundle: PlannedBundle, model: string): Promise<void> {
  const files = bundle.files.map(({ path, text }) => inMemory(path, text));
  await store.write(bundle.digest, files, { model, what: "bundle" });
}

function inMemory(path: string, text: string): StoredFile {
  const bytes = Buffer.from(text);
  return { path, sha256: sha256(bytes), bytes: async () => bytes };
}

function demandSize(indexName: IndexName, files: readonly EvidenceFile[]): void {
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  if (files.length > MAX_FILES || bytes > MAX_OBJECT_BYTES || files.some((file) => file.bytes > MAX_FILE_BYTES))
    throw outsideError(
      "object.size",
      `${indexName} lists ${files.length} files of ${bytes} bytes: more than evidence may be`,
    );
}

async function fetchWhole(
  store: ObjectStore,
  digest: string,
  indexName: IndexName,
  folder: string,
  workFolder: string,
): Promise<void> {
  const { path: temporary, remove } = makeWorkFolder(workFolder);
  try {
    const index = await demandAs(digest, store, digest, indexName, MAX_INDEX_BYTES);
    if (sha256(index) !== digest)
      throw outsideError(
        "object.changed",
        `${indexName} that is stored under ${digest} has another digest: ${sha256(index)}`,
      );
    const files = understood(indexName, digest, () => filesOfIndex(indexName, index.toString("utf8")));
    demandSize(indexName, files);
    await inParallel(files, AT_ONCE, async (file) => {
      const bytes = await demandAs(file.sha256, store, digest, file.path, file.bytes);
      if (bytes.length !== file.bytes || sha256(bytes) !== file.sha256)
        throw outsideError(
          "object.changed",
          `${file.path} that is stored under ${digest} is not what ${indexName} says`,
        );
      place(join(temporary, file.path), bytes);
    });
    place(join(temporary, indexName), index);
    await keep(temporary, folder, digest, indexName);
  } finally {
    remove();
  }
}

/**
 * Reads what should have the digest `expected`. A page of something in between, or half a body, may come with status 200: only what is
 * still other when it is read again has changed.
 */
async function demandAs(expected: string, ...what: Parameters<typeof demand>): Promise<Buffer> {
  for (let reads = 1; ; reads++) {
    try {
      const bytes = await demand(...what);
      if (reads === MOST_READS || sha256(bytes) === expected) return bytes;
    } catch (error) {
      if (reads === MOST_READS || !(error instanceof FactoryError) || error.code !== "http.size") throw error;
    }
  }
}

async function demand(store: ObjectStore, digest: string, path: string, maxBytes: number): Promise<Buffer> {
  const bytes = await store.read(digest, path, maxBytes);
  if (bytes === undefined)
    throw outsideError(
      "object.lost",
      `${path} is missing in what is stored under ${digest}`,
      "the registry has lost it",
    );
  return bytes;
}

/** Signatures come after the sealed files, from other people too: the store has the last word on which there are. */
async function refreshSignatures(
  store: ObjectStore,
  digest: string,
  stored: readonly string[],
  folder: string,
): Promise<void> {
  keepSignatures(folder, await signaturesIn(store, digest, stored));
}

/** The signatures that a store holds now over an evidence, yet to be verified; empty when it does not hold that evidence. */
export async function fetchSignatures(store: ObjectStore, digest: string): Promise<SignedFile[]> {
  const files = await signaturesIn(store, digest, await store.list(digest));
  return files.map(({ path, bytes }) => ({ path, text: bytes.toString("utf8") }));
}

function signaturesIn(store: ObjectStore, digest: string, stored: readonly string[]) {
  const paths = [...new Set(stored)].filter((path) => SIGNATURE_PATH.test(path)).sort();
  if (paths.length > MAX_SIGNATURE_FILES)
    throw outsideError("object.size", `${paths.length} files of signatures are stored under ${digest}`);
  return inParallel(paths, AT_ONCE, async (path) => ({
    path,
    bytes: await demand(store, digest, path, MAX_SIGNATURE_BYTES),
  }));
}

function understood<T>(indexName: string, digest: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw outsideError(
      "object.index",
      `${indexName} that is stored under ${digest} cannot be taken: ${messageOf(error).slice(0, 500)}`,
      undefined,
      error,
    );
  }
}
