import type { Entry } from "../ledger/entry.ts";
import { type EntryOf, type LineState, lineState } from "../ledger/line-state.ts";
import type { Ledger } from "../ledger/open-ledger.ts";
import { changedError } from "../lib/error.ts";
import { ended, isOpen } from "./append.ts";

/**
 * Bytes take minutes to arrive, an endpoint to come up. Whoever ended what was begun in that time, withdrew an approval that it rests on,
 * or put another policy in force, is heard before anything moves: exit 5. `undo` takes back what it has done so far, by the ledger as it
 * is now; `overtaken`: it is still begun, on what does not hold any more.
 */
export async function demandStillAllowed(
  started: EntryOf<"promotion.started" | "release.started">,
  ledger: Pick<Ledger, "view">,
  undo: (state: LineState, why: "ended" | "overtaken") => Promise<void>,
): Promise<void> {
  const { entries } = await ledger.view();
  const state = lineState(entries);
  if (!isOpen(state, started)) {
    await undo(state, "ended");
    throw ended(started);
  }
  const why = overtakenBy(started, state, entries);
  if (why === undefined) return;
  await undo(state, "overtaken");
  throw changedError(why.code, why.message, "run the same command again: it is decided anew");
}

function overtakenBy(
  { seq, kind, body }: EntryOf<"promotion.started" | "release.started">,
  { approvals }: LineState,
  entries: readonly Entry[],
): { code: string; message: string } | undefined {
  const what = `entry ${seq} (${kind})`;
  const taken = approvals.find((each) => each.withdrawn !== undefined && body.approvals.includes(each.entry.hash));
  if (taken !== undefined)
    return {
      code: "approval.taken",
      message: `entry ${taken.withdrawn?.seq} withdrew an approval on which ${what} rests`,
    };
  const policy = entries.find((each) => each.seq > seq && each.kind === "policy.adopted");
  return (
    policy && {
      code: "policy.overtaken",
      message: `entry ${policy.seq} put another policy in force than the one by which ${what} was decided`,
    }
  );
}
