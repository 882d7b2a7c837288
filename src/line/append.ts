import type { Entry, Fact, Head } from "../ledger/entry.ts";
import { type LineState, lineState, type Started } from "../ledger/line-state.ts";
import type { Actor, Ledger, LedgerView } from "../ledger/open-ledger.ts";
import { changedError, type FactoryError } from "../lib/error.ts";
import type { Report } from "../lib/progress.ts";
import type { Line } from "./line.ts";

/** Entries that go one after the other on a head; undefined when it has moved before the first. */
export async function appendOn(
  ledger: Ledger,
  facts: readonly Fact[],
  actor: Actor,
  head: Head,
  at: Date,
): Promise<Entry[] | undefined> {
  const entries: Entry[] = [];
  let on = head;
  for (const fact of facts) {
    const entry = await ledger.append(fact, actor, on, at);
    if (entry === undefined) {
      if (entries.length === 0) return undefined;
      throw changedError("ledger.moved", "somebody else wrote to the ledger in the middle of this", "run it again");
    }
    entries.push(entry);
    on = { seq: entry.seq, hash: entry.hash };
  }
  return entries;
}

/**
 * Entries on the very head that the line was read at, after the one that puts its policy in force if there is one to write.
 * Undefined when the head has moved: nothing was written, and the plan may not hold any more.
 */
export async function appendOnLine(
  line: Pick<Line, "ledger" | "view" | "first">,
  facts: readonly Fact[],
  actor: Actor,
  at: Date,
  report?: Report,
): Promise<Entry[] | undefined> {
  const all = line.first === undefined ? facts : [line.first, ...facts];
  const entries = await appendOn(line.ledger, all, actor, line.view.head, at);
  if (entries?.[0]?.kind === "opened") {
    const { version, digest } = entries[0].body.policy;
    const text = `the ledger is opened, under policy v${version} sha256:${digest}: write that digest down, factory verify --policy-digest compares it`;
    report?.({ type: "note", tone: "info", text });
  }
  return entries;
}

const TRIES = 20;

/**
 * Appends the end of what was started, on whatever head there is now. Others may write in between (approvals, other
 * environments); when the start is not open any more, somebody else ended it: `ended` says what to do then.
 */
export async function appendEnd(
  ledger: Ledger,
  started: Started,
  fact: Fact,
  actor: Actor,
  view: LedgerView,
  now: () => Date,
): Promise<Entry> {
  let { head } = view;
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const entry = await ledger.append(fact, actor, head, now());
    if (entry !== undefined) return entry;
    const later = await ledger.view();
    if (!isOpen(lineState(later.entries), started)) throw ended(started);
    ({ head } = later);
  }
  throw changedError(
    "ledger.busy",
    `the ledger moved ${TRIES} times in a row`,
    "run the same command again: it carries on",
  );
}

/** Somebody else ended what this command began, or carried on: exit 5. */
export function ended({ seq, kind }: Started): FactoryError {
  return changedError(
    "ledger.ended",
    `entry ${seq} (${kind}) was ended by somebody else meanwhile`,
    "factory history shows by whom",
  );
}

export function isOpen(state: LineState, started: Started): boolean {
  return state.environment(started.body.environment).open.some((each) => each.hash === started.hash);
}
