import { randomBytes } from "node:crypto";
import { copyFile, mkdir, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { errnoOf, FactoryError, messageOf, outsideError, usageError } from "../lib/error.ts";
import { fileError } from "../lib/file-error.ts";
import { syncFolder, writeFileAtomic } from "../lib/files.ts";
import { type Report, withTask } from "../lib/progress.ts";
import { readBundle } from "./bundle.ts";
import { BUNDLE_FILE } from "./bundle-index.ts";
import { INDEX_FILE } from "./evidence-index.ts";
import type { ObjectStore } from "./object-store.ts";
import { fetchObject } from "./objects.ts";
import type { NamedObject } from "./plan-export.ts";

export interface ExportRequest {
  objects: readonly NamedObject[];
  /** The whole chain, byte for byte. */
  ledger: Buffer;
  /** Files beside it, such as README.txt and verify.py, by name. */
  documents: Readonly<Record<string, string>>;
  /** The store of an environment; undefined when nobody knows that environment any more. */
  storeOf(environment: string): Promise<ObjectStore | undefined>;
  cacheFolder: string;
  /** New or empty. */
  to: string;
}

export interface Exported {
  evidence: string[];
  bundles: string[];
  files: number;
}

/**
 * Writes ledger, evidence, bundles and documents into a folder, whole or not at all. Every object is verified by its digest.
 * Throws exit 2 when the folder is not empty, exit 4 when no store has an object that the ledger names.
 */
export async function applyExport(request: ExportRequest, report: Report): Promise<Exported> {
  const { to } = request;
  await demandEmpty(to);
  const temporary = join(dirname(to), `.${basename(to)}.${randomBytes(6).toString("hex")}.tmp`);
  const done: Exported = { evidence: [], bundles: [], files: 0 };
  const write = (path: string, data: string | Uint8Array): void => {
    writeFileAtomic(join(temporary, path), data);
    done.files += 1;
  };
  try {
    await mkdir(temporary, { recursive: true });
    write("ledger.jsonl", request.ledger);
    for (const [name, text] of Object.entries(request.documents)) write(name, text);
    await withTask(
      report,
      "evidence.export",
      "collecting evidence and bundles",
      async (advance) => {
        const queue = [...request.objects];
        for (let object = queue.shift(); object !== undefined; object = queue.shift()) {
          const folder = await fetchFromAny(request, object);
          await copyObject(folder, object, temporary, done);
          // A rollback decides about a version that another candidate's entries speak of.
          if (object.index === BUNDLE_FILE) {
            const { evidence } = await readBundle(folder, object.digest);
            if (!done.evidence.includes(evidence) && !queue.some((each) => each.digest === evidence))
              queue.push({ digest: evidence, index: INDEX_FILE, environments: object.environments });
          }
          advance(done.evidence.length + done.bundles.length);
        }
      },
      { unit: "steps", total: request.objects.length },
    );
    await rename(temporary, to);
    syncFolder(dirname(to));
  } catch (error) {
    if (["ENOTEMPTY", "EEXIST", "ENOTDIR"].includes(errnoOf(error) ?? "")) throw notEmpty(to);
    throw fileError(error, to);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  return done;
}

/** Throws exit 2 unless the folder is new or empty. */
export async function demandEmpty(folder: string): Promise<void> {
  try {
    if ((await readdir(folder)).length > 0) throw notEmpty(folder);
  } catch (error) {
    if (errnoOf(error) === "ENOTDIR")
      throw usageError("export.folder", `${folder} is no folder`, "name a new or empty folder: --to DIR");
    if (errnoOf(error) !== "ENOENT") throw error;
  }
}

function notEmpty(folder: string) {
  return usageError("export.folder", `${folder} is not empty`, "name a new or empty folder: --to DIR");
}

async function fetchFromAny(request: ExportRequest, object: NamedObject): Promise<string> {
  const reasons: string[] = [];
  let hint: string | undefined;
  for (const environment of object.environments) {
    const store = await request.storeOf(environment);
    if (store === undefined) {
      reasons.push(`${environment}: no such environment in the policy in force`);
      continue;
    }
    try {
      return await fetchObject(store, object.digest, object.index, request.cacheFolder);
    } catch (error) {
      reasons.push(`${environment}: ${messageOf(error)}`);
      if (error instanceof FactoryError) hint ??= error.hint;
    }
  }
  throw outsideError(
    "export.missing",
    `${object.index === BUNDLE_FILE ? "bundle" : "evidence"} ${object.digest} cannot be had. ${reasons.join("; ")}`,
    `${hint === undefined ? "" : `${hint}; `}nothing was written: an export without a part that the ledger names would prove less than it seems`,
  );
}

async function copyObject(folder: string, object: NamedObject, to: string, done: Exported): Promise<void> {
  const isBundle = object.index === BUNDLE_FILE;
  const target = join(to, isBundle ? "bundles" : "evidence", object.digest);
  const copy = async (below: string): Promise<void> => {
    await mkdir(join(target, below), { recursive: true });
    for (const entry of await readdir(join(folder, below), { withFileTypes: true })) {
      const path = below === "" ? entry.name : `${below}/${entry.name}`;
      if (entry.isDirectory()) await copy(path);
      else await copyFile(join(folder, path), join(target, path));
      if (entry.isFile()) done.files += 1;
    }
  };
  await copy("");
  (isBundle ? done.bundles : done.evidence).push(object.digest);
}
