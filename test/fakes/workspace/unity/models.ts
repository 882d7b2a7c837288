import { randomUUID } from "node:crypto";
import { type Ask, refuse } from "../route.ts";
import { checkAlias, checkTags, objectName, threeParts } from "./names.ts";
import { demand, demandContainers, demandExists, holds, missing, owns } from "./rights.ts";
import { born, fullNameOf, grantKey, type Model, parentOf, unity } from "./store.ts";

/** What both families of calls do to a registered model. Every one looks at the rights first. */
export function makeModel(
  ask: Ask,
  model: {
    fullName: string;
    comment: string | undefined;
    tags?: readonly { key: string; value: string }[];
    deploymentJobId?: string;
  },
): Model {
  const fullName = threeParts(model.fullName);
  const [catalog_name = "", schema_name = "", name = ""] = fullName.split(".");
  const schema = parentOf(fullName);
  demandContainers(ask.state, ask.principal, "function", fullName);
  demand(ask.state, ask.principal, "schema", schema, "CREATE_MODEL", "CREATE_FUNCTION");
  const { models } = unity.of(ask.state);
  if (models.has(fullName)) throw new AlreadyThere(fullName);
  checkTags(new Map(), model.tags ?? []);
  const made: Model = {
    ...born(ask.principal.name, ask.now(), model.comment),
    name,
    catalog_name,
    schema_name,
    id: randomUUID(),
    tags: new Map(model.tags?.map(({ key, value }) => [key, value])),
    aliases: new Map(),
    versions: new Map(),
    nextVersion: 1,
    deploymentJobId: model.deploymentJobId ?? "",
  };
  models.set(fullName, made);
  return made;
}

/** The two families name the same refusal differently (reference 1.6), so each makes its own of it. */
export class AlreadyThere extends Error {
  constructor(readonly fullName: string) {
    super(`Routine or Model '${fullName}' already exists.`);
  }
}

/** A model that the principal may see: EXECUTE, or what manages it. */
export function readModel(ask: Ask, name: string): Model {
  const fullName = threeParts(name);
  const model = modelInReach(ask, fullName);
  demand(ask.state, ask.principal, "function", fullName, "EXECUTE", "MANAGE");
  return model;
}

/** For changes: owner or MANAGE. */
export function manageModel(ask: Ask, name: string): Model {
  const fullName = threeParts(name);
  const model = modelInReach(ask, fullName);
  demand(ask.state, ask.principal, "function", fullName, "MANAGE");
  return model;
}

/** For tags: owner or APPLY TAG, without EXECUTE. */
export function tagModel(ask: Ask, name: string): Model {
  const fullName = threeParts(name);
  const model = modelInReach(ask, fullName);
  demand(ask.state, ask.principal, "function", fullName, "APPLY_TAG", "MANAGE");
  return model;
}

/** For a new version: the owner, or CREATE MODEL VERSION, which the vendor's pages name (beta) and the SDK's enum lacks (reference 4.4). */
export function growModel(ask: Ask, name: string): Model {
  const fullName = threeParts(name);
  const model = modelInReach(ask, fullName);
  if (!owns(ask.state, ask.principal, "function", fullName))
    demand(ask.state, ask.principal, "function", fullName, "CREATE_MODEL_VERSION");
  return model;
}

function modelInReach(ask: Ask, fullName: string): Model {
  demandContainers(ask.state, ask.principal, "function", fullName);
  const model = unity.of(ask.state).models.get(fullName);
  if (model === undefined) throw missing("function", fullName);
  return model;
}

/** Models of a schema or of all, that the principal may see. */
export function visibleModels(ask: Ask, schema: string | undefined, browse: boolean): Model[] {
  const seen = (model: Model): boolean => {
    const fullName = fullNameOf(model);
    const may = (privilege: string): boolean => holds(ask.state, ask.principal, "function", fullName, privilege);
    const inside =
      holds(ask.state, ask.principal, "catalog", model.catalog_name, "USE_CATALOG") &&
      holds(ask.state, ask.principal, "schema", parentOf(fullName), "USE_SCHEMA");
    return (inside && (may("EXECUTE") || may("MANAGE"))) || (browse && may("BROWSE"));
  };
  if (schema !== undefined) {
    demandExists(ask.state, "catalog", parentOf(schema));
    demandExists(ask.state, "schema", schema);
  }
  return [...unity.of(ask.state).models.values()]
    .filter((model) => (schema === undefined || parentOf(fullNameOf(model)) === schema) && seen(model))
    .sort((a, b) => (fullNameOf(a) < fullNameOf(b) ? -1 : 1));
}

export function updateModel(
  ask: Ask,
  name: string,
  change: {
    newName?: string | undefined;
    comment?: string | undefined;
    owner?: string | undefined;
    deploymentJobId?: string | undefined;
  },
): Model {
  const model = manageModel(ask, name);
  if (change.owner !== undefined) model.owner = change.owner;
  if (change.comment !== undefined) model.comment = change.comment;
  if (change.deploymentJobId !== undefined) model.deploymentJobId = change.deploymentJobId;
  if (change.newName !== undefined) renameModel(ask, model, change.newName);
  touch(ask, model);
  return model;
}

function renameModel(ask: Ask, model: Model, newName: string): void {
  const { models, grants } = unity.of(ask.state);
  const before = fullNameOf(model);
  const bare = newName.includes(".") ? threeParts(newName) : `${parentOf(before)}.${objectName(newName)}`;
  if (parentOf(bare) !== parentOf(before))
    throw refuse(400, "INVALID_PARAMETER_VALUE", "A model cannot be moved to another schema by renaming it.");
  if (models.has(bare)) throw new AlreadyThere(bare);
  models.delete(before);
  model.name = bare.split(".").at(-1) ?? bare;
  models.set(bare, model);
  const given = grants.get(grantKey("function", before));
  if (given !== undefined) grants.set(grantKey("function", bare), given);
  grants.delete(grantKey("function", before));
}

export function removeModel(ask: Ask, name: string): void {
  const model = manageModel(ask, name);
  const { models, grants } = unity.of(ask.state);
  models.delete(fullNameOf(model));
  grants.delete(grantKey("function", fullNameOf(model)));
}

export function setAlias(ask: Ask, name: string, alias: string, version: number): Model {
  const model = manageModel(ask, name);
  checkAlias(alias);
  const found = model.versions.get(version);
  if (found === undefined) throw missingVersion(model, version);
  if (found.status !== "READY")
    throw refuse(
      400,
      "INVALID_STATE",
      `Version ${version} is ${found.status}; an alias needs a version that is READY.`,
    );
  model.aliases.set(alias, version);
  touch(ask, model);
  return model;
}

export function removeAlias(ask: Ask, name: string, alias: string): void {
  const model = manageModel(ask, name);
  if (!model.aliases.delete(alias)) throw missingAlias(model, alias);
  touch(ask, model);
}

export const missingVersion = (model: Model, version: number | string): Error =>
  refuse(404, "RESOURCE_DOES_NOT_EXIST", `Model version '${version}' of '${fullNameOf(model)}' does not exist.`);
export const missingAlias = (model: Model, alias: string): Error =>
  refuse(404, "RESOURCE_DOES_NOT_EXIST", `Alias '${alias}' of '${fullNameOf(model)}' does not exist.`);

export function touch(ask: Ask, model: Model): void {
  model.updated_at = ask.now();
  model.updated_by = ask.principal.name;
}
