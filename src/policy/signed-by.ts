import type { Identity } from "./identity.ts";
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

/** The environments that take no evidence which only these signed, and whose signature each takes. Pure. */
export function environmentsRefusing(
  policy: Policy,
  addresses: readonly string[],
): { environment: string; accepts: readonly string[] }[] {
  return policy.environments.flatMap(({ name }) => {
    const accepts = effectiveSignedBy(policy, name);
    return accepts === undefined || accepts.some((each) => addresses.includes(each))
      ? []
      : [{ environment: name, accepts }];
  });
}

/** The first signer whose signature on evidence an environment accepts; undefined when there is none. Pure. */
export function acceptedSigner(
  policy: Policy,
  environmentName: string,
  signers: readonly (Identity | { problem: string })[],
): Identity | undefined {
  const accepted = effectiveSignedBy(policy, environmentName);
  return signers
    .flatMap((each) => ("problem" in each ? [] : [each]))
    .find(({ kind, address }) => kind !== "bot" && (accepted === undefined || accepted.includes(address)));
}
