import type { Head } from "./entry.ts";
import type { StoredChain } from "./store.ts";
import { type LedgerView, viewOf } from "./view.ts";

/** What bringing back a copy would do; or why it may not be done. */
export type RestorePlan =
  | {
      /** `place`: nothing was there; `extend`: the copy goes on where the chain ends; `replace`: the chain is broken. */
      action: "place" | "extend" | "replace" | "none";
      /** The chain afterwards. */
      text: Buffer;
      entries: number;
      head: Head;
    }
  | { action: "refuse"; why: string; fix: string };

/**
 * What a copy of a ledger would do in the place of what is there now. A copy must be whole, and hold every entry of the present
 * chain that counts: entries that somebody signed never go away by this. Pure; a copy or a chain of a later format throws exit 2.
 */
export function planRestore(present: StoredChain, copy: StoredChain, project: string): RestorePlan {
  const given = viewOf(copy.text, copy.torn, project);
  const [problem] = given.problems;
  if (problem !== undefined) return refuse(`the copy does not hold: ${problem.message}`, "take another copy");
  if (given.entries.length === 0) return refuse("the copy holds no entry", "take another copy");
  const now = viewOf(present.text, present.torn, project);
  const kept = wholeBytes(present.text, now);
  if (!copy.text.subarray(0, kept.length).equals(kept)) {
    const { seq } = now.head;
    return copy.text.length < kept.length && kept.subarray(0, copy.text.length).equals(copy.text)
      ? refuse(`the copy ends with entry ${given.head.seq}; the chain that is there holds to entry ${seq}`, NEWER)
      : refuse(
          `the copy is another chain: it does not hold the ${seq} entries that count in the one that is there`,
          NEWER,
        );
  }
  const whole = now.problems.length === 0 && present.torn.length === 0;
  const action =
    present.text.length + present.torn.length === 0
      ? "place"
      : now.problems.length > 0
        ? "replace"
        : whole && copy.text.length === kept.length
          ? "none"
          : "extend";
  return { action, text: copy.text, entries: given.entries.length, head: given.head };
}

const NEWER =
  "take a newer copy; if the chain that is there is the wrong one, move that file away yourself and keep it";

function refuse(why: string, fix: string): RestorePlan {
  return { action: "refuse", why, fix };
}

/** The bytes of the entries that count. */
function wholeBytes(text: Buffer, { entries }: LedgerView): Buffer {
  let end = 0;
  for (let line = 0; line < entries.length; line++) end = text.indexOf(0x0a, end) + 1;
  return text.subarray(0, end);
}
