/** A Databricks workspace as the doctor sees it, as one identity. Every method only reads. */
export interface WorkspaceSight {
  readonly host: string;
  /** Which credential is used, and where it was found. */
  readonly credential: { authType: string; from: string };
  me(): Promise<Identity>;
  /** Rights on a model of Unity Catalog that lets versions be made, or on its schema where it does not exist yet. */
  model(fullName: string): Promise<Rights>;
  volume(fullName: string): Promise<Rights>;
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
