import { normaliseName } from "../policy/address.ts";
import { durationMs } from "../policy/durations.ts";
import { personOf } from "../policy/identity.ts";
import { membersOf } from "../policy/members.ts";
import type { Policy } from "../policy/policy.ts";
import type { Rules } from "../project/rules.ts";
import { assignRoles } from "./assign-roles.ts";
import { type DecisionFacts, type Known, known, type SeenApproval, unknown } from "./facts.ts";
import { given, no, type Rule, yes } from "./rule.ts";

export interface Counted {
  approval: SeenApproval;
  /** Why it does not count; undefined: it does. */
  problem: string | undefined;
}

/** What the decision compares an approval with. */
export interface ApprovalSetting {
  policy: Policy;
  project: string;
  model: string;
  digest: string;
  evidence: string;
  environment: string;
  rules: string;
  ticket: string | undefined;
  /** Digest of the ticket's record as it is now; undefined: not known, and nothing is compared with it. */
  ticketRecord: string | undefined;
  /** Addresses of everyone who changed the code, normalised. */
  authors: readonly string[];
  /** People whose keys signed the evidence, as the policy lists them; with keys that it does not list any more, too. */
  signers: readonly string[];
  /** How long an approval lasts by the rules, counted from its signing. */
  ttlMs: number;
  now: Date;
}

/** An approval lasts this long where the policy does not say. */
const DEFAULT_TTL = "P7D";

/** How long an approval lasts, in milliseconds. Pure. */
export function approvalTtlMs(rules: Rules): number {
  return durationMs(rules.stage.approvalTtl ?? DEFAULT_TTL);
}

/** Whether a person of the policy is among those who changed the code, under any of their addresses. */
function isAuthor(policy: Policy, address: string, authors: readonly string[]): boolean {
  const normal = normaliseName(address);
  return authors.some(
    (author) => personOf(policy, author) === address || (normal !== undefined && normaliseName(author) === normal),
  );
}

/** Every approval with the reason why it does not count, if there is one. Pure. */
export function countApprovals(approvals: readonly SeenApproval[], setting: ApprovalSetting): Counted[] {
  const seen = new Set<string>();
  return approvals.map((approval) => {
    const problem = approvalProblem(approval, setting);
    if (problem !== undefined || "problem" in approval.by) return { approval, problem };
    // One person is one approval for a role, with however many keys.
    const mark = `${approval.by.address} ${approval.approval.role}`;
    if (seen.has(mark)) return { approval, problem: `${approval.by.address} has approved already` };
    seen.add(mark);
    return { approval, problem: undefined };
  });
}

function approvalProblem(seen: SeenApproval, setting: ApprovalSetting): string | undefined {
  const { approval, by } = seen;
  // What it is about comes first: what became of an approval for something else is no reason here.
  if (isForAnother(seen, setting)) return "for another model";
  if (approval.project !== setting.project) return "for another project";
  if (approval.environment !== setting.environment) return `for ${approval.environment}`;
  if (seen.withdrawn) return "withdrawn";
  if (seen.undone) return "given before it was rolled back";
  if (seen.evidence !== setting.evidence) return "over other evidence";
  if (approval.rules !== setting.rules)
    return "under other rules: a threshold, a count or a lifetime was changed since";
  if (approval.ticket !== setting.ticket) return `for ticket ${approval.ticket ?? "none"}`;
  const { ticketSeen } = approval;
  if (ticketSeen && setting.ticketRecord !== undefined && ticketSeen.record !== setting.ticketRecord)
    return `ticket ${approval.ticket} was changed since: approve again`;
  // Whoever signs can write any end into it: it lasts no longer than the rules let it.
  const end = new Date(Math.min(Date.parse(approval.notAfter), seen.at.getTime() + setting.ttlMs));
  if (!(end > setting.now)) return `ended at ${Number.isNaN(end.getTime()) ? approval.notAfter : end.toISOString()}`;
  if ("problem" in by) return by.problem;
  if (approval.approver !== by.address) return `in the name of ${approval.approver}, by the key of ${by.address}`;
  if (by.kind !== "person") return `${by.address} is a ${by.kind}: only people approve`;
  if (!membersOf(setting.policy, approval.role, setting.project).includes(by.address))
    return `${by.address} does not have the role ${approval.role}`;
  if (isAuthor(setting.policy, by.address, setting.authors)) return `${by.address} changed the code`;
  // A model that was trained anew on code that is approved already has no author: whoever brings it in needs a second person too.
  if (setting.signers.includes(by.address)) return `${by.address} signed the evidence`;
  return undefined;
}

function isForAnother({ approval, model }: SeenApproval, setting: ApprovalSetting): boolean {
  return model !== setting.digest || approval.model !== setting.model;
}

/** Those of this environment that do not count, each with its reason. Every version leaves some behind: of those more than one are counted. */
function refusedLines(counted: readonly Counted[], setting: ApprovalSetting): string[] {
  const here = counted.filter(
    (each) => each.problem !== undefined && each.approval.approval.environment === setting.environment,
  );
  const others = here.filter((each) => isForAnother(each.approval, setting));
  const said = others.length > 1 ? here.filter((each) => !others.includes(each)) : here;
  const lines = said.map(
    ({ approval: { by, approval }, problem }) => `${"problem" in by ? approval.approver : by.address}: ${problem}`,
  );
  return [...new Set(lines), ...(others.length > 1 ? [`${others.length} for other models`] : [])];
}

type Asked = readonly { role: string; count: number }[];

function tally(approvals: readonly SeenApproval[], setting: ApprovalSetting, asked: Asked) {
  const counted = countApprovals(approvals, setting);
  const good = counted.filter((each) => each.problem === undefined);
  const used = assignRoles(
    asked,
    good.map((each) => each.approval),
    ({ by, approval }) => ("problem" in by ? undefined : { person: by.address, role: approval.role }),
  );
  return { counted, good, used, missing: asked.filter((each, i) => (used[i]?.length ?? 0) < each.count) };
}

/** Another ticket than the one that was named, for which there are enough approvals; the newest. */
function approvedTicket(
  approvals: readonly SeenApproval[],
  setting: ApprovalSetting,
  asked: Asked,
): string | undefined {
  const enough = (ticket: string | undefined) =>
    ticket !== undefined &&
    tally(approvals, { ...setting, ticket, ticketRecord: undefined }, asked).missing.length === 0;
  const tickets = new Set(approvals.toReversed().map((each) => each.approval.ticket));
  return [...tickets].find((each) => each !== setting.ticket && enough(each));
}

/** The roles in which an approval is still missing once this person gave theirs; empty where it cannot be told. Pure. */
export function missingAfter(facts: DecisionFacts, mine: { person: string; role: string }): string[] {
  const setting = settingOf(facts);
  if (!setting.known || !facts.rules.known || !facts.approvals.known) return [];
  const asked = facts.rules.value.rules.stage.approvals ?? [];
  const given = countApprovals(facts.approvals.value, setting.value).flatMap(
    ({ approval: { by, approval }, problem }) =>
      problem !== undefined || "problem" in by ? [] : [{ person: by.address, role: approval.role }],
  );
  const used = assignRoles(asked, [...given, mine], (each) => each);
  return asked.filter((each, i) => (used[i]?.length ?? 0) < each.count).map((each) => each.role);
}

/** The approvals rule: counts by role, each person for one role only. */
export const APPROVAL_RULES: readonly Rule[] = [
  {
    name: "approvals",
    actions: ["promote", "release"],
    judge: (facts) =>
      given(facts.rules, ({ rules }) => {
        const asked = rules.stage.approvals ?? [];
        if (asked.length === 0) return yes("none asked for");
        return given(facts.approvals, (approvals) =>
          given(settingOf(facts), (setting) => {
            const { counted, good, used, missing } = tally(approvals, setting, asked);
            if (missing.length === 0)
              return yes(
                good
                  .map(
                    (each) =>
                      `${"problem" in each.approval.by ? "" : each.approval.by.address} (${each.approval.approval.role})`,
                  )
                  .join(", "),
              );
            // A release takes the ticket of its promotion.
            const ticket = facts.action === "promote" ? approvedTicket(approvals, setting, asked) : undefined;
            const have = asked
              .map((each, i) => `${used[i]?.length ?? 0} of ${each.count} of role ${each.role}`)
              .join(", ");
            return no(
              [have, ...refusedLines(counted, setting).map((text) => `does not count: ${text}`)].join("; "),
              ticket === undefined
                ? `ask someone of role ${missing.map((each) => each.role).join(" and ")} who neither changed the code nor signed the evidence`
                : `it is approved for that ticket: --ticket ${ticket}`,
            );
          }),
        );
      }),
  },
  {
    name: "approver",
    actions: ["approve"],
    judge: (facts) =>
      given(facts.actor, (actor) =>
        given(facts.rules, ({ rules }) =>
          given(settingOf(facts), (setting) => {
            if ("problem" in actor) return no(actor.problem);
            const { address } = actor;
            const role = approverRole(rules.stage.approvals ?? [], setting.policy, facts.project, address, facts.role);
            if (typeof role !== "string") return no(role.problem);
            if (isAuthor(setting.policy, address, setting.authors)) {
              const changes = authoredBy(facts, setting.policy, address);
              return no(`${address} changed the code${changes}: somebody else must approve`);
            }
            if (setting.signers.includes(address))
              return no(`${address} signed the evidence: somebody else must approve`);
            return given(facts.approvals, (approvals) => {
              const given = countApprovals(approvals, setting).find(
                (each) =>
                  each.problem === undefined &&
                  !("problem" in each.approval.by) &&
                  each.approval.by.address === address &&
                  each.approval.approval.role === role,
              );
              return given === undefined
                ? yes(`${address}, role ${role}, did not change the code`)
                : no(`${address} has approved this already, until ${given.approval.approval.notAfter}`);
            });
          }),
        ),
      ),
  },
];

function authoredBy(facts: DecisionFacts, policy: Policy, address: string): string {
  const people = facts.evidence.known ? facts.evidence.value.facts.people : null;
  const mine = people?.people.filter((each) => isAuthor(policy, address, [each.address])) ?? [];
  const changes = Math.max(0, ...mine.map((each) => each.changes));
  return people === null || changes === 0 ? "" : ` (${changes} of ${people.commits} changes)`;
}

/** Who may approve in which role, as the rules ask for it: the role that was named, else the first that this person has. Pure. */
export function approverRole(
  asked: readonly { role: string; count: number }[],
  policy: Policy,
  project: string,
  address: string,
  named: string | undefined,
): string | { problem: string } {
  if (asked.length === 0) return { problem: "no approval is asked for here" };
  const roles = asked.map((each) => each.role);
  if (named !== undefined && !roles.includes(named))
    return { problem: `role ${named} is not asked for; asked for: ${roles.join(", ")}` };
  const role = (named === undefined ? roles : [named]).find((each) =>
    membersOf(policy, each, project).includes(address),
  );
  return role ?? { problem: `${address} does not have the role ${named ?? roles.join(" or ")}` };
}

/** What the approvals of a decision are compared with; a part that is not known makes the whole unknown. */
export function settingOf(facts: DecisionFacts): Known<ApprovalSetting> {
  const { policy, rules, evidence, ticket, now } = facts;
  if (!policy.known) return policy;
  if (!rules.known) return rules;
  if (!evidence.known) return evidence;
  if (!ticket.known) return ticket;
  if (!now.known) return now;
  const { facts: about, signedBy, registeredBy } = evidence.value;
  const { people } = about;
  if (people === null) return unknown("who changed the code is not known");
  return known({
    policy: policy.value.inForce.policy,
    project: facts.project,
    model: facts.model,
    digest: facts.digest,
    evidence: evidence.value.digest,
    environment: facts.environment.name,
    rules: rules.value.digest,
    ticket: ticket.value?.id,
    ticketRecord: ticket.value?.seen?.record,
    authors: people.people.map((each) => each.address),
    signers: [
      ...signedBy.flatMap((each) => ("problem" in each || each.kind !== "person" ? [] : [each.address])),
      ...registeredBy.flatMap((each) => personOf(policy.value.inForce.policy, each) ?? []),
    ],
    ttlMs: approvalTtlMs(rules.value.rules),
    now: now.value,
  });
}
