import type { Head } from "./entry.ts";
import type { StoredChain } from "./store.ts";
import { viewOf } from "./view.ts";

/** What moving a chain to another place would do; or why it may not be done. */
export type CopyPlan =
  | { action: "copy" | "none"; text: Buffer; entries: number; head: Head }
  | { action: "refuse"; why: string; fix: string };

/**
 * What moving a whole chain would do in a place where another may be. Only an empty place takes one: two chains cannot become one,
 * and nothing that somebody signed goes away by this. Pure; a chain of a later format throws exit 2.
 */
export function planCopy(source: StoredChain, target: StoredChain, project: string): CopyPlan {
  const given = viewOf(source.text, source.torn, project);
  const [problem] = given.problems;
  if (problem !== undefined)
    return refuse(`the source does not hold: ${problem.message}`, "factory ledger verify says more; take a whole copy");
  if (given.entries.length === 0) return refuse("the source holds no entry", "name the ledger that was used so far");
  const plan = { text: source.text, entries: given.entries.length, head: given.head };
  if (target.text.equals(source.text)) return { action: "none", ...plan };
  if (target.text.length + target.torn.length > 0) {
    const same = target.text.subarray(0, source.text.length).equals(source.text);
    return same
      ? refuse("the target holds this chain already, and more entries after it", "nothing is to be done: use it")
      : refuse(
          "the target holds a chain already",
          "a chain is moved into an empty place only: name another table in the policy",
        );
  }
  return { action: "copy", ...plan };
}

function refuse(why: string, fix: string): CopyPlan {
  return { action: "refuse", why, fix };
}
