/** A Databricks workspace as the doctor sees it, as one identity. Every method only reads. */
export interface WorkspaceSight {
  readonly host: string;
  /** Which credential is used, and where it was found. */
  readonly credential: { authType: string; from: string };
  me(): Promise<Identity>;
}

export interface Identity {
  /** Address of a person, application id of a service principal. */
  name: string;
  displayName: string | undefined;
  groups: readonly string[];
}
