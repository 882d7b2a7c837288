import type { LineState } from "../ledger/line-state.ts";
import type { Line } from "../line/line.ts";
import type { LineWorld } from "../line/world.ts";
import { type DecisionFacts, known, unknown } from "../rules/facts.ts";
import { recordDigest } from "../tickets/ticket.ts";
import type { Question } from "./gather.ts";

/** The ticket that was named: asked of its system, and looked for in the ledger. */
export async function ticketOf(question: Question, line: Line, world: LineWorld): Promise<DecisionFacts["ticket"]> {
  const id = question.ticket;
  if (id === undefined) return known(undefined);
  const system = await world.tickets();
  if (system === undefined)
    return unknown("the policy names no ticket system", "tickets: { system: file, path: tickets.yaml } in policy.yaml");
  const ticket = await system.ticket(id);
  const seen = ticket && { record: recordDigest(ticket), register: await system.register() };
  return known({ id, ticket, seen, spentOn: spentOn(line.state, id, question) });
}

/** What a ticket was or is being used for, other than this candidate in this environment; undefined when it is fresh. Pure. */
export function spentOn(
  state: LineState,
  id: string,
  question: Pick<Question, "candidate" | "environment">,
): string | undefined {
  for (const name of state.environments) {
    const { promoted, released, open } = state.environment(name);
    const done = [...promoted, ...released].map(({ entry, started }) => ({
      ticket: started.body.ticket,
      digest: entry.body.digest,
      what: `${name} v${entry.body.version}`,
    }));
    // What is begun holds its ticket too, until it is done or abandoned.
    const begun = open.flatMap((each) =>
      each.kind === "rollback.started"
        ? []
        : [{ ticket: each.body.ticket, digest: each.body.digest, what: `${name}, by entry ${each.seq}` }],
    );
    const other = [...done, ...begun].find(
      (each) => each.ticket === id && (name !== question.environment || each.digest !== question.candidate.digest),
    );
    if (other !== undefined) return other.what;
  }
  return undefined;
}
