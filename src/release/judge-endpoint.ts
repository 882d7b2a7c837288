import { FactoryError } from "../lib/error.ts";
import { endpointTwins, twinsFix } from "../project/endpoint-twin.ts";
import type { Gathered } from "../promotion/gather.ts";
import { cannotTell, no, type Verdict, yes } from "../rules/rule.ts";
import type { ReleaseWorld } from "./world.ts";

/**
 * Whether the serving endpoint is this environment's alone: by policy and factory.yaml, and by what it serves now. Undefined without
 * one. Throws exit 2 where the environment has none to offer. Reads only.
 */
export async function judgeEndpoint(
  { facts, project, target, name }: Pick<Gathered, "facts" | "project" | "target" | "name">,
  world: Pick<ReleaseWorld, "serving">,
): Promise<Verdict | undefined> {
  const endpoint = facts.rules.known ? facts.rules.value.rules.endpoint : undefined;
  if (endpoint === undefined) return undefined;
  const policy = facts.policy.known ? facts.policy.value.inForce.policy : undefined;
  const twins = project && policy && endpointTwins(project, policy, target.name);
  const rule = "endpoint";
  if (twins !== undefined)
    return {
      rule,
      ...no(
        `${twins.environments.join(" and ")} are in one workspace, and both would serve from ${endpoint}`,
        twinsFix(twins),
      ),
    };
  const serving = await world.serving(target, endpoint, name);
  try {
    const strangers = (await serving.state())?.strangers ?? [];
    if (strangers.length === 0) return { rule, ...yes(`${serving.place} is this model's alone`) };
    return {
      rule,
      ...no(
        `${serving.place} serves ${strangers.join(", ")}`,
        `an endpoint of its own, in factory.yaml: environments: { ${target.name}: { release: { endpoint: ${endpoint}-${target.name} } } }`,
      ),
    };
  } catch (error) {
    if (!(error instanceof FactoryError) || error.exit !== 4) throw error;
    return { rule, ...cannotTell(error.message, error.hint) };
  }
}
