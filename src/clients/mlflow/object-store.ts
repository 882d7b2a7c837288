import type { ObjectStore, StoredFile } from "../../evidence/object-store.ts";
import { changedError, outsideError } from "../../lib/error.ts";
import { sha256 } from "../../lib/hash.ts";
import { inParallel } from "../../lib/parallel.ts";
import { ensureOwnExperiment, findOwnExperiment } from "./experiments.ts";
import { remake } from "./make-once.ts";
import { demand, type MlflowApi } from "./mlflow-api.ts";
import { createRunOnce, searchRuns } from "./runs.ts";
import { nothing, type RunBody } from "./schemas.ts";

/** Names the digest of the object that a run keeps. */
const OBJECT_TAG = "factory.object";
const AT_ONCE = 4;
/** Two writers at once may make a run each; more than a few are somebody's mistake. */
const MAX_RUNS = 20;

/**
 * Evidence and bundles of one environment and model (its name in factory.yaml), as artifacts of runs in an experiment of factory's
 * own: one run per digest, found by its tag. What several runs of one digest hold counts together, the earliest first.
 */
export function mlflowObjects(api: MlflowApi, environment: string, modelName: string): ObjectStore {
  const roots = new Map<string, readonly string[]>();

  const search = (id: string, digest: string): Promise<RunBody[]> =>
    searchRuns(api, id, { key: OBJECT_TAG, value: digest }, { max: MAX_RUNS });
  const rootOf = (run: RunBody, digest: string): string =>
    `${api.artifacts.place(run.info.artifact_uri, `run ${run.info.run_id}`)}/factory-evidence/${digest}`;
  /** Where files of this digest may be. Kept while there are any: another writer's run would hold the same bytes. */
  const rootsOf = async (digest: string): Promise<readonly string[]> => {
    demandDigest(digest);
    const known = roots.get(digest);
    if (known !== undefined) return known;
    const id = await findOwnExperiment(api, environment, modelName);
    if (id === undefined) return [];
    const found = (await search(id, digest)).map((run) => rootOf(run, digest));
    if (found.length > 0) roots.set(digest, found);
    return found;
  };
  const placesOf = async (digest: string): Promise<Map<string, string>> => {
    const places = new Map<string, string>();
    for (const root of await rootsOf(digest)) {
      for (const { path } of await api.artifacts.list(root, `object ${digest}`))
        if (!places.has(path)) places.set(path, `${root}/${path}`);
    }
    return places;
  };

  return {
    list: async (digest) => [...(await placesOf(digest)).keys()].sort(),
    async read(digest, path, maxBytes) {
      demandPath(path);
      for (const root of await rootsOf(digest)) {
        const found = await api.artifacts.read(`${root}/${path}`, maxBytes);
        if (found !== undefined) return found;
      }
      return undefined;
    },
    async write(digest, files, { model, what }) {
      demandDigest(digest);
      for (const { path } of files) demandPath(path);
      const id = await ensureOwnExperiment(api, environment, modelName);
      const there = await search(id, digest);
      const tags = {
        [OBJECT_TAG]: digest,
        "factory.object.kind": what,
        "factory.model": model,
        "factory.environment": environment,
      };
      const name = `${what} ${digest.slice(0, 12)}…`;
      const run =
        there[0] ??
        (await remake(
          api,
          async () => (await search(id, digest))[0],
          () => createRunOnce(api, { experimentId: id, name, tags, startedAt: new Date() }),
        ));
      roots.set(
        digest,
        (there.length === 0 ? [run] : there).map((each) => rootOf(each, digest)),
      );
      const places = there.length === 0 ? new Map<string, string>() : await placesOf(digest);
      const root = rootOf(run, digest);
      await inParallel(files, AT_ONCE, (file) => ensureFile(api, places.get(file.path), `${root}/${file.path}`, file));
      if (run.info.status === "FINISHED") return;
      const json = { run_id: run.info.run_id, status: "FINISHED", end_time: Date.now() };
      await demand(api, { method: "POST", path: "runs/update", json, idempotent: true }, nothing);
    },
  };
}

/** Writes one file unless it is there, and reads back what is there then. */
async function ensureFile(
  api: MlflowApi,
  present: string | undefined,
  destination: string,
  file: StoredFile,
): Promise<void> {
  if (present === undefined) {
    const bytes = await file.bytes();
    if (sha256(bytes) !== file.sha256)
      throw changedError("upload.changed", `${file.path} changed before it was sent`, "run the command again");
    await api.artifacts.putBytes(destination, bytes);
  }
  const found = await api.artifacts.digestAt(present ?? destination);
  if (found !== file.sha256)
    throw outsideError(
      "object.bytes",
      `${file.path} is in the evidence store of ${api.uri} with ${found === undefined ? "no" : "other"} bytes${found === undefined ? "" : ` (sha256:${found})`}; it was never overwritten`,
      `look at the artifact ${present ?? destination}; remove it there if it is not wanted`,
    );
}

function demandDigest(digest: string): void {
  if (!/^[0-9a-f]{64}$/.test(digest)) throw new TypeError("an object is addressed by a SHA-256 in lower-case hex");
}

/** Callers have checked their paths; a store never leaves its folder all the same. */
function demandPath(path: string): void {
  if (path.split("/").some((part) => ["", ".", ".."].includes(part)) || /[\\\0]/.test(path))
    throw new TypeError(`${JSON.stringify(path)} is no path of an object`);
}
