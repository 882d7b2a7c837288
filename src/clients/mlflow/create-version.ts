import type { ModelVersion, VersionRequest } from "../../registry/registry.ts";
import { DIGEST_TAG, digestOf } from "../version-tags.ts";
import { makeOnce, remake } from "./make-once.ts";
import { accept, attempt, isNotFound, type MlflowApi } from "./mlflow-api.ts";
import { ensureModel } from "./registered-models.ts";
import { pairs, tagFilter } from "./runs.ts";
import { oneModelVersion } from "./schemas.ts";
import { nameFilter, removeVersion, searchVersions, versionOf } from "./versions.ts";

/** Bytes that the server has already: a logged model, and the run that made it if it is to be shown. */
export interface VersionSource {
  loggedModelId: string;
  runId?: string;
}

/** The version that an earlier try of this request made: the lowest number above `above` with its digest; undefined without one. */
export async function earlierVersion(api: MlflowApi, request: VersionRequest): Promise<ModelVersion | undefined> {
  const digest = digestOf(request);
  const filter = `${nameFilter(request.model)} and ${tagFilter({ key: DIGEST_TAG, value: digest }, "tag")}`;
  const found = await searchVersions(api, request.model, filter);
  return found
    .filter((each) => Number(each.version) > request.above && each.tags[DIGEST_TAG] === digest)
    .sort((a, b) => Number(a.version) - Number(b.version))[0];
}

/**
 * Registers a logged model as a version, tags inside the create. What an earlier try made is returned instead; `looked` says that
 * it was looked for and is not there. A missing registered model is made.
 */
export async function createVersion(
  api: MlflowApi,
  request: VersionRequest,
  source: VersionSource,
  { looked = false } = {},
): Promise<ModelVersion> {
  const json = {
    name: request.model,
    source: `models:/${source.loggedModelId}`,
    model_id: source.loggedModelId,
    ...(source.runId !== undefined && { run_id: source.runId }),
    tags: pairs(request.tags),
  };
  const create = () => attempt(api, { method: "POST", path: "model-versions/create", json });
  let tries = 0;
  const make = async (): Promise<ModelVersion> => {
    tries++;
    let tried = await create();
    if (isNotFound(tried.reply)) {
      await ensureModel(api, request.model);
      tried = await create();
    }
    const made = versionOf(accept(tried.request, tried.reply, oneModelVersion).model_version, request.model);
    // The caller holds the environment. Who takes it over looks for what this made, and the caller asks the ledger before an alias moves.
    if (tries === 1 && looked) return made;
    // An earlier try may have come through late, after it was looked for; or somebody registers the same at this moment.
    const first = await earlierVersion(api, request);
    if (first === undefined || first.version === made.version) return made;
    await removeVersion(api, request.model, made.version);
    return first;
  };
  const look = () => earlierVersion(api, request);
  return looked ? remake(api, look, make) : makeOnce(api, look, make);
}
