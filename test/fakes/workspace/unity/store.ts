import { randomUUID } from "node:crypto";
import { defineSection } from "../state.ts";

/** What every securable of Unity Catalog carries. */
export interface Securable {
  owner: string;
  comment: string | undefined;
  created_at: number;
  created_by: string;
  updated_at: number;
  updated_by: string;
}

export interface Catalog extends Securable {
  name: string;
}

export interface Schema extends Securable {
  name: string;
  catalog_name: string;
}

export interface Volume extends Securable {
  name: string;
  catalog_name: string;
  schema_name: string;
  volume_id: string;
  volume_type: "MANAGED" | "EXTERNAL";
  storage_location: string;
}

export interface Table extends Securable {
  name: string;
  catalog_name: string;
  schema_name: string;
}

export interface Model extends Securable {
  name: string;
  catalog_name: string;
  schema_name: string;
  id: string;
  tags: Map<string, string>;
  aliases: Map<string, number>;
  versions: Map<number, Version>;
  /** A number is never given twice. */
  nextVersion: number;
  deploymentJobId: string;
}

export type VersionStatus = "PENDING_REGISTRATION" | "READY" | "FAILED_REGISTRATION";

export interface Version {
  version: number;
  id: string;
  status: VersionStatus;
  status_message: string;
  source: string;
  run_id: string | undefined;
  run_tracking_server_id: string | undefined;
  model_id: string | undefined;
  comment: string | undefined;
  dependencies: { type: string; name: string }[];
  tags: Map<string, string>;
  storage_location: string;
  created_at: number;
  created_by: string;
  updated_at: number;
  updated_by: string;
  /** What a deployment job's run says of the version; set by who plays that job. */
  deployment: { job_id: string; run_id: string; run_state: string; current_task_name: string } | undefined;
}

export type Kind = "metastore" | "catalog" | "schema" | "volume" | "function" | "table";

export const unity = defineSection("unity", () => ({
  metastoreId: randomUUID(),
  catalogs: new Map<string, Catalog>(),
  schemas: new Map<string, Schema>(),
  volumes: new Map<string, Volume>(),
  tables: new Map<string, Table>(),
  models: new Map<string, Model>(),
  /** `schema acme.claims` → principal → privileges. */
  grants: new Map<string, Map<string, Set<string>>>(),
}));

export const grantKey = (kind: Kind, fullName: string): string => `${kind} ${fullName}`;

/** `catalog.schema` of a three-part name. */
export const parentOf = (fullName: string): string => fullName.split(".").slice(0, -1).join(".");

export const fullNameOf = (each: { catalog_name: string; schema_name?: string; name: string }): string =>
  [each.catalog_name, each.schema_name, each.name].filter((part) => part !== undefined).join(".");

/** Of an object that is new. */
export const born = (owner: string, now: number, comment: string | undefined): Securable => ({
  owner,
  comment,
  created_at: now,
  created_by: owner,
  updated_at: now,
  updated_by: owner,
});
