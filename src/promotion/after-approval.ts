import type { LineState } from "../ledger/line-state.ts";
import { missingAfter } from "../rules/rules-approvals.ts";
import type { ApprovalPlan } from "./approve.ts";
import type { Gathered } from "./gather.ts";

/** What comes after an approval: another one by the roles that are still missing, the promotion, or the release of what stands there. Pure. */
export function stepAfter(
  { approver, role, environment, evidence, digest, ticket }: ApprovalPlan,
  { facts }: Pick<Gathered, "facts">,
  state: LineState,
): { step: "approve" | "promote" | "release"; roles: string[] } {
  const roles = approver === undefined || role === undefined ? [] : missingAfter(facts, { person: approver, role });
  if (roles.length > 0) return { step: "approve", roles };
  const last = state.environment(environment).promoted.findLast((each) => each.entry.body.digest === digest);
  // A release takes the ticket of its promotion, and an approval counts for one ticket.
  const stands = last?.entry.body.evidence === evidence && last.started.body.ticket === ticket;
  return { step: stands ? "release" : "promote", roles: [] };
}
