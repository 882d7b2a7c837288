import { EXIT, FactoryError, outsideError, usageError } from "../lib/error.ts";
import type { Environment } from "../policy/policy.ts";
import { type ModelRegistry, registeredName } from "../registry/registry.ts";
import { momentOfDecision } from "./clock.ts";
import type { Line } from "./line.ts";

/**
 * The moment of an entry that takes something back. That must stay possible where no registry can be asked; where one answers, its
 * clock is held against ours, since an entry that is dated far ahead stops everybody until its time has come. Asked is the
 * environment that it is about, or the first where the policy does not list it any more. Throws exit 4 when the clocks are apart.
 */
export async function momentOfTakingBack(
  line: Pick<Line, "model" | "policy" | "view">,
  environment: string,
  registryOf: (environment: Environment) => Promise<ModelRegistry>,
  now: () => Date,
): Promise<Date> {
  if (!line.policy.known) throw usageError("policy.none", line.policy.why, line.policy.fix);
  const { environments } = line.policy.value.inForce.policy;
  const asked = environments.find((each) => each.name === environment) ?? environments[0];
  const server = asked && (await clockOf(asked, line.model, registryOf));
  if (server === undefined) return now();
  const moment = momentOfDecision(now().getTime(), server, line.view.entries.at(-1));
  if (!moment.known) throw outsideError("clock.wrong", moment.why, moment.fix);
  return moment.value;
}

async function clockOf(
  environment: Environment,
  model: string,
  registryOf: (environment: Environment) => Promise<ModelRegistry>,
): Promise<ReturnType<ModelRegistry["clock"]>> {
  let registry: ModelRegistry | undefined;
  try {
    registry = await registryOf(environment);
    await registry.model(registeredName(environment.catalog, model));
  } catch (error) {
    if (!(error instanceof FactoryError) || error.exit === EXIT.interrupted) throw error;
  }
  // A server that refuses to answer says what time it is all the same.
  return registry?.clock();
}
