import { lstatSync, readFileSync } from "node:fs";
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { outsideError, usageError } from "../lib/error.ts";
import { sha256, sha256File } from "../lib/hash.ts";
import { inParallel } from "../lib/parallel.ts";
import { type Report, withTask } from "../lib/progress.ts";
import { byPathBytes, type ManifestFile, manifestOf, modelDigest, pathProblem } from "./manifest.ts";

export interface RemoteFile {
  /** Relative to the model's root, with `/`. */
  path: string;
  bytes: number;
}

/** Where the bytes of one model are. */
export interface ModelSource {
  /** How a message names it: `claims.triage v7`, `logged model m-3f2c…`. */
  readonly label: string;
  /** Every file below the root; empty when nothing is there. */
  files(): Promise<readonly RemoteFile[]>;
  /** Writes one file (which must not exist yet) and returns digest and length of what arrived. */
  fetch(path: string, to: string, onBytes?: (bytes: number) => void): Promise<{ sha256: string; bytes: number }>;
  /** Digest and length of one file as it is there now, without keeping it. */
  digest(path: string, onBytes?: (bytes: number) => void): Promise<{ sha256: string; bytes: number }>;
}

export interface FetchedModel {
  /** Text in the format of sha256sum. */
  manifest: string;
  /** Lower-case hex, without prefix. */
  digest: string;
  files: readonly (ManifestFile & { bytes: number })[];
  /** Of all files together. */
  bytes: number;
}

const AT_ONCE = 4;
/** What every common file system takes. */
const MAX_NAME_BYTES = 255;
const MAX_PATH_BYTES = 1024;
const SMALL_BYTES = 256 << 10;

/**
 * Fetches a whole model into a folder that is new or empty, and reads its digest on the way.
 * A model without files or without `MLmodel`, and a path that could leave the folder, are errors (exit 4).
 */
export async function fetchModel(source: ModelSource, folder: string, report: Report): Promise<FetchedModel> {
  const listed = await source.files();
  demandModel(
    source.label,
    listed.map((file) => file.path),
  );
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if ((await readdir(folder)).length > 0)
    throw usageError("model.folder", `${folder} is not empty`, "models are fetched into an empty folder");
  return readAll(listed, report, `fetching ${source.label}`, (path, count) =>
    source.fetch(path, join(folder, path), count),
  );
}

/** Reads every byte of a model where it is and returns its digest; nothing is kept. The same refusals as when it is fetched. */
export async function digestModel(source: ModelSource, report: Report): Promise<FetchedModel> {
  const listed = await source.files();
  demandModel(
    source.label,
    listed.map((file) => file.path),
  );
  return readAll(listed, report, `reading ${source.label}`, (path, count) => source.digest(path, count));
}

async function readAll(
  listed: readonly RemoteFile[],
  report: Report,
  label: string,
  read: (path: string, count: (bytes: number) => void) => Promise<{ sha256: string; bytes: number }>,
): Promise<FetchedModel> {
  const total = listed.reduce((sum, file) => sum + file.bytes, 0);
  return withTask(
    report,
    "model.fetch",
    label,
    async (advance) => {
      let done = 0;
      const count = (bytes: number): void => {
        done += bytes;
        advance(done);
      };
      return summary(await inParallel(listed, AT_ONCE, async ({ path }) => ({ path, ...(await read(path, count)) })));
    },
    { total, unit: "bytes" },
  );
}

/** Manifest and digest of a model in a folder. Every file counts, hidden ones too; links and special files are refused (exit 2). */
export async function manifestOfFolder(folder: string): Promise<FetchedModel> {
  const files: (ManifestFile & { bytes: number })[] = [];
  const walk = async (below: string): Promise<void> => {
    for (const entry of await readdir(join(folder, below), { withFileTypes: true })) {
      const path = below === "" ? entry.name : `${below}/${entry.name}`;
      const problem = pathProblem(path);
      if (problem !== undefined) throw usageError("model.path", `${JSON.stringify(path)} in ${folder} ${problem}`);
      if (entry.isDirectory()) await walk(path);
      else if (entry.isFile()) {
        const full = join(folder, path);
        const bytes = lstatSync(full).size;
        files.push({ path, bytes, sha256: bytes <= SMALL_BYTES ? sha256(readFileSync(full)) : await sha256File(full) });
      } else
        throw usageError(
          "model.path",
          `${path} in ${folder} is a link or a special file`,
          "a model holds plain files only",
        );
    }
  };
  await walk("");
  return summary(files);
}

function demandModel(label: string, paths: readonly string[]): void {
  if (paths.length === 0)
    throw outsideError(
      "model.empty",
      `${label} has no files`,
      "its bytes were deleted, or it was never logged: train again",
    );
  for (const path of paths) {
    const problem = pathProblem(path);
    if (problem !== undefined)
      throw outsideError(
        "model.path",
        `${label} holds the path ${JSON.stringify(path)}, which ${problem}`,
        "log the model again without that file",
      );
  }
  const folders = new Set(
    paths.flatMap((path) =>
      path
        .split("/")
        .slice(0, -1)
        .map((_, i, parts) => parts.slice(0, i + 1).join("/")),
    ),
  );
  const clash = paths.find((path) => folders.has(path));
  if (clash !== undefined)
    throw outsideError("model.path", `${label} lists ${JSON.stringify(clash)} as a file and as a folder`);
  const long = paths.find((path) => path.split("/").some((part) => Buffer.byteLength(part) > MAX_NAME_BYTES));
  if (long !== undefined || paths.some((path) => Buffer.byteLength(path) > MAX_PATH_BYTES))
    throw outsideError("model.path", `${label} lists a path that is too long for a disk`);
  if (new Set(paths).size !== paths.length) throw outsideError("model.path", `${label} lists a path twice`);
  if (!paths.includes("MLmodel"))
    throw outsideError("model.mlmodel", `${label} has no file MLmodel`, "log it with mlflow's log_model");
}

function summary(files: readonly (ManifestFile & { bytes: number })[]): FetchedModel {
  const manifest = manifestOf(files);
  return {
    manifest,
    digest: modelDigest(manifest),
    files: [...files].sort((a, b) => byPathBytes(a.path, b.path)),
    bytes: files.reduce((sum, file) => sum + file.bytes, 0),
  };
}
