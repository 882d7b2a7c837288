import { outsideError } from "../../lib/error.ts";
import { find, type MlflowApi } from "../mlflow/mlflow-api.ts";
import { nameInWorkspace } from "./names.ts";
import { oneVersion, type VersionBody } from "./schemas.ts";

/** One version, looked at by its number; undefined when there is none. Throws exit 4 for an answer about another one. */
export async function readVersion(api: MlflowApi, model: string, version: string): Promise<VersionBody | undefined> {
  const query = { name: nameInWorkspace(model), version };
  const found = await find(api, { method: "GET", path: "model-versions/get", query }, oneVersion);
  if (found === undefined) return undefined;
  const { model_version: body } = found;
  if (body.name !== query.name || body.version !== version)
    throw outsideError("registry.form", "the workspace was asked for one version and answered with another");
  return body;
}
