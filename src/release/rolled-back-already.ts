import type { EntryOf } from "../ledger/line-state.ts";
import type { Line } from "../promotion/line.ts";
import type { RollbackPlan, RollbackRequest } from "./plan-rollback.ts";

/**
 * The rollback that is asked for, when it is the last that happened to the environment, by this key and in the same words: then
 * the command was cut off at its end and is run again. To go back one more version takes another reason. Pure.
 */
export function rolledBackAlready(
  { environment, reason, incident, detectedAt }: RollbackRequest,
  line: Line,
  key: string,
) {
  const entry = line.state.environment(environment).served.at(-1)?.entry;
  if (entry?.kind !== "rolledback" || entry.key !== key) return undefined;
  const { body } = entry;
  if (body.reason !== reason || body.incident !== incident || body.detectedAt !== detectedAt) return undefined;
  const started = line.view.entries.find((each) => each.seq === body.started);
  return started?.kind === "rollback.started" ? { entry, started } : undefined;
}

/** What such a rollback planned, with the reason why a new one is none. Pure. */
export function planOf(
  { seq, body }: EntryOf<"rolledback">,
  started: EntryOf<"rollback.started">,
  { environment }: RollbackRequest,
): RollbackPlan {
  const why = `entry ${seq} is this very rollback, in the same words`;
  const fix = "to go back further still: --further, and a reason of its own";
  return {
    verdicts: [{ rule: "serving", verdict: "no", why, fix }],
    outcome: "yes",
    environment,
    from: started.body.from,
    to: body.to,
    start: undefined,
  };
}
