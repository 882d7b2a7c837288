import * as z from "zod";
import { type RollbackTarget, rollbackTarget } from "../ledger/entry.ts";
import type { EnvironmentState } from "../ledger/line-state.ts";

/**
 * The tag `factory.rollback` of a registered model: who serves, and the way back from there, for a rollback that cannot ask the ledger. Such
 * a rollback moves the tag on by one step, so that it has to carry the steps that come after.
 */

const rollbackTag = z.object({
  /** The version that serves: of any other the tag says nothing. */
  of: z.string(),
  /** Where a rollback goes. Absent: only the ledger knows. */
  to: rollbackTarget.optional(),
  /** Where one goes from there, and so on, as far as there is room. */
  further: z.array(rollbackTarget).optional(),
  /** Where it serves since a rollback. Without a number: the ledger does not have that rollback yet. */
  since: z.object({ seq: z.int().optional(), at: z.string(), by: z.string() }).optional(),
});
export type RollbackTag = z.infer<typeof rollbackTag>;

/** Unity Catalog takes 1000 characters. */
const MAX_LENGTH = 950;
const MAX_STEPS = 4;

/** The tag; undefined for none, an empty one, and one that somebody else wrote. */
export function parseRollbackTag(text: string | undefined): RollbackTag | undefined {
  if (text === undefined || text === "") return undefined;
  try {
    return rollbackTag.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** Text of the tag where a version serves by the ledger, with as many steps further back as there is room for. Pure. */
export function rollbackTagText(
  here: Pick<EnvironmentState, "released">,
  { of, to, since }: { of: string; to: RollbackTarget; since?: { seq: number; at: string; by: string } },
): string {
  return printed({ of, to, further: stepsAfter(here, to), ...(since !== undefined && { since }) });
}

/** Text of the tag as the ledger has it: about who serves, and since which rollback if it was one. Empty where nothing serves. Pure. */
export function rollbackTagOf(here: Pick<EnvironmentState, "champion" | "released" | "rolledback">): string {
  const { champion, rolledback } = here;
  if (champion === undefined) return "";
  const back = rolledback.find(({ entry }) => entry === champion.since)?.started;
  const since = back && { seq: back.seq, at: back.at, by: back.by };
  return rollbackTagText(here, { of: champion.version, to: champion.rollback, ...(since && { since }) });
}

/**
 * Text of the tag after a rollback that the ledger does not have yet. `before`: the tag as it was; one of another version knows no way back
 * from here. Empty where nothing serves any more. Pure.
 */
export function rollbackTagAfter(
  before: RollbackTag | undefined,
  { from, to, at, by }: { from: string; to: RollbackTarget; at: string; by: string },
): string {
  if (to === "none") return "";
  const since = { at, by };
  // Written by this very rollback, which was then cut off.
  if (before?.of === to.version && before.since?.at === at) return printed(before);
  const [next, ...further] = before?.of === from ? (before.further ?? []) : [];
  return printed({ of: to.version, ...(next !== undefined && { to: next, further }), since });
}

function stepsAfter({ released }: Pick<EnvironmentState, "released">, to: RollbackTarget): RollbackTarget[] {
  const steps: RollbackTarget[] = [];
  for (let at = to; at !== "none" && steps.length < MAX_STEPS; ) {
    const { version, digest } = at;
    const before = released.findLast(({ entry: { body } }) => body.version === version && body.digest === digest);
    if (before === undefined) break;
    at = before.entry.body.rollback;
    steps.push(at);
  }
  return steps;
}

function printed({ further = [], ...tag }: RollbackTag): string {
  for (let steps = further.length; steps > 0; steps--) {
    const text = JSON.stringify({ ...tag, further: further.slice(0, steps) });
    if (text.length <= MAX_LENGTH) return text;
  }
  return JSON.stringify(tag);
}
