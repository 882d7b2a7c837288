import { type Entry, type EntryKind, type Fact, type Head, headOf } from "../ledger/entry.ts";
import { type EntryOf, isKind, type LineState, lineState, type Started } from "../ledger/line-state.ts";
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

/**
 * The entry that begins something, on the very head that the plan was made from. A head that has moved means that the plan may not hold
 * any more: exit 5, and running it again makes a new one.
 */
export async function appendStart<K extends "promotion.started" | "release.started">(
  line: Line,
  fact: Extract<Fact, { kind: "promotion.started" | "release.started" }> & { kind: K },
  actor: Actor,
  at: Date,
  report: Report,
): Promise<{ started: EntryOf<K>; view: LedgerView }> {
  const entries = await appendOnLine(line, [fact], actor, at, report);
  if (entries === undefined) throw await moved(line, fact.body.environment);
  const started = sameKind<K>(entries.at(-1), fact.kind);
  const all = [...line.view.entries, ...entries];
  return { started, view: { ...line.view, entries: all, head: headOf(all) } };
}

async function moved(line: Line, environment: string): Promise<FactoryError> {
  const later = await line.ledger.view();
  const [holder] = lineState(later.entries).environment(environment).open;
  return changedError(
    "ledger.moved",
    holder === undefined
      ? "the ledger moved while this was planned"
      : `${holder.by} was faster: ${environment} is held by entry ${holder.seq} (${holder.kind})`,
    "plan again: run the same command",
  );
}

const TRIES = 20;

/**
 * Appends the end of what was started, on whatever head there is now. Others may write in between (approvals, other environments). When
 * the start is not open any more, somebody else ended it: `undo` takes back what was done for it, by the ledger as it is then; exit 5.
 */
export async function appendEnd<K extends EntryKind>(
  ledger: Ledger,
  started: Started,
  fact: Fact & { kind: K },
  actor: Actor,
  view: LedgerView,
  now: () => Date,
  undo?: (state: LineState) => Promise<void>,
): Promise<EntryOf<K>> {
  let { head } = view;
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const entry = await ledger.append(fact, actor, head, now());
    if (entry !== undefined) return sameKind<K>(entry, fact.kind);
    const later = await ledger.view();
    const state = lineState(later.entries);
    if (!isOpen(state, started)) {
      await undo?.(state);
      throw ended(started);
    }
    ({ head } = later);
  }
  throw changedError(
    "ledger.busy",
    `the ledger moved ${TRIES} times in a row`,
    "run the same command again: it carries on",
  );
}

function sameKind<K extends EntryKind>(entry: Entry | undefined, kind: K): EntryOf<K> {
  if (entry === undefined || !isKind(entry, kind)) throw new TypeError("an entry came back as another kind");
  return entry;
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
