import type { EnvironmentState } from "./line-state.ts";

/** A version that served last where nothing serves now, and the rollback that took it away. */
export interface TakenAway {
  version: string;
  /** When champion was removed, ISO 8601, UTC. */
  at: string;
  by: string;
  /** Entry of the rollback. */
  seq: number;
}

/** What was taken away from an environment; undefined where something serves, or nothing ever did. Pure. */
export function takenAway({ champion, rolledback }: EnvironmentState): TakenAway | undefined {
  const last = champion === undefined ? rolledback.at(-1) : undefined;
  if (last === undefined) return undefined;
  const { entry, started } = last;
  return {
    version: started.body.from.version,
    at: entry.body.effectiveAt ?? entry.at,
    by: entry.by,
    seq: entry.seq,
  };
}
