import * as z from "zod";

/** Replies of the serving endpoints API (`/api/2.0/serving-endpoints`); unknown fields are ignored, settings are kept as they are. */

const entity = z.looseObject({
  name: z.string(),
  entity_name: z.string().default(""),
  entity_version: z.union([z.string(), z.number()]).transform(String).default(""),
  state: z.object({ deployment: z.string().default(""), deployment_state_message: z.string().default("") }).optional(),
});
export type Entity = z.infer<typeof entity>;

const route = z
  .object({
    served_entity_name: z.string().optional(),
    served_model_name: z.string().optional(),
    traffic_percentage: z.int().min(0).max(100),
  })
  .transform((each) => ({
    name: each.served_entity_name ?? each.served_model_name ?? "",
    traffic: each.traffic_percentage,
  }));

const config = z.looseObject({
  served_entities: z.array(entity).default([]),
  traffic_config: z.object({ routes: z.array(route).default([]) }).default({ routes: [] }),
  config_version: z.int().optional(),
});

export const endpoint = z.object({
  name: z.string(),
  state: z.object({
    config_update: z.string().default("NOT_UPDATING"),
    ready: z.string().default("NOT_READY"),
  }),
  config: config.optional(),
  pending_config: config.optional(),
});
export type EndpointBody = z.infer<typeof endpoint>;

export const predictions = z.looseObject({ predictions: z.unknown() });
export const done = z.looseObject({});
