import { demandLevel } from "../acl.ts";
import { type Ask, notFound } from "../route.ts";
import { defineSection } from "../state.ts";

export interface ServedEntity {
  name: string;
  entity_name: string;
  entity_version: string;
  workload_size?: string;
  workload_type?: string;
  min_provisioned_concurrency?: number;
  max_provisioned_concurrency?: number;
  scale_to_zero_enabled?: boolean;
  environment_vars?: Record<string, string>;
  creation_timestamp: number;
  creator: string;
  state: { deployment: string; deployment_state_message: string };
}

export interface Route {
  served_entity_name: string;
  traffic_percentage: number;
}

export interface Config {
  config_version: number;
  served_entities: ServedEntity[];
  routes: Route[];
  /** Of a pending one. */
  start_time: number;
}

export interface Endpoint {
  id: string;
  name: string;
  creator: string;
  creation_timestamp: number;
  last_updated_timestamp: number;
  description?: string;
  route_optimized: boolean;
  tags: Map<string, string>;
  /** What serves; undefined until the first one is ready. */
  active: Config | undefined;
  /** What is being built, or what failed last. */
  pending: Config | undefined;
  config_update: "NOT_UPDATING" | "IN_PROGRESS" | "UPDATE_FAILED";
  /** How often the endpoint was read since the update began. */
  polls: number;
  /** Requests that were scored, to share them out by traffic. */
  scored: number;
  nextConfig: number;
}

export const serving = defineSection("serving", () => ({
  endpoints: new Map<string, Endpoint>(),
  /** Settings that tests change. */
  settings: {
    /** Reads that still see IN_PROGRESS. */
    polls: 1,
    /** Milliseconds by the workspace's clock that an update takes at least. */
    readyMs: 0,
    /** `<entity name>/<version>` → why its container does not start. */
    failures: new Map<string, string>(),
    /** An update that nobody ends: it stays IN_PROGRESS. */
    stuck: false,
  },
}));

export function endpointOf(ask: Ask, level: "CAN_VIEW" | "CAN_QUERY" | "CAN_MANAGE"): Endpoint {
  const name = ask.params.name ?? "";
  const endpoint = serving.of(ask.state).endpoints.get(name);
  if (endpoint === undefined) throw notFound(`Endpoint with name '${name}' does not exist.`);
  demandLevel(ask, "serving-endpoints", endpoint.id, level, `endpoint ${name}`);
  progress(ask, endpoint);
  return endpoint;
}

/** An update ends once it was read often enough and took long enough. */
export function progress(ask: Ask, endpoint: Endpoint): void {
  const { settings } = serving.of(ask.state);
  const { pending } = endpoint;
  if (endpoint.config_update !== "IN_PROGRESS" || pending === undefined || settings.stuck) return;
  if (endpoint.polls < settings.polls || ask.now() - pending.start_time < settings.readyMs) return;
  endpoint.last_updated_timestamp = ask.now();
  for (const entity of pending.served_entities) {
    const failure = settings.failures.get(`${entity.entity_name}/${entity.entity_version}`);
    entity.state =
      failure === undefined
        ? { deployment: "DEPLOYMENT_READY", deployment_state_message: "Scaled to zero" }
        : { deployment: "DEPLOYMENT_FAILED", deployment_state_message: failure };
  }
  const isReady = pending.served_entities.every(({ state }) => state.deployment === "DEPLOYMENT_READY");
  if (!isReady) {
    // What was active goes on serving (reference 5.2).
    for (const { state } of pending.served_entities)
      if (state.deployment === "DEPLOYMENT_READY") {
        state.deployment = "DEPLOYMENT_ABORTED";
        state.deployment_state_message = "Another served entity of the same update failed.";
      }
    endpoint.config_update = "UPDATE_FAILED";
    return;
  }
  endpoint.config_update = "NOT_UPDATING";
  endpoint.active = pending;
  endpoint.pending = undefined;
}
