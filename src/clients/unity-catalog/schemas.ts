import * as z from "zod";
import { moment } from "../moment.ts";

/** Replies of the registry calls of Unity Catalog. An empty list is not sent at all, so every list has a default. */

export const keyValues = z
  .array(z.object({ key: z.string().max(1000), value: z.string().max(200_000).default("") }))
  .default([])
  .transform((list) => Object.fromEntries(list.map((each) => [each.key, each.value])));
const name = z.string().max(1000);
/** A plain number from 1, so that versions can be compared and shown. The calls disagree whether it is text. */
const versionNumber = z
  .union([z.string(), z.number()])
  .transform(String)
  .refine((text) => /^[1-9]\d{0,8}$/.test(text), "is no version number");

/** Some calls answer `{}`, some nothing at all. */
export const nothing = z.looseObject({});

export const registeredModel = z.object({
  registered_model: z.object({ name, tags: keyValues, deployment_job_id: z.string().max(40).default("") }),
});

const modelVersion = z.object({
  name,
  version: versionNumber,
  creation_timestamp: moment.default(0),
  run_id: z.string().default(""),
  /** What is not READY has no bytes that count, or is being made, or was left behind. */
  status: z.string().default(""),
  tags: keyValues,
});
export type ModelVersionBody = z.infer<typeof modelVersion>;
export const oneModelVersion = z.object({ model_version: modelVersion });
export const modelVersions = z.object({
  model_versions: z.array(modelVersion).default([]),
  next_page_token: z.string().default(""),
});

/** A version by its alias, from the calls that write the number as a number. */
export const aliased = z.object({ version: versionNumber });

/** A registered model with its aliases, from the call that tells them when it is asked to. */
export const modelAliases = z.object({
  full_name: name,
  aliases: z.array(z.object({ alias_name: z.string().max(300), version_num: versionNumber })).default([]),
});

export const enabled = z.object({
  is_databricks_sdk_models_artifact_repository_enabled: z.boolean().default(false),
});
