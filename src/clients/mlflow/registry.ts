import type { ModelReader, ModelVersion } from "../../registry/registry.ts";
import { artifactSource } from "./artifacts.ts";
import { demand, find, type MlflowApi } from "./mlflow-api.ts";
import { downloadUri, type ModelVersionBody, oneModelVersion } from "./schemas.ts";

/** The model registry of an MLflow server. */
export function mlflowRegistry(api: MlflowApi): ModelReader {
  return {
    async versionByAlias(model, alias) {
      const found = await find(
        api,
        { method: "GET", path: "registered-models/alias", query: { name: model, alias } },
        oneModelVersion,
      );
      return found === undefined ? undefined : versionOf(found.model_version);
    },
    async version(model, version) {
      const found = await find(
        api,
        { method: "GET", path: "model-versions/get", query: { name: model, version } },
        oneModelVersion,
      );
      return found === undefined ? undefined : versionOf(found.model_version);
    },
    filesOf({ model, version }) {
      return artifactSource(api, `${model} v${version}`, async () => {
        const query = { name: model, version };
        return (await demand(api, { method: "GET", path: "model-versions/get-download-uri", query }, downloadUri))
          .artifact_uri;
      });
    },
  };
}

function versionOf(body: ModelVersionBody): ModelVersion {
  return {
    model: body.name,
    version: body.version,
    createdAt: body.creation_timestamp,
    runId: body.run_id === "" ? undefined : body.run_id,
    tags: body.tags,
    aliases: body.aliases,
  };
}
