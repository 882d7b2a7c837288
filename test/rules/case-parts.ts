import { sha256 } from "../../src/lib/hash.ts";
import { known, unknown } from "../../src/rules/facts.ts";
import type { Verdict } from "../../src/rules/rule.ts";
import { recordDigest, type Ticket } from "../../src/tickets/ticket.ts";
import { type ApprovalChange, type Changes, type PolicyDraft, policyOf, ticketOf } from "./good-facts.ts";

/** What a rule says about facts that differ in a few things from good ones. */
export type Case = [name: string, verdict: Verdict["verdict"], changes: Changes, why?: RegExp];

type PolicyChange = (draft: PolicyDraft) => void;
type StageDraft = Exclude<PolicyDraft["riskTiers"][string]["prod"], undefined>;

export const NOT_ASKED = unknown("nobody could be asked");
export const champion = (more: object = {}) =>
  known({ environment: "prod", version: "2", digest: sha256("champion"), commits: ["2".repeat(40)], ...more });
export const compared = { environment: "prod", version: "2", digest: sha256("champion"), commit: "2".repeat(40) };
export const authors = (...addresses: string[]) => ({
  people: {
    since: null,
    commits: addresses.length,
    people: addresses.map((address) => ({ address, known: true, changes: 1 })),
  },
});
export const freeze =
  (range: string, timezone = "UTC"): PolicyChange =>
  (policy) => {
    policy.timezone = timezone;
    for (const each of policy.environments) if (each.name === "prod") each.freeze = [range];
  };
export const prodStage =
  (change: Partial<StageDraft>): PolicyChange =>
  (policy) => {
    const tier = policy.riskTiers.medium;
    if (tier !== undefined) tier.prod = { ...tier.prod, ...change };
  };
export const at = (iso: string) => ({ now: known(new Date(iso)) });
export const ticket = (more: Partial<Ticket>) => ({
  ticket: known({ id: "CHG-1", ticket: ticketOf(more), spentOn: undefined }),
});

/** The same, with what was read of it. */
export const readTicket = (more: Partial<Ticket>) => {
  const read = ticketOf(more);
  const seen = { record: recordDigest(read), register: { name: "tickets.yaml", digest: sha256("register") } };
  return { ticket: known({ id: "CHG-1", ticket: read, seen, spentOn: undefined }) };
};
/** What an approver saw of a ticket. */
export const ticketSeen = (more: Partial<Ticket>) => ({
  record: recordDigest(ticketOf(more)),
  register: sha256("the register of that time"),
});

/** Two approvals of one role are asked for, and these are given under that very rule. */
export function two(approvals: readonly ApprovalChange[] = []): Changes {
  return asking([{ role: "model-risk", count: 2 }], approvals);
}

export function twoRoles(approvals: readonly ApprovalChange[] = []): Changes {
  return asking(
    [
      { role: "compliance", count: 1 },
      { role: "model-risk", count: 1 },
    ],
    approvals,
  );
}

function asking(asked: { role: string; count: number }[], approvals: readonly ApprovalChange[] = []): Changes {
  return { policy: prodStage({ approvals: asked }), approvals, signedUnderThese: true };
}

export function problem(text: string) {
  return known({
    inForce: { policy: policyOf(), digest: sha256("policy"), version: 3, text: "" },
    problem: text,
    fix: undefined,
  });
}
