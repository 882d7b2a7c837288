import type { EntryOf } from "../ledger/line-state.ts";
import type { Actor } from "../ledger/open-ledger.ts";
import { appendOnLine, changed } from "./append.ts";
import type { Line } from "./line.ts";
import type { Verdict } from "./rule.ts";

type Begun = EntryOf<"promotion.started" | "release.started">;
type Basis = Pick<Begun["body"], "evidence" | "rules" | "policy" | "ticket">;

/** Why what was begun cannot be carried on as it was decided; undefined: nothing that its decision rests on is otherwise. Pure. */
export function staleness(
  begun: Begun,
  plan: { verdicts: readonly Verdict[]; start: Basis | undefined },
): string | undefined {
  const { start, verdicts } = plan;
  if (start === undefined) {
    const refusing = verdicts.filter((each) => each.verdict === "no");
    return refusing.length === 0 ? undefined : `refused by now: ${refusing.map((each) => each.rule).join(", ")}`;
  }
  const { body } = begun;
  if (body.evidence !== start.evidence) return "newer evidence was registered";
  if (body.rules !== start.rules) return "the rules were changed";
  if (body.policy !== start.policy) return "another policy is in force";
  if (body.ticket !== start.ticket) return "the ticket is another one";
  return undefined;
}

/** Ends what was begun without its effect, and says so: exit 5. Started anew it is decided anew. */
export async function giveUp(begun: Begun, why: string, line: Line, actor: Actor, at: Date): Promise<never> {
  const body = {
    started: begun.seq,
    environment: begun.body.environment,
    reason: `not carried on: ${why}`.slice(0, 200),
  };
  if ((await appendOnLine(line, [{ kind: "abandoned", body }], actor, at)) === undefined)
    throw changed("ledger.moved", "the ledger moved meanwhile", "run the same command again");
  throw changed(
    "begun.stale",
    `what entry ${begun.seq} (${begun.kind}) began cannot be carried on (${why}): it was abandoned`,
    "run the same command again: it is decided anew",
  );
}
