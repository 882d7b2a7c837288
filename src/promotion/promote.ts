import type { EntryOf } from "../ledger/line-state.ts";
import { usageError } from "../lib/error.ts";
import { actorOf, momentIn } from "../line/actor-and-moment.ts";
import { catchUpAnchor } from "../line/anchor.ts";
import { appendStart } from "../line/append.ts";
import { demandFree } from "../line/demand-free.ts";
import type { Line } from "../line/line.ts";
import { giveUp, notBegun, staleness, wouldGiveUp } from "../line/resume.ts";
import { inTurn, type Turn, takeTurn } from "../line/turn.ts";
import type { LineWorld } from "../line/world.ts";
import { applyPromotion, type Promoted } from "./apply-promotion.ts";
import { tellDeployment } from "./deployment-approval.ts";
import { type Gathered, gatherFacts, type Question } from "./gather.ts";
import { type PromotionPlan, planPromotion } from "./plan-promotion.ts";
import { takeChallengerBack } from "./take-challenger-back.ts";

export type PromotionResult =
  | { kind: "refused" | "cannot tell"; plan: PromotionPlan }
  | {
      kind: "planned";
      plan: PromotionPlan;
      /** The promotion by which it stands there already: nothing would be written. */
      already: EntryOf<"promoted"> | undefined;
      /** The entry of one that was cut off, which would be carried on. */
      begun: number | undefined;
      /** How many entries would be written. */
      entries: number;
    }
  | { kind: "promoted"; plan: PromotionPlan; promoted: Promoted; resumed: boolean };

/**
 * Decides about one candidate and one environment and, if it may, takes it there: bytes, evidence, version, alias, ledger,
 * anchor. A refusal while planning writes nothing. A promotion of the same candidate that was cut off is carried on.
 */
export async function promote(
  question: Question,
  line: Line,
  world: LineWorld,
  dryRun: boolean,
): Promise<PromotionResult> {
  return inTurn(await takeTurn(line, question.environment, world, dryRun), (turn) =>
    promoteInTurn(question, line, world, dryRun, turn),
  );
}

async function promoteInTurn(
  question: Question,
  line: Line,
  world: LineWorld,
  dryRun: boolean,
  { cutOff, begin }: Turn,
): Promise<PromotionResult> {
  const state = line.state.environment(question.environment);
  const { digest } = question.candidate;
  const mine = { kind: "promotion.started" as const, digest, key: world.signer.keyId, cutOff };
  const resumed = demandFree(state.open, mine, world.now());
  const asked = resumed === undefined ? question : { ...question, ticket: ticketOf(resumed, question) };
  const gathered = await gatherFacts(asked, line, world);
  const plan = planPromotion(asked, gathered, state, line.view.head);
  const stale = resumed && staleness(resumed, plan);
  if (resumed !== undefined && stale !== undefined) {
    if (dryRun) throw wouldGiveUp(resumed, stale);
    await takeChallengerBack(resumed, line.state, await world.registry(gathered.target));
    return giveUp(resumed, stale, line, actorOf(gathered.facts, world), world.now());
  }
  if (plan.start === undefined) return { kind: notBegun(plan.outcome, resumed, stale), plan };
  const done = resumed === undefined ? promotedAlready(question, line) : undefined;
  if (dryRun) {
    const entries = done !== undefined ? 0 : resumed !== undefined ? 1 : line.first === undefined ? 2 : 3;
    return { kind: "planned", plan, already: done?.entry, begun: resumed?.seq, entries };
  }
  if (done !== undefined)
    return { kind: "promoted", plan, promoted: await endOf(done, gathered, line, world), resumed: true };
  const actor = actorOf(gathered.facts, world);
  begin(resumed === undefined ? line.view.head.seq : resumed.seq - 1);
  const fact = { kind: "promotion.started" as const, body: plan.start };
  const { started, view } =
    resumed === undefined
      ? await appendStart(line, fact, actor, momentIn(gathered.facts), world.report)
      : { started: resumed, view: line.view };
  const promoted = await applyPromotion(started, view, gathered, line, actor, world);
  return { kind: "promoted", plan, promoted, resumed: resumed !== undefined };
}

/** The ticket of what is carried on. Throws exit 2 when another one is asked for: that is another promotion. */
function ticketOf({ seq, body }: EntryOf<"promotion.started">, { ticket, environment }: Question): string | undefined {
  if (ticket === undefined || body.ticket === undefined || ticket === body.ticket) return body.ticket ?? ticket;
  throw usageError(
    "promotion.ticket",
    `entry ${seq} began this promotion for ticket ${body.ticket}, not for ${ticket}`,
    `carry it on without --ticket, or end it: factory promote --abandon --to ${environment} --reason "another ticket"`,
  );
}

/**
 * The promotion of this candidate with this evidence and no other ticket, when it is the newest one there or serves: nothing is left to do
 * but what comes after its entry. Pure.
 */
function promotedAlready({ candidate, environment, ticket }: Question, line: Line) {
  const { promoted, challenger, champion } = line.state.environment(environment);
  const last = promoted.findLast((each) => each.entry.body.digest === candidate.digest);
  if (last?.entry.body.evidence !== candidate.evidence) return undefined;
  // A release asks for the ticket of the promotion: where that is used up, the same bytes are promoted again with a new one.
  if (ticket !== undefined && ticket !== last.started.body.ticket) return undefined;
  return [challenger?.version, champion?.version].includes(last.entry.body.version) ? last : undefined;
}

async function endOf(
  { entry, started }: NonNullable<ReturnType<typeof promotedAlready>>,
  gathered: Gathered,
  { view }: Line,
  world: LineWorld,
): Promise<Promoted> {
  const { target, name } = gathered;
  const registry = await world.registry(target);
  const { environment, version, bundle } = entry.body;
  await catchUpAnchor(registry, name, { environment, entries: view.entries }, entry, started.body.policy);
  const deployment = await tellDeployment(gathered, registry, version);
  return { environment, name, version, bundle, entry, deployment };
}
