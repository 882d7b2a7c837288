import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import { outsideError } from "../../lib/error.ts";
import { type Report, withTask } from "../../lib/progress.ts";
import type { Workspace } from "../databricks/workspace.ts";

const POLL_MS = 2000;
/** A stopped warehouse of the older kind takes some minutes. */
const START_LIMIT_MS = 15 * 60_000;

const answer = z.object({ state: z.string(), name: z.string().optional() });

export interface WaitRequest {
  workspace: Workspace;
  id: string;
  report: Report;
  signal: AbortSignal | undefined;
  limitMs?: number | undefined;
  pollMs?: number | undefined;
}

/**
 * Returns when the warehouse runs. One that is stopped is started, and awaited with a message. Throws exit 4 when there is no such
 * warehouse, when it is being deleted, or when it does not run after the limit.
 */
export async function waitUntilRunning(request: WaitRequest): Promise<void> {
  const { workspace, id, report, signal } = request;
  const path = `/api/2.0/sql/warehouses/${encodeURIComponent(id)}`;
  const ask = async () => {
    const found = await workspace.find({ method: "GET", path, ...(signal && { signal }) }, answer);
    if (found === undefined)
      throw outsideError(
        "sql.warehouse",
        `${workspace.label} has no SQL warehouse ${id}, or does not show it`,
        "correct the id in policy.yaml, or have CAN_USE on it granted",
      );
    if (found.state === "DELETED" || found.state === "DELETING")
      throw outsideError("sql.warehouse", `SQL warehouse ${id} of ${workspace.label} is deleted`, "name another one");
    return found;
  };
  const first = await ask();
  if (first.state === "RUNNING") return;
  const limitMs = request.limitMs ?? START_LIMIT_MS;
  const name = first.name ?? id;
  await withTask(
    report,
    "warehouse",
    `SQL warehouse ${name} is ${first.state.toLowerCase()}: waiting for it`,
    async (advance) => {
      const until = Date.now() + limitMs;
      let state = first.state;
      let started = false;
      for (let look = 1; ; look++) {
        if (state === "STOPPED" && !started) {
          started = true;
          // A repeated start of one that starts does nothing.
          const call = {
            method: "POST",
            path: `${path}/start`,
            json: {},
            idempotent: true,
            ...(signal && { signal }),
          } as const;
          await workspace.demand(call, z.unknown());
        }
        if (Date.now() >= until)
          throw outsideError(
            "sql.warehouse",
            `SQL warehouse ${name} of ${workspace.label} did not run after ${Math.round(limitMs / 1000)} s: it is ${state.toLowerCase()}`,
            "look at it in the workspace, and run this again",
          );
        await sleep(request.pollMs ?? POLL_MS, undefined, signal === undefined ? {} : { signal });
        state = (await ask()).state;
        advance(look, state.toLowerCase());
        if (state === "RUNNING") return;
      }
    },
  );
}
