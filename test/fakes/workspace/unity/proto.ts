import * as z from "zod";
import { badValue } from "../route.ts";
import { fullNameOf } from "./store.ts";
import type { Found } from "./versions.ts";

/** Prefix of what MLflow's `databricks-uc` client calls. */
export const MLFLOW_UC = "/api/2.0/mlflow/unity-catalog";

export const tagSchema = z.strictObject({ key: z.string(), value: z.string().default("") });

export const pairs = (tags: ReadonlyMap<string, string>): object[] => [...tags].map(([key, value]) => ({ key, value }));

/** Of a version that comes as text. */
export function versionNumber(version: string): number {
  if (!/^\d{1,9}$/.test(version))
    throw badValue(`'${version}' is not a valid model version: a whole number is expected.`);
  return Number(version);
}

/** A version in MLflow's words; `whole` with tags and aliases, which searches leave out. */
export function versionProto({ model, version }: Found, whole: boolean): object {
  const { run_id, run_tracking_server_id, model_id, comment, deployment } = version;
  const aliases = [...model.aliases].filter(([, number]) => number === version.version);
  return {
    name: fullNameOf(model),
    version: String(version.version),
    creation_timestamp: version.created_at,
    last_updated_timestamp: version.updated_at,
    user_id: version.created_by,
    source: version.source,
    status: version.status,
    status_message: version.status_message,
    storage_location: version.storage_location,
    ...(comment !== undefined && { description: comment }),
    ...(run_id !== undefined && { run_id }),
    ...(run_tracking_server_id !== undefined && { run_tracking_server_id }),
    ...(model_id !== undefined && { model_id }),
    ...(whole && {
      tags: pairs(version.tags),
      aliases: aliases.map(([alias]) => ({ alias, version: String(version.version) })),
    }),
    ...(deployment !== undefined && { deployment_job_state: { ...deployment, job_state: "CONNECTED" } }),
  };
}
