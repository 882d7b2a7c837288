import { changedError, outsideError } from "../../lib/error.ts";
import type { ModelVersion, RegisteredModel } from "../../registry/registry.ts";
import { demand, find, type MlflowApi } from "./mlflow-api.ts";
import { type ModelVersionBody, modelVersions, nothing, oneModelVersion } from "./schemas.ts";

const PAGE = 500;
const MAX_PAGES = 200;

/** One version with its tags and aliases; undefined when there is none. */
export async function findVersion(api: MlflowApi, model: string, version: string): Promise<ModelVersion | undefined> {
  const query = { name: model, version };
  const found = await find(api, { method: "GET", path: "model-versions/get", query }, oneModelVersion);
  if (found !== undefined && found.model_version.version !== version)
    throw outsideError("mlflow.form", `the MLflow server was asked for ${model} v${version} and answered with another`);
  return found === undefined ? undefined : versionOf(found.model_version, model);
}

/** Every version, highest number first, with aliases; empty when there is no such model. */
export async function allVersions(
  api: MlflowApi,
  model: string,
  registered: () => Promise<RegisteredModel | undefined>,
): Promise<readonly ModelVersion[]> {
  // The search does not say the aliases.
  const [versions, found] = await Promise.all([searchVersions(api, model, nameFilter(model)), registered()]);
  const byAlias = Object.entries(found?.aliases ?? {});
  return versions
    .map((each) => ({
      ...each,
      aliases: byAlias.filter(([, version]) => version === each.version).map(([alias]) => alias),
    }))
    .sort((a, b) => Number(b.version) - Number(a.version));
}

/** Versions that match a filter in MLflow's search language, without their aliases. */
export async function searchVersions(api: MlflowApi, model: string, filter: string): Promise<ModelVersion[]> {
  const found: ModelVersion[] = [];
  for (let token = "", pages = 0; ; pages++) {
    if (pages === MAX_PAGES)
      throw outsideError(
        "mlflow.pages",
        `${api.label} lists the versions of ${model} without end`,
        "is it really an MLflow server?",
      );
    const query = { filter, max_results: String(PAGE), ...(token !== "" && { page_token: token }) };
    const page = await demand(api, { method: "GET", path: "model-versions/search", query }, modelVersions);
    found.push(...page.model_versions.map((each) => versionOf(each, model)));
    token = page.next_page_token;
    if (token === "") return found;
  }
}

/** Removes a version, once it is seen that no alias names it (else exit 5): MLflow would remove the alias with it. */
export async function removeVersion(api: MlflowApi, model: string, version: string): Promise<void> {
  const there = await findVersion(api, model, version);
  if (there === undefined) return;
  if (there.aliases.length > 0)
    throw changedError(
      "version.alias",
      `${model} v${version} carries the alias ${there.aliases.join(", ")} by now, so it is not removed`,
      "look at it with factory status",
    );
  // A repeat after a lost reply finds it gone.
  await find(api, { method: "DELETE", path: "model-versions/delete", json: { name: model, version } }, nothing);
}

export function nameFilter(model: string): string {
  if (/['"`\\]/.test(model)) throw new TypeError("the name of a registered model holds no quotes");
  return `name = '${model}'`;
}

/** Throws exit 4 when the server speaks of another model than the one it was asked for. */
export function versionOf(body: ModelVersionBody, model: string): ModelVersion {
  if (body.name !== model)
    throw outsideError(
      "mlflow.form",
      `the MLflow server was asked for ${model} and answered with ${JSON.stringify(body.name.slice(0, 100))}`,
    );
  return {
    model: body.name,
    version: body.version,
    createdAt: body.creation_timestamp,
    runId: body.run_id === "" ? undefined : body.run_id,
    tags: body.tags,
    aliases: body.aliases,
  };
}
