import { numberOf } from "../ledger/entry.ts";
import type { EntryOf, EnvironmentState } from "../ledger/line-state.ts";
import { anchoredSeq } from "../line/anchor.ts";
import type { Line } from "../line/line.ts";
import { MODEL_TAGS, type RegisteredModel } from "../registry/registry.ts";
import { releaseThatMoved } from "./plan-rollback.ts";
import { parseRollbackTag } from "./rollback-tag.ts";
import { type RollbackRequest, sameWords } from "./rollback-words.ts";

export interface Done {
  entry: EntryOf<"rolledback">;
  started: EntryOf<"rollback.started">;
  /** Champion stands elsewhere by now, and no entry says why: it goes back to where that rollback put it. */
  astray: boolean;
}

/**
 * The rollback that is asked for, when it is the last that happened to the environment: by this key and in the same words, so that the
 * command is run again, or by anybody, when champion was moved by hand since. Undefined: a new one is meant. Pure.
 */
export function rolledBackAlready(
  request: RollbackRequest,
  line: Pick<Line, "state" | "view">,
  key: string,
  model: RegisteredModel | undefined,
): Done | undefined {
  const here = line.state.environment(request.environment);
  const entry = here.served.at(-1)?.entry;
  if (entry?.kind !== "rolledback") return undefined;
  const started = line.view.entries.find((each) => each.seq === entry.body.started);
  if (started?.kind !== "rollback.started") return undefined;
  const alias = model?.aliases.champion;
  // A release that was begun since serves by now: that is what has to be undone.
  if (releaseThatMoved(here, alias) !== undefined) return undefined;
  const again = entry.key === key && sameWords(entry.body, request);
  if (request.further && !(again && wasFurther(here, started) && !isFinished(entry, line, model))) return undefined;
  if (alias === numberOf(entry.body.to)) return again ? { entry, started, astray: false } : undefined;
  return isByHand(here, started, model) ? { entry, started, astray: true } : undefined;
}

/** It went back from what served since a rollback, on purpose. */
function wasFurther({ served }: EnvironmentState, { body }: EntryOf<"rollback.started">): boolean {
  const before = served.at(-2)?.entry;
  return before?.kind === "rolledback" && numberOf(before.body.to) === body.from.version;
}

/** The command that wrote the entry came to its end. An anchor that the chain lacks does not tell. */
function isFinished(
  entry: EntryOf<"rolledback">,
  { view }: Pick<Line, "view">,
  model: RegisteredModel | undefined,
): boolean {
  return (anchoredSeq(model, entry.body.environment, view.entries) ?? 0) >= entry.seq;
}

/**
 * Nothing explains where champion stands: neither a rollback that the ledger does not have yet, nor one further back. Putting it back must
 * never undo somebody's step to an earlier version.
 */
function isByHand(here: EnvironmentState, { at }: EntryOf<"rollback.started">, model: RegisteredModel | undefined) {
  const alias = model?.aliases.champion;
  if (here.champion !== undefined && alias === numberOf(here.champion.rollback)) return false;
  const tag = parseRollbackTag(model?.tags[MODEL_TAGS.rollback]);
  return tag === undefined || tag.of !== alias || tag.since === undefined || tag.since.at === at;
}
