import * as z from "zod";
import { moment } from "../moment.ts";

/** Replies of the registry that each workspace has of its own. Versions are text, and stages stand where others have aliases. */

const tags = z
  .array(z.object({ key: z.string().max(1000), value: z.string().max(200_000).default("") }))
  .default([])
  .transform((list) => Object.fromEntries(list.map((each) => [each.key, each.value])));

export const stage = z.enum(["None", "Staging", "Production", "Archived"]);
export type Stage = z.infer<typeof stage>;

const version = z.object({
  name: z.string().max(1000),
  version: z
    .union([z.string(), z.number()])
    .transform(String)
    .refine((text) => /^[1-9]\d{0,8}$/.test(text), "is no version number"),
  creation_timestamp: moment.default(0),
  current_stage: stage.catch("None"),
  run_id: z.string().default(""),
  status: z.string().default("READY"),
  status_message: z.string().default(""),
  tags,
});
export type VersionBody = z.infer<typeof version>;
export const oneVersion = z.object({ model_version: version });
export const versions = z.object({
  model_versions: z.array(version).default([]),
  next_page_token: z.string().default(""),
});

export const oneModel = z.object({
  registered_model_databricks: z.object({
    name: z.string().max(1000),
    tags,
    latest_versions: z.array(version).default([]),
    permission_level: z.string().optional(),
  }),
});

export const openRequests = z.object({
  requests: z.array(z.object({ to_stage: stage.catch("None"), user_id: z.string().default("") })).default([]),
});

export const signedUri = z.object({
  signed_uri: z.string().min(1).max(20_000),
  headers: z.array(z.object({ name: z.string().max(200), value: z.string().max(20_000).default("") })).default([]),
});
