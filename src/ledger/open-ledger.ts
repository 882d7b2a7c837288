import { EXIT, FactoryError, outsideError, usageError } from "../lib/error.ts";
import { holdsSecret } from "../lib/redact.ts";
import type { Signer } from "../lib/signing.ts";
import { BRING_BACK } from "./bring-back.ts";
import type { Entry, Fact, Head } from "./entry.ts";
import { formatEntry, parseLine } from "./entry-line.ts";
import { type Judged, judgeEntry, type Refusal } from "./judge.ts";
import type { LedgerStore } from "./store.ts";
import { type ChainProblem, judgeChain, type LedgerView } from "./view.ts";

export type { ChainProblem, LedgerView } from "./view.ts";

export interface Actor {
  /** As the policy names it. */
  by: string;
  signer: Signer;
}

export interface Ledger {
  readonly place: string;
  readonly local: boolean;
  /** Reads and verifies. A chain that does not hold is in `problems`. */
  view(): Promise<LedgerView>;
  /**
   * Signs and appends one entry on `expected`. Undefined: the head has moved and nothing was written. What a reader would
   * refuse is never written: a time more than 5 minutes before the last entry's is exit 4, anything else exit 2; a chain that
   * was broken meanwhile is exit 5. What looks like a secret is never written either: exit 2.
   */
  append(fact: Fact, actor: Actor, expected: Head, at: Date): Promise<Entry | undefined>;
}

/** A ledger on a store. With `project`, a chain that was opened for another one does not hold. */
export function openLedger(store: LedgerStore, project?: string): Ledger {
  let last: Judged | undefined;
  const read = async (): Promise<LedgerView> => {
    const { text, torn } = await store.read();
    const { view, judged } = judgeChain(text, torn, project);
    last = view.problems.length === 0 ? judged : undefined;
    return view;
  };
  return {
    place: store.place,
    local: store.local,
    view: read,
    async append(fact, { by, signer }, expected, at) {
      if (!isAt(last, expected)) {
        const { problems } = await read();
        if (problems.length > 0) throw brokenMeanwhile(problems, store.place);
      }
      const before = last;
      if (before === undefined || !isAt(before, expected)) return undefined;
      const line = formatEntry(fact, { seq: expected.seq + 1, at, by, prev: expected.hash }, signer);
      if (holdsSecret(line)) throw secretIn(fact);
      const bytes = Buffer.from(line);
      const entry = parseLine(bytes);
      if ("problem" in entry) throw wouldNotCount(entry, fact, at, store.place);
      const after = judgeEntry(before, entry, bytes);
      if ("problem" in after) throw wouldNotCount(after, fact, at, store.place);
      if (!(await store.append(line, expected))) return undefined;
      last = after;
      return entry;
    },
  };
}

function isAt(judged: Judged | undefined, { seq, hash }: Head): boolean {
  return judged !== undefined && judged.head.seq === seq && judged.head.hash === hash;
}

function wouldNotCount({ problem, clock }: Refusal, { kind }: Fact, at: Date, place: string): FactoryError {
  if (clock === true)
    return outsideError(
      "clock.behind",
      `by the clock of this machine it is ${at.toISOString()}, more than 5 minutes before the last entry of ${place}`,
      "set the clock of this machine; if it is right, that of the last entry was wrong: wait until its time has come",
    );
  return usageError(
    "ledger.refused",
    `nothing was written: an entry of kind ${kind} would not count, since it ${problem}`,
  );
}

function secretIn({ kind }: Fact): FactoryError {
  return usageError(
    "ledger.secret",
    `nothing was written: the entry of kind ${kind} would hold what looks like a secret`,
    "take it out of the text that you gave, and revoke it: entries stay for ever, and everybody reads them",
  );
}

function brokenMeanwhile(problems: readonly ChainProblem[], place: string): FactoryError {
  return new FactoryError(
    "ledger.broken",
    EXIT.changed,
    `the ledger ${place} does not hold any more: ${problems[0]?.message}`,
    {
      hint: "factory ledger verify",
      problems,
    },
  );
}

/** The way to a ledger that is whole again. */
export const RESTORE = `factory ledger verify says more; a whole copy is brought back by ${BRING_BACK}`;

/**
 * The view, when its chain holds. Else an error (exit 4) for a command whose question cannot be answered without it. A command
 * that decides something looks at `problems` instead: there a broken chain is the answer "no".
 */
export function demandWhole(view: LedgerView, place: string): LedgerView {
  if (view.problems.length === 0) return view;
  throw new FactoryError(
    "ledger.broken",
    EXIT.outside,
    `the ledger ${place} does not hold: ${view.problems[0]?.message}`,
    {
      hint: RESTORE,
      problems: view.problems.map(({ message }) => ({ message })),
    },
  );
}
