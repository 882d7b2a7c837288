import type { Entry, Fact, Head } from "../ledger/entry.ts";
import { type LineState, lineState, type Started } from "../ledger/line-state.ts";
import type { Actor, Ledger, LedgerView } from "../ledger/open-ledger.ts";
import { EXIT, FactoryError } from "../lib/error.ts";
import type { Report } from "../lib/progress.ts";
import type { Line } from "./line.ts";

/** The world changed under a plan: exit 5. */
export function changed(code: string, message: string, hint?: string): FactoryError {
  return new FactoryError(code, EXIT.changed, message, hint === undefined ? {} : { hint });
}

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
      throw changed("ledger.moved", "somebody else wrote to the ledger in the middle of this", "run it again");
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
  throw changed("ledger.busy", `the ledger moved ${TRIES} times in a row`, "run the same command again: it carries on");
}

/** Somebody else ended what this command began, or carried on: exit 5. */
export function ended({ seq, kind }: Started): FactoryError {
  return changed(
    "ledger.ended",
    `entry ${seq} (${kind}) was ended by somebody else meanwhile`,
    "factory history shows by whom",
  );
}

export function isOpen(state: LineState, started: Started): boolean {
  return state.environment(started.body.environment).open.some((each) => each.hash === started.hash);
}

/** A start is taken over only when it is this old, unless its command is known to be cut off: until then it may be at work. */
const TAKEOVER_MS = 2 * 60_000;

/**
 * The start that this command carries on, or undefined when nothing is open. Anything else that is open in the environment is
 * a lock: exit 5, with holder and age. A rollback alone looks no further than the start that it carries on: going back does not wait
 * for what others began. `cutOff`: of which starts of the same key it is known that nobody is at work on them. Pure.
 */
export function demandFree<K extends Started["kind"]>(
  open: readonly Started[],
  mine: { kind: K; digest: string; key: string; cutOff: (started: Started) => boolean },
  now: Date,
): Extract<Started, { kind: K }> | undefined {
  let own: Extract<Started, { kind: K }> | undefined;
  for (const each of open) {
    if (own?.kind === "rollback.started") break;
    const ageMs = Math.max(0, now.getTime() - new Date(each.at).getTime());
    const same = each.kind === mine.kind && each.body.digest === mine.digest;
    const cutOff = each.key === mine.key && mine.cutOff(each);
    if (same && (cutOff || ageMs >= TAKEOVER_MS) && isStartOf(each, mine.kind)) {
      own ??= each;
      continue;
    }
    const minutes = Math.floor(ageMs / 60_000);
    const age = minutes < 1 ? `${Math.floor(ageMs / 1000)} s` : `${minutes} min`;
    throw changed(
      "environment.locked",
      `${each.body.environment} is held by entry ${each.seq} (${each.kind} of sha256:${each.body.digest.slice(0, 12)}…) of ${each.by}, since ${age}`,
      same
        ? "wait until it is done; if its process died, run this again after two minutes: it carries on"
        : `wait, or end it: factory promote --abandon --to ${each.body.environment} --reason "WHY"`,
    );
  }
  return own;
}

function isStartOf<K extends Started["kind"]>(entry: Started, kind: K): entry is Extract<Started, { kind: K }> {
  return entry.kind === kind;
}
