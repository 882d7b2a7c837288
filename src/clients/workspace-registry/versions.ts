import { setTimeout as sleep } from "node:timers/promises";
import { changedError, outsideError } from "../../lib/error.ts";
import type { ModelVersion, VersionRequest } from "../../registry/registry.ts";
import { makeOnce } from "../mlflow/make-once.ts";
import { demand, find, type MlflowApi } from "../mlflow/mlflow-api.ts";
import { pairs } from "../mlflow/runs.ts";
import { nothing } from "../mlflow/schemas.ts";
import { nameFilter } from "../mlflow/versions.ts";
import { DIGEST_TAG } from "../version-tags.ts";
import { nameInWorkspace } from "./names.ts";
import { readVersion } from "./one-version.ts";
import { oneVersion, type VersionBody, versions } from "./schemas.ts";
import { aliasOf } from "./stages.ts";

const PAGE = 1000;
const MAX_PAGES = 100;
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 5000;
/** The registry copies the files of a version to a place of its own. */
const LONGEST_MS = 15 * 60_000;

export async function findVersion(api: MlflowApi, name: string, version: string): Promise<ModelVersion | undefined> {
  const found = await readVersion(api, name, version);
  return found && versionOf(found, name);
}

/** Every version, highest number first; its stage as an alias. */
export async function allVersions(api: MlflowApi, name: string): Promise<readonly ModelVersion[]> {
  const found = (await search(api, name)).map((each) => versionOf(each, name));
  return found.sort((a, b) => Number(b.version) - Number(a.version));
}

async function search(api: MlflowApi, name: string): Promise<VersionBody[]> {
  const found: VersionBody[] = [];
  for (let token = "", pages = 0; ; pages++) {
    if (pages === MAX_PAGES)
      throw outsideError("registry.pages", `${api.label} lists the versions of ${name} without end`);
    const query = {
      filter: nameFilter(nameInWorkspace(name)),
      max_results: String(PAGE),
      ...(token !== "" && { page_token: token }),
    };
    const page = await demand(api, { method: "GET", path: "model-versions/search", query }, versions);
    found.push(...page.model_versions);
    token = page.next_page_token;
    if (token === "") return found;
  }
}

/**
 * A version from files of this workspace's tracking, tags inside the create, once its own copy of them is made. What an earlier try
 * made is found by its digest tag, since a create is not safe to repeat; one that failed is removed.
 */
export async function createVersion(
  api: MlflowApi,
  request: VersionRequest,
  source: { uri: string; runId?: string },
): Promise<ModelVersion> {
  const { model: name } = request;
  const look = async () => (await earlierVersions(api, request))[0];
  const made = await makeOnce(api, look, async () => {
    const json = {
      name: nameInWorkspace(name),
      source: source.uri,
      ...(source.runId !== undefined && { run_id: source.runId }),
      tags: pairs(request.tags),
    };
    const { model_version } = await demand(api, { method: "POST", path: "model-versions/create", json }, oneVersion);
    // Another one may have come through late: the lowest number stays.
    const [first = model_version] = await earlierVersions(api, request);
    if (first.version !== model_version.version) await removeVersion(api, name, model_version.version);
    return first;
  });
  return ready(api, name, made);
}

async function earlierVersions(api: MlflowApi, request: VersionRequest): Promise<VersionBody[]> {
  const digest = request.tags[DIGEST_TAG];
  const mine = (await search(api, request.model)).filter(
    (each) => Number(each.version) > request.above && each.tags[DIGEST_TAG] === digest,
  );
  for (const { version } of mine.filter((each) => each.status.startsWith("FAILED")))
    await removeVersion(api, request.model, version);
  return mine.filter((each) => !each.status.startsWith("FAILED")).sort((a, b) => Number(a.version) - Number(b.version));
}

/** The version once it is READY. Throws exit 4 when its copy could not be made, or takes too long. */
async function ready(api: MlflowApi, name: string, made: VersionBody): Promise<ModelVersion> {
  const { version } = made;
  const started = performance.now();
  for (let now = made, pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    if (now.status === "READY") return versionOf(now, name);
    if (now.status.startsWith("FAILED"))
      throw outsideError("registry.failed", `${name} v${version} could not be registered: ${now.status_message}`);
    if (performance.now() - started > LONGEST_MS)
      throw outsideError("registry.slow", `${name} v${version} is still ${now.status}`, "run the same command again");
    await sleep(pauseMs, undefined, api.signal === undefined ? {} : { signal: api.signal });
    const next = await readVersion(api, name, version);
    if (next === undefined) throw outsideError("registry.failed", `${name} v${version} is gone while it was made`);
    now = next;
  }
}

/** Removes a version that is in no stage (else exit 5). */
export async function removeVersion(api: MlflowApi, name: string, version: string): Promise<void> {
  const there = await findVersion(api, name, version);
  if (there === undefined) return;
  if (there.aliases.length > 0)
    throw changedError(
      "version.alias",
      `${name} v${version} is ${there.aliases.join(", ")} by now, so it is not removed`,
      "look at it with factory status",
    );
  const query = { name: nameInWorkspace(name), version };
  await find(api, { method: "DELETE", path: "model-versions/delete", query }, nothing);
}

function versionOf(body: VersionBody, name: string): ModelVersion {
  if (body.name !== nameInWorkspace(name))
    throw outsideError("registry.form", "the workspace was asked for one model and answered with another");
  const alias = aliasOf(body.current_stage);
  return {
    model: name,
    version: body.version,
    createdAt: body.creation_timestamp,
    runId: body.run_id === "" ? undefined : body.run_id,
    tags: body.tags,
    aliases: alias === undefined ? [] : [alias],
  };
}
