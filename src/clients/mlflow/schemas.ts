import * as z from "zod";
import { moment } from "../moment.ts";

/** Replies of MLflow's REST API. An empty list is not sent at all, so every list has a default; unknown fields are ignored. */

/** Longer than any tag that MLflow stores (100,000 characters). */
const MAX_VALUE = 200_000;
const keyValues = z
  .array(z.object({ key: z.string().max(1000), value: z.string().max(MAX_VALUE).default("") }))
  .default([])
  .transform((list) => Object.fromEntries(list.map((each) => [each.key, each.value])));

const number = z.union([z.number(), z.string().transform((text) => Number(text))]);

/** What MLflow answers when there is nothing to say: `{}`. A page in HTML with status 200 is no answer of MLflow. */
export const nothing = z.looseObject({});
export const experimentId = z.object({ experiment_id: z.string() });
export const experiment = z.object({
  experiment: z.object({ experiment_id: z.string(), lifecycle_stage: z.string().default("active") }),
});

const runBody = z.object({
  info: z.object({
    run_id: z.string(),
    experiment_id: z.string(),
    artifact_uri: z.string().default(""),
    run_name: z.string().default(""),
    status: z.enum(["RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"]).default("RUNNING"),
    start_time: number.default(0),
    end_time: number.optional(),
    lifecycle_stage: z.string().default("active"),
  }),
  data: z
    .object({
      metrics: z.array(z.object({ key: z.string(), value: number })).default([]),
      params: keyValues,
      tags: keyValues,
    })
    .default({ metrics: [], params: {}, tags: {} }),
});
export type RunBody = z.infer<typeof runBody>;
export const oneRun = z.object({ run: runBody });
export const runs = z.object({ runs: z.array(runBody).default([]) });

const loggedModel = z.object({
  info: z.object({
    model_id: z.string(),
    name: z.string().default(""),
    artifact_uri: z.string(),
    source_run_id: z.string().default(""),
    status: z.string().default(""),
  }),
});
export type LoggedModelBody = z.infer<typeof loggedModel>;
export const oneLoggedModel = z.object({ model: loggedModel });
export const loggedModels = z.object({
  models: z.array(loggedModel).default([]),
  next_page_token: z.string().default(""),
});

/** A plain number from 1, so that versions can be compared and shown. */
const versionNumber = z
  .union([z.string(), z.number()])
  .transform(String)
  .refine((text) => /^[1-9]\d{0,8}$/.test(text), "is no version number");
const name = z.string().max(1000);

const modelVersion = z.object({
  name,
  version: versionNumber,
  creation_timestamp: moment.default(0),
  run_id: z.string().default(""),
  source: z.string().default(""),
  tags: keyValues,
  aliases: z.array(name).default([]),
});
export type ModelVersionBody = z.infer<typeof modelVersion>;
export const oneModelVersion = z.object({ model_version: modelVersion });
export const modelVersions = z.object({
  model_versions: z.array(modelVersion).default([]),
  next_page_token: z.string().default(""),
});

export const registeredModel = z.object({
  registered_model: z.object({
    name,
    tags: keyValues,
    aliases: z
      .array(z.object({ alias: name, version: versionNumber }))
      .default([])
      .transform((list) => Object.fromEntries(list.map((each) => [each.alias, each.version]))),
  }),
});
export const downloadUri = z.object({ artifact_uri: z.string() });

export const artifactList = z.object({
  files: z
    .array(z.object({ path: z.string(), is_dir: z.boolean().default(false), file_size: number.default(0) }))
    .default([]),
});
