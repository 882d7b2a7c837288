import { membersOf } from "../policy/members.ts";
import type { Policy } from "../policy/policy.ts";
import { stageOf } from "../policy/stage-of.ts";

/** What an identity does: make versions and move aliases, or read what there is and approve it. */
export type Part = "writer" | "approver";

/**
 * By the policy: a person in a role that some environment asks for approvals approves; a service, anybody else, and whom the policy
 * does not know, write. `project`: its own tier counts where it is listed, else every tier. Pure.
 */
export function partOf(policy: Policy | undefined, person: string | undefined, project: string | undefined): Part {
  if (policy === undefined || person === undefined) return "writer";
  const known = Object.hasOwn(policy.people, person) ? policy.people[person] : undefined;
  if ((known?.kind ?? "person") !== "person") return "writer";
  const own = project !== undefined && Object.hasOwn(policy.projects, project) ? policy.projects[project] : undefined;
  const tiers = own === undefined ? Object.keys(policy.riskTiers) : [own.riskTier];
  const asked = tiers.flatMap((tier) =>
    policy.environments.flatMap(({ name }) => (stageOf(policy, tier, name).approvals ?? []).map(({ role }) => role)),
  );
  return asked.some((role) => membersOf(policy, role, project ?? "").includes(person)) ? "approver" : "writer";
}
