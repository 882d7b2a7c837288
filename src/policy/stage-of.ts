import type { Policy, Stage } from "./policy.ts";

/** The stage gate that the policy sets for a tier and an environment; empty when it says nothing. */
export function stageOf(policy: Policy, tier: string, environmentName: string): Stage {
  const rules = policy.riskTiers[tier];
  const found = rules === undefined ? undefined : Object.entries(rules).find(([key]) => key === environmentName)?.[1];
  return typeof found === "object" ? found : {};
}
