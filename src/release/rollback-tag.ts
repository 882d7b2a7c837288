import type { EnvironmentState } from "../ledger/line-state.ts";

/**
 * The way back from what serves, as a model's tag holds it for a rollback that cannot ask the ledger; empty where nothing serves. `since`:
 * the rollback after which it serves. Pure.
 */
export function rollbackTagOf({ champion, rolledback }: Pick<EnvironmentState, "champion" | "rolledback">): string {
  if (champion === undefined) return "";
  const back = rolledback.find(({ entry }) => entry === champion.since)?.started;
  const since = back && { seq: back.seq, at: back.at, by: back.by };
  return JSON.stringify({ of: champion.version, to: champion.rollback, ...(since && { since }) });
}
