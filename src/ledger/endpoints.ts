import { type EntryBody, numberOf } from "./entry.ts";
import type { EnvironmentState } from "./line-state.ts";

/** What the ledger says of one serving endpoint. */
export interface EndpointRecord {
  /** Answers every request, by the last entry that ended something there; undefined: nothing does, and it should be gone. */
  version: string | undefined;
  /** False: it was only ever named by releases that were abandoned, so that it may as well not be there. */
  used: boolean;
}

/**
 * Every endpoint that an environment's entries name, by its name, but for those that only an open start names. What was only begun says
 * nothing of what was there before: whoever holds a listed key can begin anything. Pure.
 */
export function endpointsOf(here: EnvironmentState): ReadonlyMap<string, EndpointRecord> {
  const records = new Map<string, EndpointRecord>();
  const give = (endpoint: string, version: string | undefined) => records.set(endpoint, { version, used: true });
  for (const { entry } of here.served) {
    if (entry.kind === "released") {
      if (entry.body.endpoint !== undefined) give(entry.body.endpoint, entry.body.version);
      continue;
    }
    const started = here.rolledback.find((each) => each.entry === entry)?.started.body;
    if (started === undefined) continue;
    const to = numberOf(entry.body.to);
    for (const [endpoint, { version }] of records) if (version === started.from.version) give(endpoint, to);
    if (started.endpoint !== undefined) give(started.endpoint, to);
  }
  for (const { kind, body } of here.abandoned)
    if (kind === "release.started" && body.endpoint !== undefined && records.get(body.endpoint)?.used !== true)
      records.set(body.endpoint, { version: here.champion?.version, used: false });
  return records;
}

/** The endpoints that a version answers by: those that a rollback of it moves. Pure. */
export function endpointsAnswering(here: EnvironmentState, version: string): string[] {
  return [...endpointsOf(here)].flatMap(([endpoint, record]) =>
    record.used && record.version === version ? [endpoint] : [],
  );
}

/** Why a rollback names an endpoint that it has nothing to do with; undefined when it does not. Pure. */
export function rollbackEndpointProblem(
  here: EnvironmentState,
  { from, endpoint }: EntryBody<"rollback.started">,
): string | undefined {
  if (endpoint === undefined || endpointsAnswering(here, from.version).includes(endpoint)) return undefined;
  // That of a release which was cut off, and ended for this rollback.
  const begun = [...here.open, ...here.abandoned].some(
    ({ kind, body }) => kind === "release.started" && body.version === from.version && body.endpoint === endpoint,
  );
  return begun ? undefined : `names endpoint ${endpoint}, which v${from.version} does not answer by`;
}
