import { outsideError } from "../../lib/error.ts";
import { problemOf } from "../../lib/http.ts";
import { inParallel } from "../../lib/parallel.ts";
import type { RegisteredModel } from "../../registry/registry.ts";
import { accept } from "../databricks/replies.ts";
import type { Workspace, WorkspaceCall } from "../databricks/workspace.ts";
import { aliased, nothing, registeredModel } from "./schemas.ts";
import { ownTags } from "./tags.ts";
import { plainName, REGISTRY } from "./versions.ts";

/** The aliases that factory uses. Lists do not say aliases, so each is asked for. */
const ALIASES = ["champion", "challenger"] as const;
const AT_ONCE = 4;

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
  if (name !== model)
    throw outsideError(
      "workspace.form",
      `${workspace.label} was asked for the model ${model} and answered with ${JSON.stringify(name.slice(0, 100))}`,
    );
  return {
    name,
    tags: ownTags(tags),
    aliases: early ?? (await findAliases(workspace, model)),
    ...(job !== "" && { deploymentJob: job }),
  };
}

async function findAliases(workspace: Workspace, model: string): Promise<RegisteredModel["aliases"]> {
  const found = await inParallel(ALIASES, AT_ONCE, async (alias) => [alias, await findAlias(workspace, model, alias)]);
  return Object.fromEntries(found.filter(([, version]) => version !== undefined));
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

function aliasPath(model: string, alias: string): string {
  const name = encodeURIComponent(plainName(model));
  return `/api/2.1/unity-catalog/models/${name}/aliases/${encodeURIComponent(alias)}`;
}
