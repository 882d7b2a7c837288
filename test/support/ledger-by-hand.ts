import { appendFileSync, existsSync, readFileSync } from "node:fs";
import type { Entry, EntryKind, Fact } from "../../src/ledger/entry.ts";
import { formatEntry } from "../../src/ledger/entry-line.ts";
import type { EntryOf } from "../../src/ledger/line-state.ts";
import { entriesIn } from "./line.ts";
import type { Name, SmallLine } from "./small-line.ts";

// The ledger of a line in a file, read and written as somebody with a client of their own can.

/** Every entry, each checked by itself; none where there is no ledger. */
export function entriesOf({ ledgerPath }: Pick<SmallLine, "ledgerPath">): Entry[] {
  return existsSync(ledgerPath) ? entriesIn(readFileSync(ledgerPath, "utf8")) : [];
}

/** The last entry of a kind. Throws where there is none. */
export function lastOf<K extends EntryKind>(line: Pick<SmallLine, "ledgerPath">, kind: K): EntryOf<K> {
  const found = entriesOf(line).findLast((each): each is EntryOf<K> => each.kind === kind);
  if (found === undefined) throw new Error(`no ${kind}`);
  return found;
}

/** Old enough to be carried on by anybody. */
const OLD_MS = 150_000;

/** Adds an entry as a listed person can sign it; its number. */
export function forgeEntry(line: SmallLine, who: Name, fact: Fact, ageMs = OLD_MS): number {
  const { address, signer } = line.people[who];
  const last = entriesOf(line).at(-1);
  const seq = (last?.seq ?? 0) + 1;
  const place = { seq, at: new Date(Date.now() - ageMs), by: address, prev: last?.hash ?? "" };
  appendFileSync(line.ledgerPath, `${formatEntry(fact, place, signer)}\n`);
  return seq;
}
