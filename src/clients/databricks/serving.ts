import { changedError, outsideError } from "../../lib/error.ts";
import { httpFailure, problemOf } from "../../lib/http.ts";
import type { EndpointState, Served, ServingEndpoint } from "../../release/serving.ts";
import { done, type EndpointBody, type Entity, endpoint, predictions } from "./serving-schemas.ts";
import type { Workspace } from "./workspace.ts";

/** Of an endpoint that factory makes; an existing one keeps what it has. */
const FIRST_SETTINGS = { workload_size: "Small", workload_type: "CPU", scale_to_zero_enabled: false };
/** What of a served entity is a setting that is written; the server tells more about it than it takes. */
const SETTINGS = new Set([
  "workload_size",
  "workload_type",
  "min_provisioned_concurrency",
  "max_provisioned_concurrency",
  "scale_to_zero_enabled",
  "environment_vars",
  "instance_profile_arn",
  "min_provisioned_throughput",
  "max_provisioned_throughput",
  "provisioned_model_units",
  "burst_scaling_enabled",
]);
const SCORE_TIMEOUT_MS = 120_000;

/** A model serving endpoint of a workspace that serves versions of one registered model, named as its registry does. */
export function servingEndpoint(workspace: Workspace, name: string, model: string): ServingEndpoint {
  const path = `/api/2.0/serving-endpoints/${encodeURIComponent(name)}`;
  const place = `endpoint ${name} at ${workspace.host}`;
  const read = () => workspace.find({ method: "GET", path }, endpoint);
  return {
    place,
    async state() {
      const found = await read();
      return found && stateOf(found, model);
    },
    async ask(served) {
      const found = await read();
      const config = configOf(served, model, settingsOf(found, model));
      // Neither is repeated after a lost reply: what came of it is looked at.
      const call =
        found === undefined
          ? { method: "POST" as const, path: "/api/2.0/serving-endpoints", json: { name, config }, idempotent: false }
          : { method: "PUT" as const, path: `${path}/config`, json: config, idempotent: false };
      const { request, reply } = await workspace.attempt(call);
      if (reply.status >= 200 && reply.status < 300) return;
      const { code, message } = problemOf(reply);
      if (["RESOURCE_CONFLICT", "ALREADY_EXISTS", "RESOURCE_ALREADY_EXISTS"].includes(code))
        throw changedError(
          "serving.busy",
          `${place} is being changed by somebody else: ${message}`,
          "run the same command again: it waits until that is done",
        );
      // Its own no: the request as it is would be refused again. Anything else says nothing about the version.
      if (reply.status === 400 || reply.status === 422)
        throw outsideError(
          "serving.failed",
          `${place} does not take ${served.map(({ version }) => `v${version}`).join(" and ")}: ${httpFailure(request, reply).message}`,
          "mend what it says, then run the same command again",
        );
      throw httpFailure(request, reply);
    },
    async remove() {
      await workspace.find({ method: "DELETE", path }, done);
    },
    async score(request) {
      const call = {
        method: "POST" as const,
        path: `/serving-endpoints/${encodeURIComponent(name)}/invocations`,
        json: request,
        // Scoring changes nothing, and a model that was scaled to zero may be slow to wake.
        idempotent: true,
        timeoutMs: SCORE_TIMEOUT_MS,
      };
      const { request: sent, reply } = await workspace.attempt(call);
      const answer = predictions.safeParse(reply.json);
      if (reply.status >= 200 && reply.status < 300 && answer.success && !isEmpty(answer.data.predictions)) return;
      // Who asks may not, or asks too often: the version has not been heard.
      if ([401, 403, 429].includes(reply.status)) throw httpFailure(sent, reply);
      const why = reply.status === 200 ? "it answered without predictions" : httpFailure(sent, reply).message;
      throw outsideError("serving.score", `${place} did not score a request: ${why}`);
    },
  };
}

function isEmpty(answer: unknown): boolean {
  return answer === undefined || answer === null || (Array.isArray(answer) && answer.length === 0);
}

function stateOf({ state, config, pending_config: pending }: EndpointBody, model: string): EndpointState {
  const routes = new Map((config?.traffic_config.routes ?? []).map((each) => [each.name, each.traffic]));
  const entities = config?.served_entities ?? [];
  const mine = entities.filter((each) => isOf(each, model));
  const served = mine
    .map((each) => ({
      version: each.entity_version,
      // A single entity without routes gets everything.
      traffic: routes.get(each.name) ?? (routes.size === 0 && entities.length === 1 ? 100 : 0),
    }))
    .sort((a, b) => b.traffic - a.traffic);
  // What is asked for and not up yet is somebody's, too.
  const strangers = [...entities, ...(pending?.served_entities ?? [])]
    .filter((each) => !isOf(each, model))
    .map((each) => each.entity_name || each.name);
  const phase =
    state.config_update === "IN_PROGRESS" ? "changing" : state.config_update === "NOT_UPDATING" ? "steady" : "failed";
  return {
    served,
    strangers: [...new Set(strangers)],
    // A new endpoint is not ready while nothing of it has come up yet, whatever it says about updates.
    phase: phase === "steady" && state.ready !== "READY" && !isFailed(entities) ? "changing" : phase,
    ready: state.ready === "READY",
    trouble: troubleOf([...(pending?.served_entities ?? []), ...entities]),
  };
}

function isOf(entity: Entity, model: string): boolean {
  return entity.entity_name.toLowerCase() === model.toLowerCase();
}

function isFailed(entities: readonly Entity[]): boolean {
  return entities.some((each) => /FAILED|ABORTED/.test(each.state?.deployment ?? ""));
}

function troubleOf(entities: readonly Entity[]): EndpointState["trouble"] {
  // What was aborted was so because of what failed.
  const told = ["FAILED", "ABORTED"]
    .flatMap((end) => entities.filter((each) => each.state?.deployment.endsWith(end)))
    .find((each) => each.state?.deployment_state_message !== "");
  return told && { version: told.entity_version, said: (told.state?.deployment_state_message ?? "").slice(0, 300) };
}

type Settings = (version: string) => Record<string, unknown> & { name: string };

/** The settings (size, variables, …) of what answers now: a new version takes its place, so it takes them over. */
function settingsOf(found: EndpointBody | undefined, model: string): Settings {
  const entities = [
    ...(found?.config?.served_entities ?? []),
    ...(found?.pending_config?.served_entities ?? []),
  ].filter((each) => isOf(each, model));
  const routes = new Map((found?.config?.traffic_config.routes ?? []).map((each) => [each.name, each.traffic]));
  const main = entities.toSorted((a, b) => (routes.get(b.name) ?? 0) - (routes.get(a.name) ?? 0))[0];
  return (version) => {
    const own = entities.find((each) => each.entity_version === version);
    const like = own ?? main;
    // One that is up keeps its name: under another one it would have to come up again.
    const name = own?.name ?? `v${version}`;
    if (like === undefined) return { ...FIRST_SETTINGS, name };
    const given = Object.entries(like).filter(([key]) => SETTINGS.has(key));
    const sized = given.some(([key]) => key === "workload_size");
    // Either a size or its bounds are written, and both may be told.
    return { ...Object.fromEntries(given.filter(([key]) => !(sized && /_concurrency$/.test(key)))), name };
  };
}

function configOf(served: readonly Served[], model: string, settings: Settings) {
  const entities = served.map(({ version }) => ({
    ...settings(version),
    entity_name: model,
    entity_version: version,
  }));
  return {
    served_entities: entities,
    traffic_config: {
      routes: served.map(({ traffic }, i) => ({
        served_entity_name: entities[i]?.name,
        traffic_percentage: traffic,
      })),
    },
  };
}
