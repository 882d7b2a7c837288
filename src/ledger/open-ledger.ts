import type { Signer } from "../lib/signing.ts";
import type { PolicyInForce } from "../policy/in-force.ts";
import type { Entry, Fact, Head } from "./entry.ts";
import type { LedgerStore } from "./store.ts";

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
export declare function openLedger(store: LedgerStore): Ledger;

/** The view of a chain's bytes. Throws nothing about their content. */
export declare function viewOf(text: Buffer, torn?: Buffer): LedgerView;

/** The view, or exit 3's reason as an error when the chain does not hold: nothing may be decided on it. */
export declare function demandWhole(view: LedgerView, place: string): LedgerView;
