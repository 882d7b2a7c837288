import { randomUUID } from "node:crypto";
import { modelFiles } from "../files/tree.ts";
import { type Ask, badValue, denied, refuse } from "../route.ts";
import { growModel, manageModel, missingVersion, readModel, touch } from "./models.ts";
import { checkTags } from "./names.ts";
import { checkModelFolder } from "./signature.ts";
import { fullNameOf, type Model, unity, type Version } from "./store.ts";

export interface VersionRequest {
  model: string;
  source: string;
  run_id?: string | undefined;
  run_tracking_server_id?: string | undefined;
  model_id?: string | undefined;
  comment?: string | undefined;
  tags?: readonly { key: string; value: string }[] | undefined;
  dependencies?: readonly { type: string; name: string }[] | undefined;
}

export interface Found {
  model: Model;
  version: Version;
}

/** Told when a version has become READY: deployment jobs start then. Other areas add to it. */
export const whenReady: ((ask: Ask, found: Found) => void)[] = [];

/** A version that waits for its files: PENDING_REGISTRATION, with the next number, which is then spent. */
export function makeVersion(ask: Ask, request: VersionRequest): Found {
  const model = growModel(ask, request.model);
  if (request.source === "") throw badValue("Source must not be empty.");
  checkTags(new Map(), request.tags ?? []);
  const number = model.nextVersion++;
  const id = randomUUID();
  const version: Version = {
    version: number,
    id,
    status: "PENDING_REGISTRATION",
    status_message: "",
    source: request.source,
    run_id: request.run_id,
    run_tracking_server_id: request.run_tracking_server_id,
    model_id: request.model_id,
    comment: request.comment,
    dependencies: [...(request.dependencies ?? [])],
    tags: new Map(request.tags?.map(({ key, value }) => [key, value])),
    storage_location: `s3://metastore/${unity.of(ask.state).metastoreId}/models/${model.id}/versions/${id}`,
    created_at: ask.now(),
    created_by: ask.principal.name,
    updated_at: ask.now(),
    updated_by: ask.principal.name,
    deployment: undefined,
  };
  model.versions.set(number, version);
  touch(ask, model);
  return { model, version };
}

/** Closes a version for writing. Its files must hold an MLmodel with a signature for inputs and outputs, else it fails for good. */
export function finalizeVersion(ask: Ask, name: string, number: number): Found {
  const model = growModel(ask, name);
  const version = model.versions.get(number);
  if (version === undefined) throw missingVersion(model, number);
  if (version.status !== "PENDING_REGISTRATION")
    throw refuse(400, "INVALID_STATE", `Version ${number} is ${version.status}, it cannot be finalized.`);
  demandCreator(ask, version);
  const flaw = checkModelFolder(modelFiles(ask.state, fullNameOf(model), number));
  if (flaw !== undefined) throw badValue(flaw);
  version.status = "READY";
  stamp(ask, version);
  touch(ask, model);
  for (const tell of whenReady) tell(ask, { model, version });
  return { model, version };
}

/** While a version is PENDING only who created it (or the admin) writes its files. */
export function demandCreator(ask: Ask, version: Version): void {
  if (version.created_by !== ask.principal.name && !ask.principal.admin)
    throw denied(`Only the creator of version ${version.version} may write to it.`);
}

export function readVersion(ask: Ask, name: string, number: number): Found {
  const model = readModel(ask, name);
  return versionOf(model, number);
}

export function versionOf(model: Model, number: number): Found {
  const version = model.versions.get(number);
  if (version === undefined) throw missingVersion(model, number);
  return { model, version };
}

/** Newest first. */
export const versionsOf = (model: Model): Version[] =>
  [...model.versions.values()].sort((a, b) => b.version - a.version);

export function updateVersion(ask: Ask, name: string, number: number, comment: string | undefined): Found {
  const found = versionOf(manageModel(ask, name), number);
  found.version.comment = comment;
  stamp(ask, found.version);
  return found;
}

export function removeVersion(ask: Ask, name: string, number: number): void {
  const model = manageModel(ask, name);
  if (!model.versions.delete(number)) throw missingVersion(model, number);
  for (const [alias, version] of model.aliases) if (version === number) model.aliases.delete(alias);
  touch(ask, model);
}

export function stamp(ask: Ask, version: Version): void {
  version.updated_at = ask.now();
  version.updated_by = ask.principal.name;
}
