import { FactoryError, outsideError } from "../../lib/error.ts";
import type { RegisteredModel } from "../../registry/registry.ts";
import { remake } from "../mlflow/make-once.ts";
import { accept, attempt, find, type MlflowApi } from "../mlflow/mlflow-api.ts";
import { nothing } from "../mlflow/schemas.ts";
import { nameInWorkspace } from "./names.ts";
import { oneModel } from "./schemas.ts";
import { aliasOf } from "./stages.ts";

export interface WorkspaceModel extends RegisteredModel {
  /** What we may do with it, in Databricks' own words; undefined when it is not told. */
  permission: string | undefined;
}

/** Tags and aliases of a registered model; undefined when there is none. */
export async function findModel(api: MlflowApi, name: string): Promise<WorkspaceModel | undefined> {
  const path = "databricks/registered-models/get";
  const inWorkspace = nameInWorkspace(name);
  const asked = find(api, { method: "GET", path, query: { name: inWorkspace } }, oneModel);
  const found = (await asked.catch(switchedOff))?.registered_model_databricks;
  if (found === undefined) return undefined;
  if (found.name !== inWorkspace)
    throw outsideError("registry.form", `${api.label} was asked for ${name} and answered with another model`);
  const aliases = found.latest_versions.flatMap((each) => {
    const alias = aliasOf(each.current_stage);
    return alias === undefined ? [] : [[alias, each.version] as const];
  });
  return { name, tags: found.tags, aliases: Object.fromEntries(aliases), permission: found.permission_level };
}

/** A workspace may have no registry of its own any more; running the command again changes nothing about that. */
function switchedOff(error: unknown): never {
  if (error instanceof FactoryError && error.message.includes("FEATURE_DISABLED"))
    throw outsideError(
      "registry.disabled",
      error.message,
      "use Unity Catalog: registry: { kind: unity-catalog, … } in policy.yaml",
      error,
    );
  throw error;
}

/** Makes the registered model when it is not there. Safe to repeat: names are unique. */
export async function ensureModel(api: MlflowApi, name: string): Promise<void> {
  if ((await findModel(api, name)) !== undefined) return;
  const look = async () => ((await findModel(api, name)) === undefined ? undefined : true);
  await remake(api, look, async () => {
    const tried = await attempt(api, {
      method: "POST",
      path: "registered-models/create",
      json: { name: nameInWorkspace(name) },
    });
    // Somebody else made it in between; the status that says so differs.
    if (tried.reply.status >= 400 && (await look())) return true;
    accept(tried.request, tried.reply, nothing);
    return true;
  });
}
