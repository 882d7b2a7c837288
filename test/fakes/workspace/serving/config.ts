import * as z from "zod";
import { demandLegacyVersion } from "../legacy/store.ts";
import { type Ask, badValue, refuse } from "../route.ts";
import { needed } from "../shapes.ts";
import { readVersion } from "../unity/versions.ts";
import type { Config, Endpoint, Route, ServedEntity } from "./state.ts";

const SIZES = ["Small", "Medium", "Large"];
const TYPES = [
  "CPU",
  "CPU_MEDIUM",
  "CPU_LARGE",
  "GPU_SMALL",
  "GPU_MEDIUM",
  "GPU_LARGE",
  "GPU_XLARGE",
  "GPU_XLARGE_8",
  "MULTIGPU_MEDIUM",
];

const entity = z.strictObject({
  name: z.string().exactOptional(),
  entity_name: z.string().optional(),
  entity_version: z.string().optional(),
  workload_size: z.string().exactOptional(),
  workload_type: z.string().exactOptional(),
  min_provisioned_concurrency: z.int().exactOptional(),
  max_provisioned_concurrency: z.int().exactOptional(),
  scale_to_zero_enabled: z.boolean().exactOptional(),
  environment_vars: z.record(z.string(), z.string()).exactOptional(),
});

/** The config of an endpoint, as create and update take it. */
export const configBody = z.strictObject({
  served_entities: z.array(entity).optional(),
  traffic_config: z
    .strictObject({
      routes: z.array(
        z.strictObject({
          served_entity_name: z.string().optional(),
          served_model_name: z.string().optional(),
          traffic_percentage: z.int(),
        }),
      ),
    })
    .optional(),
  // databricks-sdk writes the endpoint's name into the config of a create.
  name: z.string().optional(),
});
export type ConfigBody = z.infer<typeof configBody>;

/** Holds a config to the rules of reference 5.1; the entities must exist and be the asker's to execute. */
export function configFrom(ask: Ask, endpoint: Endpoint, body: ConfigBody): Config {
  const given = body.served_entities ?? [];
  if (given.length === 0) throw badValue("At least one served entity must be specified.");
  if (given.length > 10) throw badValue(`An endpoint can have at most 10 served entities, ${given.length} were given.`);
  const served_entities = given.map((each) => entityFrom(ask, each));
  const names = new Set(served_entities.map(({ name }) => name));
  if (names.size < served_entities.length) throw badValue("Served entity names must be unique within an endpoint.");
  return {
    config_version: endpoint.nextConfig++,
    served_entities,
    routes: routesFrom(body.traffic_config?.routes, served_entities),
    start_time: ask.now(),
  };
}

function entityFrom(ask: Ask, given: z.infer<typeof entity>): ServedEntity {
  const entity_name = needed(given.entity_name, "entity_name");
  const entity_version = needed(given.entity_version, "entity_version");
  if (!/^[1-9]\d*$/.test(entity_version))
    throw badValue(`Invalid entity version '${entity_version}': a version is a number; aliases are not accepted.`);
  const name = given.name ?? `${entity_name}-${entity_version}`.replaceAll(".", "-");
  if (!/^[A-Za-z0-9][\w-]{0,62}$/.test(name))
    throw badValue(`Invalid served entity name '${name}': letters, digits, dashes and underscores, at most 63.`);
  if (given.workload_size !== undefined && !SIZES.includes(given.workload_size))
    throw badValue(`Invalid workload_size '${given.workload_size}'. Must be one of ${SIZES.join(", ")}.`);
  if (given.workload_type !== undefined && !TYPES.includes(given.workload_type))
    throw badValue(`Invalid workload_type '${given.workload_type}'. Must be one of ${TYPES.join(", ")}.`);
  const hasConcurrency =
    given.min_provisioned_concurrency !== undefined || given.max_provisioned_concurrency !== undefined;
  if ((given.workload_size !== undefined) === hasConcurrency)
    throw badValue("Either workload_size or min and max provisioned concurrency must be specified.");
  if (entity_name.includes(".")) {
    const { version } = readVersion(ask, entity_name, Number(entity_version));
    if (version.status !== "READY")
      throw refuse(400, "INVALID_STATE", `Version ${entity_version} of ${entity_name} is ${version.status}.`);
  } else demandLegacyVersion(ask, entity_name, entity_version);
  return {
    ...given,
    name,
    entity_name,
    entity_version,
    workload_type: given.workload_type ?? "CPU",
    scale_to_zero_enabled: given.scale_to_zero_enabled ?? false,
    creation_timestamp: ask.now(),
    creator: ask.principal.name,
    state: { deployment: "DEPLOYMENT_CREATING", deployment_state_message: "Creating resources for served entity." },
  };
}

function routesFrom(
  given:
    | readonly {
        served_entity_name?: string | undefined;
        served_model_name?: string | undefined;
        traffic_percentage: number;
      }[]
    | undefined,
  entities: readonly ServedEntity[],
): Route[] {
  const [first, ...more] = entities;
  if (given === undefined || given.length === 0) {
    if (first === undefined || more.length > 0)
      throw badValue("Traffic routes must be specified when an endpoint has more than one served entity.");
    return [{ served_entity_name: first.name, traffic_percentage: 100 }];
  }
  const routes = given.map((each) => ({
    served_entity_name: needed(each.served_entity_name ?? each.served_model_name, "served_entity_name"),
    traffic_percentage: each.traffic_percentage,
  }));
  for (const { served_entity_name, traffic_percentage } of routes) {
    if (!entities.some(({ name }) => name === served_entity_name))
      throw badValue(`The route '${served_entity_name}' names no served entity of this config.`);
    if (traffic_percentage < 0 || traffic_percentage > 100)
      throw badValue(`Invalid traffic_percentage ${traffic_percentage}: must be between 0 and 100.`);
  }
  const sum = routes.reduce((total, each) => total + each.traffic_percentage, 0);
  if (sum !== 100) throw badValue(`Traffic percentages must sum to 100, they sum to ${sum}.`);
  return routes;
}
