import { randomBytes } from "node:crypto";
import * as z from "zod";
import { createAcl, dropAcl, entryOf, levelOf } from "../acl.ts";
import { type Ask, badValue, bodyOf, notFound, ok, type Route, refuse } from "../route.ts";
import { needed, tag, tagsOf } from "../shapes.ts";
import { type ConfigBody, configBody, configFrom } from "./config.ts";
import { type Config, type Endpoint, endpointOf, progress, type ServedEntity, serving } from "./state.ts";

const P = "/api/2.0/serving-endpoints";

const shownModel = ({ entity_name, entity_version, ...rest }: ServedEntity): object => ({
  ...rest,
  model_name: entity_name,
  model_version: entity_version,
});

const shownConfig = (config: Config): object => ({
  served_entities: config.served_entities,
  served_models: config.served_entities.map(shownModel),
  traffic_config: {
    routes: config.routes.map((each) => ({ ...each, served_model_name: each.served_entity_name })),
  },
  config_version: config.config_version,
});

/** READY only by the active config, whatever an update does (reference 5.2). */
const stateOf = (each: Endpoint): object => ({
  ready: each.active === undefined ? "NOT_READY" : "READY",
  config_update: each.config_update,
});

const summary = (each: Endpoint): object => ({
  id: each.id,
  name: each.name,
  creator: each.creator,
  creation_timestamp: each.creation_timestamp,
  last_updated_timestamp: each.last_updated_timestamp,
  ...(each.description === undefined ? {} : { description: each.description }),
  ...(each.tags.size === 0 ? {} : { tags: tagsOf(each.tags) }),
  state: stateOf(each),
});

function detailed(ask: Ask, each: Endpoint): object {
  return {
    ...summary(each),
    ...(each.active === undefined ? {} : { config: shownConfig(each.active) }),
    ...(each.pending === undefined
      ? {}
      : { pending_config: { ...shownConfig(each.pending), start_time: each.pending.start_time } }),
    route_optimized: each.route_optimized,
    endpoint_type: "UNITY_CATALOG_MODEL",
    permission_level: levelOf(ask.state, "serving-endpoints", each.id, ask.principal),
  };
}

function begin(ask: Ask, endpoint: Endpoint, body: ConfigBody): void {
  endpoint.pending = configFrom(ask, endpoint, body);
  endpoint.config_update = "IN_PROGRESS";
  endpoint.polls = 0;
  endpoint.last_updated_timestamp = ask.now();
}

export const endpointRoutes: readonly Route[] = [
  {
    method: "POST",
    path: P,
    cites:
      "reference 5.1 POST serving-endpoints: 409 RESOURCE_ALREADY_EXISTS; driven by databricks-sdk serving_endpoints.create",
    handle(ask) {
      const body = bodyOf(
        ask,
        z.strictObject({
          name: z.string().optional(),
          config: configBody.optional(),
          tags: z.array(tag).default([]),
          description: z.string().optional(),
          route_optimized: z.boolean().default(false),
        }),
      );
      const name = needed(body.name, "name");
      if (!/^[A-Za-z0-9][\w-]{0,62}$/.test(name))
        throw badValue(`Invalid endpoint name '${name}': letters, digits, dashes and underscores, at most 63.`);
      const { endpoints } = serving.of(ask.state);
      if (endpoints.has(name))
        throw refuse(409, "RESOURCE_ALREADY_EXISTS", `Endpoint with name '${name}' already exists.`);
      const endpoint: Endpoint = {
        id: randomBytes(16).toString("hex"),
        name,
        creator: ask.principal.name,
        creation_timestamp: ask.now(),
        last_updated_timestamp: ask.now(),
        ...(body.description === undefined ? {} : { description: body.description }),
        route_optimized: body.route_optimized,
        tags: new Map(body.tags.map(({ key, value }): [string, string] => [key, value])),
        active: undefined,
        pending: undefined,
        config_update: "NOT_UPDATING",
        polls: 0,
        scored: 0,
        nextConfig: 1,
      };
      if (body.config !== undefined) begin(ask, endpoint, body.config);
      endpoints.set(name, endpoint);
      createAcl(ask.state, "serving-endpoints", endpoint.id, entryOf(ask.principal, "CAN_MANAGE"));
      return ok(detailed(ask, endpoint));
    },
  },
  {
    method: "GET",
    path: P,
    cites:
      "reference 5.1 GET serving-endpoints: endpoints[], no paging; driven by databricks-sdk serving_endpoints.list",
    handle(ask) {
      const all = [...serving.of(ask.state).endpoints.values()].filter(
        (each) => levelOf(ask.state, "serving-endpoints", each.id, ask.principal) !== undefined,
      );
      for (const each of all) progress(ask, each);
      return ok(all.length === 0 ? {} : { endpoints: all.map(summary) });
    },
  },
  {
    method: "GET",
    path: `${P}/:name`,
    cites: "reference 5.1, 5.2 GET serving-endpoints/{name}; driven by databricks-sdk serving_endpoints.get",
    handle(ask) {
      const endpoint = endpointOf(ask, "CAN_VIEW");
      endpoint.polls++;
      return ok(detailed(ask, endpoint));
    },
  },
  {
    method: "PUT",
    path: `${P}/:name/config`,
    cites:
      "reference 5.1 PUT …/config: full replace, 409 RESOURCE_CONFLICT while IN_PROGRESS; driven by databricks-sdk update_config",
    handle(ask) {
      const endpoint = endpointOf(ask, "CAN_MANAGE");
      if (endpoint.config_update === "IN_PROGRESS")
        throw refuse(
          409,
          "RESOURCE_CONFLICT",
          `Endpoint ${endpoint.name} is being updated; wait until the update has ended.`,
        );
      begin(ask, endpoint, bodyOf(ask, configBody));
      return ok(detailed(ask, endpoint));
    },
  },
  {
    method: "DELETE",
    path: `${P}/:name`,
    cites: "reference 5.1 DELETE serving-endpoints/{name}; driven by databricks-sdk serving_endpoints.delete",
    handle(ask) {
      const endpoint = endpointOf(ask, "CAN_MANAGE");
      serving.of(ask.state).endpoints.delete(endpoint.name);
      dropAcl(ask.state, "serving-endpoints", endpoint.id);
      return ok();
    },
  },
  {
    method: "PATCH",
    path: `${P}/:name/tags`,
    cites: "reference 5.1 PATCH …/tags: the tags come back alone; driven by databricks-sdk serving_endpoints.patch",
    handle(ask) {
      const body = bodyOf(
        ask,
        z.strictObject({ add_tags: z.array(tag).default([]), delete_tags: z.array(z.string()).default([]) }),
      );
      const { tags } = endpointOf(ask, "CAN_MANAGE");
      for (const { key, value } of body.add_tags) tags.set(key, value);
      for (const key of body.delete_tags) tags.delete(key);
      return ok({ tags: tagsOf(tags) });
    },
  },
  ...(["logs", "build-logs"] as const).map(
    (kind): Route => ({
      method: "GET",
      path: `${P}/:name/served-models/:served/${kind}`,
      cites: `reference 5.1 GET …/served-models/{served_name}/${kind}; driven by databricks-sdk serving_endpoints`,
      handle(ask) {
        const endpoint = endpointOf(ask, "CAN_VIEW");
        const entity = [...(endpoint.pending?.served_entities ?? []), ...(endpoint.active?.served_entities ?? [])].find(
          ({ name }) => name === ask.params.served,
        );
        if (entity === undefined) throw notFound(`Served entity '${ask.params.served}' does not exist.`);
        const { deployment, deployment_state_message } = entity.state;
        if (deployment === "DEPLOYMENT_FAILED")
          return ok({ logs: `Starting the container\nERROR: ${deployment_state_message}\n` });
        return ok({ logs: kind === "logs" ? "Starting the container\nListening\n" : "Building the container\nDone\n" });
      },
    }),
  ),
];
