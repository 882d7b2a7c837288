import { outsideError } from "../../lib/error.ts";
import { problemOf } from "../../lib/http.ts";
import type { RegisteredModel } from "../../registry/registry.ts";
import { accept } from "../databricks/replies.ts";
import type { Workspace, WorkspaceCall } from "../databricks/workspace.ts";
import { aliased, modelAliases, nothing, registeredModel } from "./schemas.ts";
import { ownTags } from "./tags.ts";
import { plainName, REGISTRY } from "./versions.ts";

const MODELS = "/api/2.1/unity-catalog/models";
/** The aliases that factory uses, in the order in which it tells them. */
const ALIASES = ["champion", "challenger"] as const;

/** Tags and aliases of a registered model; undefined when there is none. `there`: it is known to be there, so that aliases need not wait. */
export async function findModel(
  workspace: Workspace,
  model: string,
  there = false,
): Promise<RegisteredModel | undefined> {
  const query = { name: plainName(model) };
  const path = `${REGISTRY}/registered-models/get`;
  const ask = workspace.find({ method: "GET", path, query }, registeredModel);
  const [found, early] = await Promise.all([ask, there ? findAliases(workspace, model) : undefined]);
  if (found === undefined) return undefined;
  const { name, tags, deployment_job_id: job } = found.registered_model;
  if (name !== model) throw otherModel(workspace, model, name);
  return {
    name,
    tags: ownTags(tags),
    aliases: early ?? (await findAliases(workspace, model)),
    ...(job !== "" && { deploymentJob: job }),
  };
}

/** All at once, by the one call that tells them: lists do not, and of MLflow's own calls none is said to. They are told only when asked for. */
async function findAliases(workspace: Workspace, model: string): Promise<RegisteredModel["aliases"]> {
  const path = `${MODELS}/${encodeURIComponent(plainName(model))}`;
  const found = await workspace.find({ method: "GET", path, query: { include_aliases: "true" } }, modelAliases);
  if (found === undefined) return {};
  if (found.full_name !== model) throw otherModel(workspace, model, found.full_name);
  const ours = ALIASES.flatMap((alias) => found.aliases.filter((each) => each.alias_name === alias));
  return Object.fromEntries(ours.map((each) => [each.alias_name, each.version_num]));
}

/** The version behind an alias; undefined when the model or the alias does not exist. */
export async function findAlias(workspace: Workspace, model: string, alias: string): Promise<string | undefined> {
  return (await workspace.find({ method: "GET", path: aliasPath(model, alias) }, aliased))?.version;
}

/** Sets or moves an alias, which is one step for every reader. Safe to repeat. */
export async function setAlias(workspace: Workspace, model: string, alias: string, version: string): Promise<void> {
  const json = { version_num: Number(version) };
  await workspace.demand({ method: "PUT", path: aliasPath(model, alias), json }, nothing);
}

/** One that is not there is no error. */
export async function removeAlias(workspace: Workspace, model: string, alias: string): Promise<void> {
  await workspace.find({ method: "DELETE", path: aliasPath(model, alias) }, nothing);
}

/** Makes a registered model; one that is there is no error, and names are unique, so that it is safe to repeat. */
export async function makeModel(workspace: Workspace, model: string): Promise<void> {
  const call: WorkspaceCall = {
    method: "POST",
    path: `${REGISTRY}/registered-models/create`,
    json: { name: plainName(model) },
    idempotent: true,
  };
  const { request, reply } = await workspace.attempt(call);
  if (/^(?:RESOURCE_)?ALREADY_EXISTS$|_ALREADY_EXISTS$/.test(problemOf(reply).code)) return;
  if (reply.status === 404)
    throw outsideError(
      "unity.schema",
      `there is no schema ${model.split(".").slice(0, 2).join(".")} on ${workspace.label}, or you may not see it: ${problemOf(reply).message}`,
      `CREATE SCHEMA ${model.split(".").slice(0, 2).join(".")}`,
    );
  accept(request, reply, nothing, workspace.label);
}

function otherModel(workspace: Workspace, asked: string, got: string): Error {
  return outsideError(
    "workspace.form",
    `${workspace.label} was asked for the model ${asked} and answered with ${JSON.stringify(got.slice(0, 100))}`,
  );
}

function aliasPath(model: string, alias: string): string {
  return `${MODELS}/${encodeURIComponent(plainName(model))}/aliases/${encodeURIComponent(alias)}`;
}
