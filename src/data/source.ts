import { open, realpath, stat } from "node:fs/promises";
import { extname } from "node:path";
import { errnoOf, outsideError, usageError } from "../lib/error.ts";
import { sha256File } from "../lib/hash.ts";
import { readHeader } from "./csv-header.ts";

const HEADER_BYTES = 1 << 20;
/** A file changed within this time may change again without its times showing it: its bytes are hashed again. */
const FRESH_MS = 60_000;

export interface SourceFile {
  /** As given. */
  path: string;
  /** Where the bytes are, links resolved. */
  realPath: string;
  format: "csv" | "parquet";
  bytes: number;
  /** SHA-256 of the bytes, hex. */
  digest: string;
  state: string;
}

/** Hashes a CSV or Parquet file. Usage errors: no such file, not a file, another format. */
export async function readSource(path: string, onBytes?: (bytes: number) => void): Promise<SourceFile> {
  const realPath = await resolve(path);
  const before = await stateOf(realPath, path);
  const format = await formatOf(realPath, path);
  const digest = await sha256File(realPath, onBytes);
  const source = { path, realPath, format, bytes: before.bytes, digest, state: before.state };
  if ((await stateOf(realPath, path)).state !== before.state) throw changed(path);
  return source;
}

/** Throws an outside error if the file is no longer, byte for byte, the one that was hashed. */
export async function assertUnchanged(source: SourceFile): Promise<void> {
  const now = await stateOf(source.realPath, source.path);
  if (now.state !== source.state) throw changed(source.path);
  if (Date.now() - now.changedMs < FRESH_MS && (await sha256File(source.realPath)) !== source.digest)
    throw changed(source.path);
}

/** Column names and separator of a CSV; no names if it has no readable header line within the first megabyte. */
export async function readCsvHeader(source: SourceFile): Promise<{ names: string[]; delimiter: string }> {
  const file = await open(source.realPath, "r");
  try {
    const buffer = Buffer.alloc(Math.min(HEADER_BYTES, source.bytes));
    const { bytesRead } = buffer.length === 0 ? { bytesRead: 0 } : await file.read(buffer, 0, buffer.length, 0);
    const start = buffer.toString("utf8", 0, bytesRead);
    const header = start === "" ? undefined : readHeader(start, bytesRead >= source.bytes);
    return header ?? { names: [], delimiter: "," };
  } finally {
    await file.close();
  }
}

async function resolve(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (errnoOf(error) === "ENOENT")
      throw usageError("data.missing", `the data was not found: ${path}`, "check the source of the data gate");
    throw outsideError("data.unreadable", `the data could not be read: ${path}`, undefined, error);
  }
}

async function stateOf(realPath: string, path: string): Promise<{ state: string; bytes: number; changedMs: number }> {
  const found = await stat(realPath, { bigint: true }).catch((error: unknown) => {
    throw outsideError("data.unreadable", `the data could not be read: ${path}`, undefined, error);
  });
  if (!found.isFile()) throw usageError("data.kind", `the data is not a file: ${path}`, "name one CSV or Parquet file");
  const state = [found.dev, found.ino, found.size, found.mtimeNs, found.ctimeNs].join(":");
  return { state, bytes: Number(found.size), changedMs: Number(found.ctimeMs) };
}

async function formatOf(realPath: string, path: string): Promise<"csv" | "parquet"> {
  const file = await open(realPath, "r").catch((error: unknown) => {
    throw outsideError("data.unreadable", `the data could not be read: ${path}`, undefined, error);
  });
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0);
    if (bytesRead === 4 && buffer.toString("latin1") === "PAR1") return "parquet";
  } finally {
    await file.close();
  }
  if ([".csv", ".tsv", ".txt"].includes(extname(path).toLowerCase())) return "csv";
  throw usageError(
    "data.format",
    `the data is neither a CSV nor a Parquet file: ${path}`,
    "supported: .csv, .tsv, .parquet",
  );
}

function changed(path: string): Error {
  return outsideError(
    "data.changed",
    `the data changed while it was checked: ${path}`,
    "run the check again when nothing writes to the file",
  );
}
