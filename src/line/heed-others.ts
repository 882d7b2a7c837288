import { type EntryOf, type LineState, lineState } from "../ledger/line-state.ts";
import type { Ledger } from "../ledger/open-ledger.ts";
import { changedError } from "../lib/error.ts";
import { ended, isOpen } from "./append.ts";

/**
 * Bytes take minutes to arrive, an endpoint to come up. Whoever ended what was begun in that time, or withdrew an approval that it rests
 * on, is heard before anything moves: exit 5. `undo` takes back what it has done so far, by the ledger as it is now.
 */
export async function demandStillAllowed(
  started: EntryOf<"promotion.started" | "release.started">,
  ledger: Pick<Ledger, "view">,
  undo: (state: LineState, why: "ended" | "withdrawn") => Promise<void>,
): Promise<void> {
  const state = lineState((await ledger.view()).entries);
  if (!isOpen(state, started)) {
    await undo(state, "ended");
    throw ended(started);
  }
  const taken = state.approvals.find(
    (each) => each.withdrawn !== undefined && started.body.approvals.includes(each.entry.hash),
  );
  if (taken === undefined) return;
  await undo(state, "withdrawn");
  throw changedError(
    "approval.taken",
    `entry ${taken.withdrawn?.seq} withdrew an approval on which entry ${started.seq} (${started.kind}) rests`,
    "run the same command again: it is decided anew",
  );
}
