import type { ObjectStore, StoredFile } from "../../evidence/object-store.ts";
import { changedError, FactoryError, outsideError } from "../../lib/error.ts";
import { sha256 } from "../../lib/hash.ts";
import { inParallel } from "../../lib/parallel.ts";
import { digestFile, listBelow, makeFolder, readFileBytes, readWhole, writeNewFile } from "./files.ts";
import { quotedName, withGrants } from "./grants.ts";
import type { Workspace } from "./workspace.ts";

const AT_ONCE = 4;

/** Evidence and bundles in folders of a Unity Catalog volume, `catalog.schema.volume`: one folder per digest, files written once. */
export function volumeObjects(workspace: Workspace, volume: string): ObjectStore {
  const base = `/Volumes/${volume.split(".").join("/")}/factory-evidence`;
  const rootOf = (digest: string): string => {
    if (!/^[0-9a-f]{64}$/.test(digest)) throw new TypeError("an object is addressed by a SHA-256 in lower-case hex");
    return `${base}/${digest}`;
  };
  const reading = <T>(work: () => Promise<T>) => withGrants(workspace, [["READ VOLUME", "VOLUME", volume]], work);
  const writing = <T>(work: () => Promise<T>) => withGrants(workspace, [["WRITE VOLUME", "VOLUME", volume]], work);
  /** By path, as they were listed. */
  const lengths = new Map<string, number>();
  return {
    async list(digest) {
      const root = rootOf(digest);
      const found = await reading(() => listBelow(workspace, root, `object ${digest}`));
      for (const { path, bytes } of found) lengths.set(`${root}/${path}`, bytes);
      return found.map((each) => each.path).sort();
    },
    async read(digest, path, maxBytes) {
      const whole = `${rootOf(digest)}/${demandPath(path)}`;
      const read = async () => {
        const body = await readFileBytes(workspace, whole, maxBytes);
        return { body, bytes: body?.length ?? 0 };
      };
      const found = await reading(() => readWhole(`${path} of object ${digest}`, lengths.get(whole), read));
      return found.body;
    },
    async write(digest, files) {
      const root = rootOf(digest);
      for (const { path } of files) demandPath(path);
      const there = new Set(
        (await reading(() => listBelow(workspace, root, `object ${digest}`))).map((each) => each.path),
      );
      const missing = files.filter((each) => !there.has(each.path));
      await writing(async () => {
        // A folder is made with those above it.
        const folders = new Set(missing.map(({ path }) => [root, ...path.split("/").slice(0, -1)].join("/")));
        const deepest = [...folders].filter((each) => ![...folders].some((other) => other.startsWith(`${each}/`)));
        await inParallel(deepest, AT_ONCE, (folder) => inVolume(volume, () => makeFolder(workspace, folder)));
        await inParallel(missing, AT_ONCE, (file) => writeOnce(workspace, `${root}/${file.path}`, file));
      });
      await reading(() => inParallel(files, AT_ONCE, (file) => readBack(workspace, `${root}/${file.path}`, file)));
    },
  };
}

/** Writes one file unless somebody wrote it meanwhile; what is there then is read back by the caller. */
async function writeOnce(workspace: Workspace, path: string, file: StoredFile): Promise<void> {
  const bytes = await file.bytes();
  if (sha256(bytes) !== file.sha256)
    throw changedError("upload.changed", `${file.path} changed before it was sent`, "run the command again");
  await writeNewFile(workspace, path, bytes);
}

async function readBack(workspace: Workspace, path: string, file: StoredFile): Promise<void> {
  const found = await digestFile(workspace, path);
  if (found === file.sha256) return;
  throw outsideError(
    "object.bytes",
    `${file.path} is in the evidence store of ${workspace.label} with ${found === undefined ? "no" : "other"} bytes${found === undefined ? "" : ` (sha256:${found})`}; it was never overwritten`,
    `look at ${path}; remove it there if it is not wanted`,
  );
}

/** A folder cannot be made in a volume that is not there; factory makes no volume, since whoever owns the schema decides about it. */
async function inVolume<T>(volume: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof FactoryError) || error.code !== "http.404") throw error;
    throw outsideError(
      "volume.missing",
      `there is no volume ${volume}, where evidence is kept`,
      `CREATE VOLUME ${quotedName(volume)}; or name another one: registry.volume in policy.yaml`,
      error,
    );
  }
}

/** Callers have checked their paths; a store never leaves its folder all the same. */
function demandPath(path: string): string {
  if (path.split("/").some((part) => ["", ".", ".."].includes(part)) || /[\\\0]/.test(path))
    throw new TypeError(`${JSON.stringify(path)} is no path of an object`);
  return path;
}
