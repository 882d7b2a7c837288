import { isKind, type Started } from "../ledger/line-state.ts";
import { changedError } from "../lib/error.ts";

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
    if (same && (cutOff || ageMs >= TAKEOVER_MS) && isKind(each, mine.kind)) {
      own ??= each;
      continue;
    }
    const minutes = Math.floor(ageMs / 60_000);
    const age = minutes < 1 ? `${Math.floor(ageMs / 1000)} s` : `${minutes} min`;
    throw changedError(
      "environment.locked",
      `${each.body.environment} is held by entry ${each.seq} (${each.kind} of sha256:${each.body.digest.slice(0, 12)}…) of ${each.by}, since ${age}`,
      same
        ? "wait until it is done; if its process died, run this again after two minutes: it carries on"
        : `wait, or end it: factory promote --abandon --to ${each.body.environment} --reason "WHY"`,
    );
  }
  return own;
}
