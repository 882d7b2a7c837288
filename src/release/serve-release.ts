import { numberOf } from "../ledger/entry.ts";
import type { EntryOf } from "../ledger/line-state.ts";
import { outsideError } from "../lib/error.ts";
import type { Environment } from "../policy/policy.ts";
import { registeredName } from "../registry/registry.ts";
import { scoringRequest } from "./scoring-request.ts";
import { removeEndpoint, serve } from "./serve.ts";
import { broughtUp, routedTo } from "./serving.ts";
import type { ReleaseWorld } from "./world.ts";

/** What of the world an endpoint needs. */
export type ServingWorld = Pick<ReleaseWorld, "serving" | "report" | "signal">;
type Body = EntryOf<"release.started">["body"];

/** The endpoint of a release, or undefined when jobs read the alias. */
async function endpointOf(name: string | undefined, environment: Environment, model: string, world: ServingWorld) {
  return name === undefined ? undefined : world.serving(environment, name, registeredName(environment.catalog, model));
}

/** The new version comes up beside the one that answers, and answers nothing yet. */
export async function bringUp(body: Body, environment: Environment, world: ReleaseWorld): Promise<void> {
  const endpoint = await endpointOf(body.endpoint, environment, body.model, world);
  if (endpoint === undefined) return;
  // Carried on after it was cut off in the middle, it may have the requests already: they are not taken away again.
  await serve(
    endpoint,
    (state) => (state?.served[0]?.version === body.version ? state.served : broughtUp(state, body.version)),
    world,
  );
}

/** All requests go to the new version, which must answer one; the one before stays up, so that going back is quick. */
export async function giveRequests(
  body: Body,
  environment: Environment,
  folder: string,
  world: ReleaseWorld,
): Promise<void> {
  const endpoint = await endpointOf(body.endpoint, environment, body.model, world);
  if (endpoint === undefined) return;
  const before = numberOf(body.champion);
  await serve(endpoint, () => routedTo(body.version, before), world);
  const request = await scoringRequest(folder);
  if (request === undefined)
    throw outsideError(
      "serving.example",
      `v${body.version} states no inputs that a request can be made up for and carries no example, so that ${endpoint.place} cannot be tried`,
      "log the model with a signature or an input_example",
    );
  await endpoint.score(request);
}

/** Requests go to a version that served before, or nowhere any more: then the endpoint is removed. */
export async function takeRequestsBack(
  of: { endpoint: string | undefined; model: string; version: string | undefined },
  environment: Environment,
  world: ServingWorld,
): Promise<void> {
  const endpoint = await endpointOf(of.endpoint, environment, of.model, world);
  if (endpoint === undefined) return;
  const { version } = of;
  if (version === undefined) await removeEndpoint(endpoint);
  else await serve(endpoint, () => routedTo(version, undefined), world);
}
