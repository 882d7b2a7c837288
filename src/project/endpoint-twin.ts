import type { Environment, Policy } from "../policy/policy.ts";
import type { Project } from "./project.ts";
import { endpointIn } from "./rules.ts";

/** Two environments of one workspace that would serve from one endpoint, which can answer for one of them only. */
export interface EndpointTwins {
  endpoint: string;
  environments: readonly [string, string];
}

/**
 * The first two environments that would take each other's endpoint, by what policy and factory.yaml say; `of`: only pairs with
 * this one. Profiles whose hosts the policy does not pin may still lead to one workspace: only the endpoint itself tells. Pure.
 */
export function endpointTwins(project: Project, policy: Policy, of?: string): EndpointTwins | undefined {
  const { environments } = policy;
  for (const [i, one] of environments.entries())
    for (const other of environments.slice(i + 1)) {
      const endpoint = endpointIn(project, one.name);
      if (endpoint === undefined || endpointIn(project, other.name) !== endpoint || !sameWorkspace(one, other))
        continue;
      if (of === undefined || of === one.name || of === other.name)
        return { endpoint, environments: [one.name, other.name] };
    }
  return undefined;
}

/** What to do about them. */
export function twinsFix({ endpoint, environments: [, later] }: EndpointTwins): string {
  return `give each a name of its own in factory.yaml: environments: { ${later}: { release: { endpoint: ${endpoint}-${later} } } }; or leave endpoint out where jobs read the alias`;
}

function sameWorkspace({ registry: one }: Environment, { registry: other }: Environment): boolean {
  if (one.kind === "mlflow" || other.kind === "mlflow") return false;
  const hosts = [one.host, other.host].map((host) => host?.toLowerCase());
  return hosts[0] !== undefined && hosts[1] !== undefined ? hosts[0] === hosts[1] : one.profile === other.profile;
}
