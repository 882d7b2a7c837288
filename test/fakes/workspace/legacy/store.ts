import { randomUUID } from "node:crypto";
import { demandLevel, levelOf } from "../acl.ts";
import { type Ask, badValue, notFound, type Route, refuse } from "../route.ts";
import { needed, tagsOf } from "../shapes.ts";
import { defineSection } from "../state.ts";
import { filesOf, type StoredFile, tracking } from "../tracking/state.ts";

export const STAGES = ["None", "Staging", "Production", "Archived"] as const;
export type Stage = (typeof STAGES)[number];

export interface LegacyVersion {
  name: string;
  /** A string, always. */
  version: string;
  creation_timestamp: number;
  last_updated_timestamp: number;
  user_id: string;
  current_stage: Stage;
  description?: string;
  source: string;
  run_id?: string;
  run_link?: string;
  status: "PENDING_REGISTRATION" | "READY" | "FAILED_REGISTRATION";
  status_message?: string;
  tags: Map<string, string>;
  /** Copied from the source when the version was made. */
  files: Map<string, StoredFile>;
  /** Reads that still see it PENDING. */
  pendingReads: number;
}

export interface LegacyModel {
  /** The key of the Permissions API. */
  id: string;
  name: string;
  user_id: string;
  creation_timestamp: number;
  last_updated_timestamp: number;
  description?: string;
  tags: Map<string, string>;
  versions: Map<string, LegacyVersion>;
  nextVersion: number;
}

export interface TransitionRequest {
  name: string;
  version: string;
  to_stage: Stage;
  user_id: string;
  comment?: string;
  creation_timestamp: number;
}

export interface Activity {
  id: string;
  activity_type: string;
  name: string;
  version: string;
  user_id: string;
  creation_timestamp: number;
  last_updated_timestamp: number;
  from_stage?: Stage;
  to_stage?: Stage;
  comment?: string;
  system_comment?: string;
}

export interface Comment {
  id: string;
  name: string;
  version: string;
  user_id: string;
  comment: string;
  creation_timestamp: number;
  last_updated_timestamp: number;
}

export const legacy = defineSection("legacyRegistry", () => ({
  models: new Map<string, LegacyModel>(),
  requests: [] as TransitionRequest[],
  /** Everything that happened, oldest first; no call lists it. */
  activities: [] as Activity[],
  comments: new Map<string, Comment>(),
  settings: {
    /** Newer workspaces have no such registry. */
    disabled: false,
    /** Reads that see a new version PENDING_REGISTRATION. */
    pendingReads: 1,
    /** Of a model that is there already: 400, 409 or 500 (reference 1.6). */
    duplicateStatus: 400,
  },
}));

export const P = "/api/2.0/mlflow";

/** A route of this registry: refused as a whole where the workspace has none. */
export const legacyRoute = (route: Route): Route => ({
  ...route,
  handle(ask) {
    if (legacy.of(ask.state).settings.disabled)
      throw refuse(
        404,
        "FEATURE_DISABLED",
        "Legacy workspace model registry is disabled in this workspace. Please use models in Unity Catalog instead.",
      );
    return route.handle(ask);
  },
});

export type Level =
  | "CAN_READ"
  | "CAN_EDIT"
  | "CAN_MANAGE_STAGING_VERSIONS"
  | "CAN_MANAGE_PRODUCTION_VERSIONS"
  | "CAN_MANAGE";

export const isName = (text: string): boolean => /^[^/.:]+$/.test(text);

/** In the words that github.com/databricks/mlops-stacks/pull/131 quotes; there a read was refused with them. */
export const invalidName = (given: string) =>
  badValue(
    `Invalid name '${given}'. A workspace registered model name must be a non-empty UTF-8 string and cannot contain forward slashes(/), periods(.), or colons(:).`,
  );

export function modelNamed(ask: Ask, name: string | undefined, level: Level): LegacyModel {
  const given = needed(name, "name");
  if (!isName(given)) throw invalidName(given);
  const model = legacy.of(ask.state).models.get(given);
  if (model === undefined) throw notFound(`Registered Model with name=${given} not found`);
  demandLevel(ask, "registered-models", model.id, level, `registered model ${given}`);
  return model;
}

export function versionNamed(
  ask: Ask,
  named: { name?: string | undefined; version?: string | undefined },
  level: Level,
): { model: LegacyModel; version: LegacyVersion } {
  const model = modelNamed(ask, named.name, level);
  const number = needed(named.version, "version");
  if (!/^\d+$/.test(number)) throw badValue(`Parameter 'version' must be a number, got '${number}'.`);
  const version = model.versions.get(number);
  if (version === undefined) throw notFound(`Model Version (name=${model.name}, version=${number}) not found`);
  return { model, version };
}

/** Serving needs to read what it serves (reference 5.1: entity EXECUTE; here CAN_READ). */
export function demandLegacyVersion(ask: Ask, name: string, version: string): void {
  const found = versionNamed(ask, { name, version }, "CAN_READ").version;
  if (found.status !== "READY") throw refuse(400, "INVALID_STATE", `Version ${version} of ${name} is ${found.status}.`);
}

export function stageOf(text: string | undefined): Stage {
  const given = needed(text, "stage").toLowerCase();
  const stage = STAGES.find((each) => each.toLowerCase() === given);
  if (stage === undefined)
    throw badValue(`Invalid Model Version stage: ${text}. Value must be one of None, Staging, Production, Archived.`);
  return stage;
}

export function shownVersion(version: LegacyVersion): object {
  const { tags, files: _, pendingReads: __, ...rest } = version;
  // MLflow's own registry writes these two even when they are empty.
  return { description: "", run_link: "", ...rest, ...(tags.size === 0 ? {} : { tags: tagsOf(tags) }) };
}

export function latestVersions(model: LegacyModel, stages: readonly Stage[] = STAGES): LegacyVersion[] {
  return stages.flatMap((stage) => {
    const inStage = [...model.versions.values()].filter((each) => each.current_stage === stage);
    const newest = inStage.sort((a, b) => Number(b.version) - Number(a.version))[0];
    return newest === undefined ? [] : [newest];
  });
}

export function shownModel(model: LegacyModel): object {
  const { id: _, tags, versions: __, nextVersion: ___, ...rest } = model;
  const latest = latestVersions(model);
  return {
    ...rest,
    ...(latest.length === 0 ? {} : { latest_versions: latest.map(shownVersion) }),
    ...(tags.size === 0 ? {} : { tags: tagsOf(tags) }),
  };
}

/** A version becomes READY once it was read often enough; MLflow's client polls for that. */
export function settle(ask: Ask, version: LegacyVersion): LegacyVersion {
  if (version.status === "PENDING_REGISTRATION" && version.pendingReads-- <= 0) {
    version.status = "READY";
    version.last_updated_timestamp = ask.now();
  }
  return version;
}

export const permissionOf = (ask: Ask, model: LegacyModel): string | undefined =>
  levelOf(ask.state, "registered-models", model.id, ask.principal);

export function record(
  ask: Ask,
  what: Omit<Activity, "id" | "user_id" | "creation_timestamp" | "last_updated_timestamp">,
): Activity {
  const activity = {
    ...what,
    id: randomUUID(),
    user_id: ask.principal.name,
    creation_timestamp: ask.now(),
    last_updated_timestamp: ask.now(),
  };
  legacy.of(ask.state).activities.push(activity);
  return activity;
}

/** Files that a source names in this workspace's tracking; undefined where the source lies elsewhere or is not there. */
export function sourceFiles(ask: Ask, source: string): Map<string, StoredFile> | "elsewhere" | undefined {
  const known = tracking.of(ask.state);
  const logged = /^models:\/(m-[0-9a-f]+)\/?$/.exec(source)?.[1];
  const managed =
    /^dbfs:(?:\/\/[^/]*)?\/databricks\/mlflow-tracking\/[^/]+\/(?:logged_models\/([^/]+)|([^/]+))\/artifacts(?:\/(.*))?$/.exec(
      source,
    );
  const run = /^runs:\/([0-9a-f]{32})\/(.+)$/.exec(source);
  if (logged === undefined && managed === null && run === null) return "elsewhere";
  const model = logged ?? managed?.[1];
  const runId = run?.[1] ?? managed?.[2];
  if (model !== undefined ? !known.models.has(model) : !known.runs.has(runId ?? "")) return undefined;
  const folder = (run?.[2] ?? managed?.[3] ?? "").replace(/\/+$/, "");
  const prefix = folder === "" ? "" : `${folder}/`;
  const all = filesOf(ask.state, model !== undefined ? `logged_models/${model}` : `runs/${runId}`);
  const found = [...all]
    .filter(([path]) => path.startsWith(prefix))
    .map(([path, file]) => [path.slice(prefix.length), file] as const);
  return found.length === 0 ? undefined : new Map(found);
}
