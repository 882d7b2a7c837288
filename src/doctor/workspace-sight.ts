import type { Part } from "./part.ts";

/** A Databricks workspace as the doctor sees it, as one identity. Every method only reads. */
export interface WorkspaceSight {
  readonly host: string;
  /** Which credential is used, and where it was found. */
  readonly credential: { authType: string; from: string };
  me(): Promise<Identity>;
  /**
   * Rights on a model of Unity Catalog: a writer's are to make versions, or the model itself where it does not exist yet; an
   * approver's to read it.
   */
  model(fullName: string, part: Part): Promise<Rights>;
  /** The deployment job that a model is connected to; undefined where it is to none, or is not ours to see. */
  deploymentJob(fullName: string): Promise<(Levelled & { id: string; missing: readonly string[] }) | undefined>;
  volume(fullName: string, part: Part): Promise<Rights>;
  table(fullName: string): Promise<Rights>;
  catalog(name: string): Promise<Rights>;
  /** A model of the workspace's own registry, and how it is called there. */
  workspaceModel(fullName: string): Promise<Levelled & { name: string }>;
  warehouse(id: string): Promise<Levelled & { state: string; name: string }>;
  endpoint(name: string): Promise<Levelled & { state: string }>;
}

export interface Identity {
  /** Address of a person, application id of a service principal. */
  name: string;
  displayName: string | undefined;
  groups: readonly string[];
}

export interface Rights {
  /** `hidden`: this identity may not know. */
  there: "yes" | "no" | "hidden";
  /** What does not exist, though it has to, before anything can be made in it. */
  without?: string;
  /** The statements that give what is missing. */
  missing: readonly string[];
}

export interface Levelled {
  there: "yes" | "no" | "hidden";
  /** The strongest level that this identity has; undefined: the workspace does not tell. */
  level: string | undefined;
}
