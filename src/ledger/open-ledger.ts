import { usageError } from "../lib/error.ts";
import type { Signer } from "../lib/signing.ts";
import type { PolicyInForce } from "../policy/in-force.ts";
import type { Entry, Fact, Head } from "./entry.ts";
import { formatEntry, parseLine } from "./line.ts";
import type { LedgerStore } from "./store.ts";
import { viewOf } from "./view.ts";

/** Something in a chain that does not hold. */
export interface ChainProblem {
  /** Of the entry, as far as it could be told. */
  seq: number | undefined;
  message: string;
}

/** A chain as it was read, with every entry verified. */
export interface LedgerView {
  entries: readonly Entry[];
  head: Head;
  /** The policy in force at its end; undefined: not opened yet. */
  policy: PolicyInForce | undefined;
  /** The policy in force when an entry was written. */
  policyAt(seq: number): PolicyInForce | undefined;
  /** Empty for a whole chain. Entries after the first problem are not in `entries`. */
  problems: readonly ChainProblem[];
  /** Bytes of a torn last line that were left out. */
  tornBytes: number;
}

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
   * Signs and appends one entry on `expected`. Undefined: the head has moved and nothing was written.
   */
  append(fact: Fact, actor: Actor, expected: Head, at: Date): Promise<Entry | undefined>;
}

/** A ledger on a store. */
export function openLedger(store: LedgerStore): Ledger {
  return {
    place: store.place,
    local: store.local,
    async view() {
      const { text, torn } = await store.read();
      return viewOf(text, torn);
    },
    async append(fact, actor, expected, at) {
      const place = { seq: expected.seq + 1, at: at.toISOString(), by: actor.by, prev: expected.hash };
      const line = formatEntry(fact, place, actor.signer);
      const parsed = parseLine(Buffer.from(line));
      // What could not be read back must never get into a chain.
      if ("problem" in parsed) throw new TypeError(`an entry of kind ${fact.kind} ${parsed.problem}`);
      return (await store.append(line, expected)) ? parsed.entry : undefined;
    },
  };
}

/** The view, when its chain holds; else why nothing may be decided on it. */
export function demandWhole(view: LedgerView, place: string): LedgerView {
  const [first] = view.problems;
  if (first === undefined) return view;
  throw usageError(
    "ledger.broken",
    `the ledger ${place} does not hold: entry ${first.seq ?? "?"} ${first.message}`,
    "factory ledger verify says more; factory ledger restore brings back a whole copy",
  );
}
