import { PROJECT_OWNER } from "./check-people.ts";
import { listingIn } from "./listing.ts";
import type { Policy } from "./policy.ts";

/** The members of a role; `project-owner` is the owner whom the policy lists for the project. Pure. */
export function membersOf(policy: Policy, role: string, project: string): readonly string[] {
  if (role === PROJECT_OWNER) {
    const owner = listingIn(policy, project)?.owner;
    return owner === undefined ? [] : [owner];
  }
  // A role's name comes out of an approval: it may be any word.
  return Object.hasOwn(policy.roles, role) ? (policy.roles[role] ?? []) : [];
}
