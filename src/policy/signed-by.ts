import type { Policy } from "./policy.ts";

/**
 * Whose signature on evidence an environment accepts, as the policy lists them. Where the policy does not say: for the last
 * environment all services, if there are any; else undefined, which means anyone who is listed under people. Pure.
 */
export function effectiveSignedBy(policy: Policy, environmentName: string): readonly string[] | undefined {
  const named = policy.environments.find((each) => each.name === environmentName)?.evidence?.signedBy;
  if (named !== undefined) return named;
  if (policy.environments.at(-1)?.name !== environmentName) return undefined;
  const services = Object.entries(policy.people).filter(([, entry]) => entry.kind === "service");
  return services.length === 0 ? undefined : services.map(([address]) => address);
}
