import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import { FactoryError, outsideError } from "../../lib/error.ts";
import type { Report } from "../../lib/progress.ts";
import { makeWorkFolder } from "../../lib/work-folder.ts";
import type { ModelSource, RemoteFile } from "../../registry/model-files.ts";
import type { ModelVersion } from "../../registry/registry.ts";
import { filesSource } from "../databricks/files.ts";
import { type PythonWorld, runPython } from "./python.ts";
import { plainName } from "./versions.ts";

type Place = Pick<ModelVersion, "model" | "version">;

const SILENT: Report = () => {};

/** The bytes of a version: through the Files API where the workspace has them there, else with MLflow's client from the cloud's storage. */
export function modelBytes(world: PythonWorld, files: () => Promise<boolean>, place: Place): ModelSource {
  const label = `${place.model} v${place.version}`;
  const [catalog, schema, model] = plainName(place.model).split(".");
  const root = `/Models/${catalog}/${schema}/${model}/${place.version}`;
  const missing = () => outsideError("version.missing", `there is no ${label}`);
  const direct = filesSource(world.workspace, root, label, missing, { lone: true });
  const byClient = clientSource(world, place, label);
  const source = async () => ((await files()) ? direct : byClient);
  return {
    label,
    files: async () => (await source()).files(),
    fetch: async (path, to, onBytes) => (await source()).fetch(path, to, onBytes),
    digest: async (path, onBytes) => (await source()).digest(path, onBytes),
  };
}

/** Fetches the whole model when its files are listed, and hands them out from there; a single file is fetched alone. */
function clientSource(world: PythonWorld, place: Place, label: string): ModelSource {
  let whole: Promise<string> | undefined;
  const fetchTo = async (path?: string): Promise<string> => {
    const folder = makeWorkFolder(join(world.cache, "unity-catalog")).path;
    const asked = { what: "fetch" as const, ...place, folder, ...(path !== undefined && { path }) };
    try {
      await runPython(world, asked, { files: false, report: SILENT });
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error instanceof FactoryError && /RESOURCE_DOES_NOT_EXIST|_DOES_NOT_EXIST|NOT_FOUND/.test(error.message)
        ? outsideError("version.missing", `there is no ${label}`, undefined, error)
        : error;
    }
    return folder;
  };
  const fileAt = async (path: string): Promise<string> => join(await (whole ?? fetchTo(path)), path);
  return {
    label,
    async files() {
      whole = fetchTo();
      return filesBelow(await whole);
    },
    async fetch(path, to, onBytes) {
      const from = await fileAt(path);
      await mkdir(dirname(to), { recursive: true });
      const read = await digestOf(from, onBytes);
      await rename(from, to);
      return read;
    },
    async digest(path, onBytes) {
      const from = await fileAt(path);
      const read = await digestOf(from, onBytes);
      await rm(from);
      return read;
    },
  };
}

async function filesBelow(folder: string): Promise<RemoteFile[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((each) => !each.isDirectory()).map((each) => join(each.parentPath, each.name));
  return Promise.all(
    paths.map(async (path) => ({ path: relative(folder, path).split(sep).join("/"), bytes: (await stat(path)).size })),
  );
}

async function digestOf(path: string, onBytes: (bytes: number) => void = () => {}) {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) {
    if (!(chunk instanceof Uint8Array)) continue;
    hash.update(chunk);
    onBytes(chunk.byteLength);
  }
  return { sha256: hash.digest("hex"), bytes: (await stat(path)).size };
}
