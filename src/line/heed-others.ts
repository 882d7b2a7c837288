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
  const what = `entry ${started.seq} (${started.kind})`;
  const hint = "run the same command again: it is decided anew";
  const taken = state.approvals.find(
    (each) => each.withdrawn !== undefined && started.body.approvals.includes(each.entry.hash),
  );
  if (taken !== undefined) {
    await undo(state, "overtaken");
    throw changedError(
      "approval.taken",
      `entry ${taken.withdrawn?.seq} withdrew an approval on which ${what} rests`,
      hint,
    );
  }
  const policy = entries.find((each) => each.seq > started.seq && each.kind === "policy.adopted");
  if (policy !== undefined) {
    await undo(state, "overtaken");
    throw changedError(
      "policy.overtaken",
      `entry ${policy.seq} put another policy in force than the one by which ${what} was decided`,
      hint,
    );
  }
}
