import { approvalStatement } from "../evidence/approval.ts";
import { signStatement } from "../evidence/signed-statement.ts";
import { printHead } from "../ledger/entry.ts";
import type { EntryOf } from "../ledger/line-state.ts";
import { type TakenAway, takenAway } from "../ledger/taken-away.ts";
import { changedError } from "../lib/error.ts";
import { actorOf, momentIn } from "../line/actor-and-moment.ts";
import { appendOnLine } from "../line/append.ts";
import type { Line } from "../line/line.ts";
import type { LineWorld } from "../line/world.ts";
import type { Rules } from "../project/rules.ts";
import { decide, outcomeOf } from "../rules/decide.ts";
import type { Verdict } from "../rules/rule.ts";
import { approvalTtlMs, approverRole } from "../rules/rules-approvals.ts";
import type { Ticket, TicketSeen } from "../tickets/ticket.ts";
import { type Gathered, gatherFacts, type Question } from "./gather.ts";

/** What somebody is about to sign. */
export interface ApprovalPlan {
  verdicts: readonly Verdict[];
  outcome: Verdict["verdict"];
  model: string;
  digest: string;
  environment: string;
  evidence: string;
  rules: string | undefined;
  policy: string | undefined;
  ticket: string | undefined;
  /** The ticket's state, and what was read of it. */
  ticketSeen: (TicketSeen & { state: Ticket["state"] }) | undefined;
  role: string | undefined;
  approver: string | undefined;
  /** ISO 8601, UTC. */
  notAfter: string | undefined;
  gates: readonly { gate: string; verdict: string; summary: string }[];
  authors: readonly string[];
  /** Whether the rules are those of the release of what serves here, else of the last one; undefined: there was none. */
  rulesSince: { version: string; same: boolean } | undefined;
  /** What served here last, where nothing does. */
  gone: TakenAway | undefined;
}

/** Verifies the evidence and decides early what `promote` would refuse. Writes nothing. */
export async function planApproval(
  question: Question,
  line: Line,
  world: LineWorld,
): Promise<{ plan: ApprovalPlan; gathered: Gathered }> {
  const gathered = await gatherFacts(question, line, world);
  const { facts } = gathered;
  const verdicts = decide(facts);
  const actor = facts.actor.known && !("problem" in facts.actor.value) ? facts.actor.value : undefined;
  const rules = facts.rules.known ? facts.rules.value : undefined;
  const policy = facts.policy.known ? facts.policy.value.inForce : undefined;
  const role =
    actor && rules && policy
      ? approverRole(rules.rules.stage.approvals ?? [], policy.policy, line.project, actor.address, question.role)
      : undefined;
  const here = line.state.environment(question.environment);
  const last = here.champion?.released ?? here.released.at(-1)?.entry;
  const lastRules = line.view.entries.find(
    (each): each is EntryOf<"release.started"> => each.kind === "release.started" && each.seq === last?.body.started,
  )?.body.rules;
  const evidence = facts.evidence.known ? facts.evidence.value : undefined;
  const ticket = facts.ticket.known ? facts.ticket.value : undefined;
  const plan: ApprovalPlan = {
    verdicts,
    outcome: outcomeOf(verdicts),
    model: line.model,
    digest: facts.digest,
    environment: question.environment,
    evidence: question.candidate.evidence,
    rules: rules?.digest,
    policy: policy?.digest,
    ticket: question.ticket,
    ticketSeen: ticket?.ticket && ticket.seen && { ...ticket.seen, state: ticket.ticket.state },
    role: typeof role === "string" ? role : undefined,
    approver: actor?.address,
    notAfter: facts.now.known && rules ? notAfter(rules.rules, facts.now.value) : undefined,
    gates: evidence?.gates.map(({ gate, verdict, summary }) => ({ gate, verdict, summary })) ?? [],
    authors: evidence?.facts.people?.people.map((each) => each.address) ?? [],
    rulesSince:
      last === undefined || rules === undefined
        ? undefined
        : { version: last.body.version, same: lastRules === rules.digest },
    gone: takenAway(here),
  };
  return { plan, gathered };
}

/** Whether two plans show and sign the same, but for the moment at which it ends. Pure. */
export function isSameApproval(one: ApprovalPlan, other: ApprovalPlan): boolean {
  const content = (plan: ApprovalPlan) => JSON.stringify({ ...plan, verdicts: [], notAfter: undefined });
  return content(one) === content(other);
}

function notAfter(rules: Rules, now: Date): string {
  return new Date(now.getTime() + approvalTtlMs(rules)).toISOString();
}

/**
 * Signs the plan and puts it into the ledger, on the head that was seen. Undefined: the head has moved; plan again, since what
 * is signed names what was seen.
 */
export async function applyApproval(
  plan: ApprovalPlan,
  gathered: Gathered,
  line: Line,
  world: LineWorld,
): Promise<EntryOf<"approved"> | undefined> {
  const { rules, policy, ticketSeen: seen, role, approver, notAfter } = plan;
  if (
    rules === undefined ||
    policy === undefined ||
    role === undefined ||
    approver === undefined ||
    notAfter === undefined
  )
    throw new TypeError("an approval that was not planned to its end");
  const statement = approvalStatement({
    model: plan.model,
    project: line.project,
    digest: plan.digest,
    evidence: plan.evidence,
    environment: plan.environment,
    rules,
    policy,
    ...(plan.ticket !== undefined && { ticket: plan.ticket }),
    ...(seen !== undefined && { ticketSeen: { record: seen.record, register: seen.register.digest } }),
    role,
    seen: printHead(line.view.head),
    notAfter,
    approver,
  });
  const envelope = signStatement(statement, world.signer);
  const entries = await appendOnLine(
    line,
    [{ kind: "approved", body: { envelope } }],
    actorOf(gathered.facts, world),
    momentIn(gathered.facts),
    world.report,
  );
  const entry = entries?.at(-1);
  return entry?.kind === "approved" ? entry : undefined;
}

/** How often an approval is planned again when others write in between. */
export const APPROVAL_TRIES = 10;

export function ledgerBusy(): Error {
  return changedError(
    "ledger.busy",
    "the ledger moved again and again while this was signed",
    "run the same command again",
  );
}
