import type { EntryOf, Started } from "../ledger/line-state.ts";
import type { Actor } from "../ledger/open-ledger.ts";
import { canonicalJson } from "../lib/canonical-json.ts";
import { cutTo } from "../lib/cut-to.ts";
import { changedError } from "../lib/error.ts";
import type { Verdict } from "../rules/rule.ts";
import { appendOnLine } from "./append.ts";
import type { Line } from "./line.ts";

type Begun = EntryOf<"promotion.started" | "release.started">;

/** In words, what a decision rests on and does. Verdicts and the highest number may be otherwise by now. */
const WORDS: Readonly<Record<string, string>> = {
  model: "it is about another model",
  target: "it goes to another name",
  from: "it comes from another version",
  version: "it is about another version",
  evidence: "newer evidence was registered",
  rules: "the rules were changed",
  policy: "another policy is in force",
  ticket: "the ticket is another one",
  approvals: "other approvals count",
  strategy: "the strategy is another one",
  endpoint: "the serving endpoint is another one",
  champion: "another version serves",
  rollback: "the way back is another one",
};

/**
 * Why what was begun cannot be carried on as it was decided; undefined: a decision of now would be the very same, or cannot be made now.
 * Whoever holds a listed key can begin anything: only what would be begun now is carried on. Pure.
 */
export function staleness(
  begun: Begun,
  plan: { verdicts: readonly Verdict[]; start: Begun["body"] | undefined },
): string | undefined {
  const { start, verdicts } = plan;
  if (start === undefined) {
    // A fault in what was read may be behind a refusal that stands beside what could not be told: nothing is ended for it.
    if (verdicts.some((each) => each.verdict === "cannot tell")) return undefined;
    const refusing = verdicts.filter((each) => each.verdict === "no");
    return refusing.length === 0 ? undefined : `refused by now: ${refusing.map((each) => each.rule).join(", ")}`;
  }
  const [before, now] = [begun.body, start].map((body) => new Map<string, unknown>(Object.entries(body)));
  const other = Object.keys(WORDS).find(
    (key) => canonicalJson(before?.get(key) ?? null) !== canonicalJson(now?.get(key) ?? null),
  );
  return other && WORDS[other];
}

/** How a decision ended that begins nothing. What was begun already, and could not be decided again, is no refusal: it stays begun. Pure. */
export function notBegun(
  outcome: Verdict["verdict"],
  resumed: Begun | undefined,
  stale: string | undefined,
): "refused" | "cannot tell" {
  return outcome === "no" && (resumed === undefined || stale !== undefined) ? "refused" : "cannot tell";
}

/** What a dry run says of what the command would give up: exit 5. */
export function wouldGiveUp(begun: Started, why: string): Error {
  return changedError(
    "begun.stale",
    `what entry ${begun.seq} (${begun.kind}) began cannot be carried on (${why}): it would be abandoned`,
    "without --dry-run it is; the same command after that decides anew",
  );
}

/** Ends what was begun without its effect, and says so: exit 5. Started anew it is decided anew. */
export async function giveUp(begun: Started, why: string, line: Line, actor: Actor, at: Date): Promise<never> {
  const body = {
    started: begun.seq,
    environment: begun.body.environment,
    reason: cutTo(`not carried on: ${why}`, 200),
  };
  if ((await appendOnLine(line, [{ kind: "abandoned", body }], actor, at)) === undefined)
    // Not ledger.moved, after which nothing is open: this start still is.
    throw changedError(
      "begun.open",
      `the ledger moved meanwhile: what entry ${begun.seq} (${begun.kind}) began was not ended`,
      "run the same command again",
    );
  throw changedError(
    "begun.stale",
    `what entry ${begun.seq} (${begun.kind}) began cannot be carried on (${why}): it was abandoned`,
    "run the same command again: it is decided anew",
  );
}
