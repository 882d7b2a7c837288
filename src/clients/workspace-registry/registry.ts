import { inParallel } from "../../lib/parallel.ts";
import type { ModelRegistry } from "../../registry/registry.ts";
import { ensureOwnExperiment } from "../mlflow/experiments.ts";
import { demand, type MlflowApi } from "../mlflow/mlflow-api.ts";
import { bytesOf, demandKeepable } from "../mlflow/own-bytes.ts";
import { nothing, oneLoggedModel } from "../mlflow/schemas.ts";
import { DIGEST_TAG, EVIDENCE_TAG } from "../version-tags.ts";
import { versionFiles } from "./bytes.ts";
import { ensureModel, findModel } from "./models.ts";
import { nameInWorkspace } from "./names.ts";
import { aliasOf, moveTo, stageOf } from "./stages.ts";
import { allVersions, createVersion, findVersion, removeVersion } from "./versions.ts";

const AT_ONCE = 4;
/** Rights on a registered model, from the least; each holds those before it. */
const RIGHTS = ["CAN_READ", "CAN_EDIT", "CAN_MANAGE_STAGING_VERSIONS", "CAN_MANAGE_PRODUCTION_VERSIONS", "CAN_MANAGE"];

/**
 * The registry that a workspace has of its own (legacy): stages stand for aliases, `Staging` for challenger and `Production` for
 * champion, and a version moves by a transition request whose comment names the evidence.
 */
export function workspaceRegistry(api: MlflowApi): ModelRegistry {
  const setTags = async (path: string, what: object, tags: Readonly<Record<string, string>>): Promise<void> => {
    await inParallel(Object.entries(tags), AT_ONCE, ([key, value]) =>
      demand(api, { method: "POST", path, json: { ...what, key, value }, idempotent: true }, nothing),
    );
  };
  const reason = async (model: string, version: string, does: string): Promise<string> => {
    const tags = (await findVersion(api, model, version))?.tags ?? {};
    const evidence = tags[EVIDENCE_TAG];
    const digest = tags[DIGEST_TAG];
    return `factory: ${does}; model sha256:${digest ?? "not stated"}; evidence sha256:${evidence ?? "not stated"}`;
  };
  return {
    place: api.uri,
    local: false,
    bytesAreFixed: false,
    async versionByAlias(model, alias) {
      const version = (await findModel(api, model))?.aliases[alias];
      return version === undefined ? undefined : findVersion(api, model, version);
    },
    version: (model, version) => findVersion(api, model, version),
    filesOf: ({ model, version }) => versionFiles(api, model, version),
    model: (name) => findModel(api, name),
    versions: (model) => allVersions(api, model),
    async missingRights(model, there) {
      const right = there ? (await findModel(api, model))?.permission : undefined;
      const has = RIGHTS.indexOf(right ?? "");
      // What is not told is not known to be missing, and who makes a model may manage it.
      if (has < 0 || has >= RIGHTS.indexOf("CAN_MANAGE_PRODUCTION_VERSIONS")) return [];
      return [`CAN_MANAGE_PRODUCTION_VERSIONS on the registered model ${nameInWorkspace(model)} (it has ${right})`];
    },
    ensureModel: (model) => ensureModel(api, model),
    async createFromRun({ loggedModelId, runId, ...request }) {
      await ensureModel(api, request.model);
      const path = `logged-models/${encodeURIComponent(loggedModelId)}`;
      const { info } = (await demand(api, { method: "GET", path }, oneLoggedModel)).model;
      return createVersion(api, request, { uri: info.artifact_uri, runId });
    },
    async createFromFolder(request, report) {
      demandKeepable(api, request.files);
      const name = request.model.slice(request.model.indexOf(".") + 1);
      const [experiment] = await Promise.all([
        ensureOwnExperiment(api, request.environment, name),
        request.seen?.model === true ? undefined : ensureModel(api, request.model),
      ]);
      const { model } = await bytesOf(api, experiment, name, request, report);
      return createVersion(api, request, { uri: model.info.artifact_uri });
    },
    removeVersion: (model, version) => removeVersion(api, model, version),
    async setAlias(model, alias, version) {
      await moveTo(api, model, version, stageOf(alias), await reason(model, version, `${alias} is v${version}`));
    },
    async removeAlias(model, alias) {
      const version = (await findModel(api, model))?.aliases[alias];
      if (version === undefined) return;
      const to = aliasOf("Production") === alias ? "Archived" : "None";
      await moveTo(api, model, version, to, await reason(model, version, `v${version} is ${alias} no more`));
    },
    setModelTags: (model, tags) => setTags("registered-models/set-tag", { name: nameInWorkspace(model) }, tags),
    setVersionTags: (model, version, tags) =>
      setTags("model-versions/set-tag", { name: nameInWorkspace(model), version }, tags),
    clock: () => api.clock(),
  };
}
