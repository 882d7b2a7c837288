import { outsideError } from "../../lib/error.ts";
import { inParallel } from "../../lib/parallel.ts";
import type { ModelVersion } from "../../registry/registry.ts";
import type { Workspace } from "../databricks/workspace.ts";
import { type ModelVersionBody, modelVersions, nothing, oneModelVersion } from "./schemas.ts";
import { ownTags } from "./tags.ts";

export const REGISTRY = "/api/2.0/mlflow/unity-catalog";
const PAGE = 1000;
const MAX_PAGES = 200;
const AT_ONCE = 8;
const READY = "READY";

/** A version as the workspace tells it, whatever its state. */
export interface AnyVersion extends Omit<ModelVersion, "aliases"> {
  ready: boolean;
}

/** One version with its tags, whatever its state; undefined when there is none. */
export async function findVersion(
  workspace: Workspace,
  model: string,
  version: string,
): Promise<AnyVersion | undefined> {
  const query = { name: model, version };
  const path = `${REGISTRY}/model-versions/get`;
  const found = await workspace.find({ method: "GET", path, query }, oneModelVersion);
  if (found === undefined) return undefined;
  if (found.model_version.version !== version)
    throw otherThing(workspace, `${model} v${version}`, found.model_version.version);
  return versionOf(workspace, found.model_version, model);
}

/** Every version, whatever its state, without tags: the list does not say them. */
export async function listVersions(workspace: Workspace, model: string): Promise<AnyVersion[]> {
  const filter = `name = '${plainName(model)}'`;
  const found: AnyVersion[] = [];
  for (let token = "", pages = 0; ; pages++) {
    if (pages === MAX_PAGES)
      throw outsideError("unity.pages", `${workspace.label} lists the versions of ${model} without end`);
    const query = { filter, max_results: String(PAGE), ...(token !== "" && { page_token: token }) };
    const path = `${REGISTRY}/model-versions/search`;
    const page = await workspace.find({ method: "GET", path, query }, modelVersions);
    if (page === undefined) return found;
    found.push(...page.model_versions.map((each) => versionOf(workspace, each, model)));
    token = page.next_page_token;
    if (token === "") return found;
  }
}

/** The same versions with their tags; one that went away meanwhile is left out. */
export async function withTags(workspace: Workspace, versions: readonly AnyVersion[]): Promise<AnyVersion[]> {
  const found = await inParallel(versions, AT_ONCE, (each) => findVersion(workspace, each.model, each.version));
  return found.flatMap((each) => each ?? []);
}

/** Removes a version, whatever its state; one that is gone is no error. */
export async function deleteVersion(workspace: Workspace, model: string, version: string): Promise<void> {
  const json = { name: model, version };
  await workspace.find({ method: "DELETE", path: `${REGISTRY}/model-versions/delete`, json }, nothing);
}

function versionOf(workspace: Workspace, body: ModelVersionBody, model: string): AnyVersion {
  if (body.name !== model) throw otherThing(workspace, model, body.name);
  return {
    model: body.name,
    version: body.version,
    createdAt: body.creation_timestamp,
    runId: body.run_id === "" ? undefined : body.run_id,
    tags: ownTags(body.tags),
    ready: body.status === READY,
  };
}

function otherThing(workspace: Workspace, asked: string, got: string): Error {
  return outsideError(
    "workspace.form",
    `${workspace.label} was asked for ${asked} and answered with ${JSON.stringify(got.slice(0, 100))}`,
  );
}

/** Names go into filters and paths: three parts of plain lower-case letters, as Unity Catalog keeps them. */
export function plainName(model: string): string {
  if (!/^[a-z0-9_-]+(?:\.[a-z0-9_-]+){2}$/.test(model))
    throw outsideError(
      "unity.name",
      `${model} is no name of a model in Unity Catalog: catalog.schema.model, in lower case`,
      "model.name in factory.yaml has two parts, the schema and the model",
    );
  return model;
}
