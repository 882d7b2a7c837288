import type { Policy } from "./policy.ts";

export type Listing = Policy["projects"][string];

/** A project's place in the policy; undefined: a pilot. Names come from outside: `constructor` is no project. Pure. */
export function listingIn(policy: Policy | undefined, project: string): Listing | undefined {
  return policy !== undefined && Object.hasOwn(policy.projects, project) ? policy.projects[project] : undefined;
}

/** What a rollback of the first release does, by the project's tier; `withdraw` where the policy does not say. Pure. */
export function firstReleaseOf(policy: Policy | undefined, project: string): "withdraw" | "deny" {
  const tier = listingIn(policy, project)?.riskTier;
  return (tier === undefined ? undefined : policy?.riskTiers[tier]?.firstRelease) ?? "withdraw";
}
