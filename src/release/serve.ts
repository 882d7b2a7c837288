import { setTimeout as sleep } from "node:timers/promises";
import { changedError, outsideError } from "../lib/error.ts";
import { type Report, withTask } from "../lib/progress.ts";
import { type EndpointState, isServing, type Served, type ServingEndpoint } from "./serving.ts";

export interface ServeWorld {
  report: Report;
  signal: AbortSignal;
}

/** An image is built and machines are started: Databricks' own tools wait for 20 to 35 minutes. */
const LONGEST_MS = 40 * 60_000;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 10_000;

/**
 * Brings an endpoint to serve exactly this, and comes back when it does: looked at first, asked for once, waited for, read back.
 * Throws exit 4 when it does not come about (what answered before still does) and exit 5 when somebody else changes it.
 */
export async function serve(
  endpoint: ServingEndpoint,
  wanted: (state: EndpointState | undefined) => readonly Served[],
  world: ServeWorld,
): Promise<void> {
  const before = await settled(endpoint, "another change", world);
  demandAlone(
    endpoint,
    before,
    "give this model an endpoint of its own: release.endpoint in factory.yaml, or environments.<name>.release.endpoint for one environment",
  );
  const goal = wanted(before);
  if (isServing(before, goal)) return;
  await endpoint.ask(goal);
  const after = await settled(
    endpoint,
    goal.map(({ version, traffic }) => `v${version} ${traffic} %`).join(", "),
    world,
  );
  if (after?.phase === "failed" || after?.ready === false)
    throw outsideError(
      "serving.failed",
      after.trouble === undefined
        ? `${endpoint.place} did not take ${goal.map((each) => `v${each.version}`).join(" and ")}`
        : `v${after.trouble.version} did not come up: ${endpoint.place} says: ${after.trouble.said}`,
      "what answered before still does; look at the endpoint's events and logs, then run it again",
    );
  if (!isServing(after, goal))
    throw changedError(
      "serving.changed",
      `${endpoint.place} serves something else than was asked for: somebody else changes it`,
      "run the same command again",
    );
}

/** Takes an endpoint down. Throws exit 4 when it answers for other models too. */
export async function removeEndpoint(endpoint: ServingEndpoint): Promise<void> {
  // Not waited for: what never comes up is what has to go.
  demandAlone(endpoint, await endpoint.state(), "take the other model off it, then run the same command again");
  await endpoint.remove();
}

/** What else an endpoint serves is nobody's to route or to remove here. Throws exit 4. */
function demandAlone(endpoint: ServingEndpoint, state: EndpointState | undefined, fix: string): void {
  if (state === undefined || state.strangers.length === 0) return;
  throw outsideError("serving.strangers", `${endpoint.place} serves ${state.strangers.join(", ")} too`, fix);
}

/** The endpoint once no change is going on; undefined when there is none. Throws exit 4 when it takes too long. */
async function settled(endpoint: ServingEndpoint, what: string, world: ServeWorld): Promise<EndpointState | undefined> {
  const first = await endpoint.state();
  if (first?.phase !== "changing") return first;
  return withTask(world.report, "serving.wait", `waiting for ${endpoint.place}: ${what}`, async (advance) => {
    const started = performance.now();
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      await sleep(pauseMs, undefined, { signal: world.signal });
      const state = await endpoint.state();
      if (state?.phase !== "changing") return state;
      const waitedMs = performance.now() - started;
      advance(Math.round(waitedMs / 1000));
      if (waitedMs > LONGEST_MS)
        throw outsideError(
          "serving.slow",
          `${endpoint.place} is still changing after ${Math.round(waitedMs / 60_000)} min${state.trouble === undefined ? "" : `: v${state.trouble.version}: ${state.trouble.said}`}`,
          "run the same command again: it goes on waiting",
        );
    }
  });
}
