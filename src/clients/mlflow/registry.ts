import { outsideError } from "../../lib/error.ts";
import { isLoopback } from "../../lib/loopback.ts";
import { inParallel } from "../../lib/parallel.ts";
import type { ModelRegistry, RegisteredModel } from "../../registry/registry.ts";
import { artifactSource } from "./artifacts.ts";
import { createVersion } from "./create-version.ts";
import { demand, find, type MlflowApi } from "./mlflow-api.ts";
import { createFromFolder } from "./own-bytes.ts";
import { ensureModel, findModel } from "./registered-models.ts";
import { downloadUri, nothing, oneModelVersion } from "./schemas.ts";
import { allVersions, findVersion, removeVersion, versionOf } from "./versions.ts";

const AT_ONCE = 4;

/** The model registry of an MLflow server. */
export function mlflowRegistry(api: MlflowApi): ModelRegistry {
  const setTags = async (path: string, what: object, tags: Readonly<Record<string, string>>): Promise<void> => {
    await inParallel(Object.entries(tags), AT_ONCE, ([key, value]) =>
      demand(api, { method: "POST", path, json: { ...what, key, value }, idempotent: true }, nothing),
    );
  };
  /** Who asks while the same is being asked gets the same answer. */
  const asked = new Map<string, Promise<RegisteredModel | undefined>>();
  const model = (name: string): Promise<RegisteredModel | undefined> => {
    const answer = asked.get(name) ?? findModel(api, name).finally(() => asked.delete(name));
    asked.set(name, answer);
    return answer;
  };
  return {
    place: api.uri,
    local: isLoopback(new URL(api.uri).hostname),
    bytesAreFixed: false,
    missingRights: async () => [],
    async versionByAlias(model, alias) {
      const query = { name: model, alias };
      const found = await find(api, { method: "GET", path: "registered-models/alias", query }, oneModelVersion);
      return found === undefined ? undefined : versionOf(found.model_version, model);
    },
    version: (model, version) => findVersion(api, model, version),
    filesOf({ model, version }) {
      return artifactSource(api.artifacts, `${model} v${version}`, async () => {
        const query = { name: model, version };
        const found = await find(api, { method: "GET", path: "model-versions/get-download-uri", query }, downloadUri);
        if (found === undefined) throw outsideError("version.missing", `there is no ${model} v${version}`);
        return found.artifact_uri;
      });
    },
    model,
    versions: (name) => allVersions(api, name, () => model(name)),
    async ensureModel(model) {
      await ensureModel(api, model);
    },
    createFromRun: (request) => createVersion(api, request, request),
    createFromFolder: (request, report) => createFromFolder(api, request, report),
    removeVersion: (model, version) => removeVersion(api, model, version),
    async setAlias(model, alias, version) {
      const json = { name: model, alias, version };
      await demand(api, { method: "POST", path: "registered-models/alias", json, idempotent: true }, nothing);
    },
    async removeAlias(model, alias) {
      // Name and alias go into the body: MLflow does not read them from the query.
      const json = { name: model, alias };
      await find(api, { method: "DELETE", path: "registered-models/alias", json }, nothing);
    },
    setModelTags: (model, tags) => setTags("registered-models/set-tag", { name: model }, tags),
    setVersionTags: (model, version, tags) => setTags("model-versions/set-tag", { name: model, version }, tags),
    clock: () => api.clock(),
  };
}
