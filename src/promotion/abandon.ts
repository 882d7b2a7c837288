import type { Fact } from "../ledger/entry.ts";
import { messageOf, usageError } from "../lib/error.ts";
import type { Report } from "../lib/progress.ts";
import type { Signer } from "../lib/signing.ts";
import { identityOfKey } from "../policy/identity.ts";
import type { Environment } from "../policy/policy.ts";
import { type ModelRegistry, registeredName } from "../registry/registry.ts";
import { appendOnLine, changed } from "./append.ts";
import type { Line } from "./line.ts";
import { takeBackChallenger } from "./take-back.ts";

/**
 * Ends everything that was started in an environment and not finished. Any person or service of the policy may; the entry says
 * who and why. Bytes and evidence that were written so far stay, since nothing serves by them; `challenger` goes back to where it
 * was, as far as the registry lets this person. A release that has moved `champion` is not abandoned.
 */
export async function abandon(
  line: Line,
  environment: string,
  reason: string,
  signer: Signer,
  at: Date,
  dryRun: boolean,
  world: { registry: (environment: Environment) => Promise<ModelRegistry>; report: Report },
): Promise<{ abandoned: number[] } | { refused: string }> {
  if (!line.policy.known) throw usageError("policy.none", line.policy.why, line.policy.fix);
  const identity = identityOfKey(line.policy.value.inForce.policy, signer.keyId, at);
  if ("problem" in identity) return { refused: identity.problem };
  if (identity.kind === "bot") return { refused: `${identity.address} is a bot` };
  const { open } = line.state.environment(environment);
  if (open.length === 0) return { refused: `nothing is started in ${environment}` };
  const place = line.policy.value.inForce.policy.environments.find((each) => each.name === environment);
  const moved = open.find((each) => each.kind === "release.started");
  const serving = line.state.environment(environment).champion?.version;
  if (moved?.kind === "release.started" && place !== undefined && moved.body.version !== serving)
    if ((await championOf(line, place, world)) === moved.body.version)
      return {
        refused: `entry ${moved.seq} has moved champion to v${moved.body.version} already: finish that release, or roll it back: factory rollback --env ${environment}`,
      };
  const abandoned = open.map((each) => each.seq);
  if (dryRun) return { abandoned };
  for (const each of open)
    if (each.kind === "promotion.started" && place !== undefined)
      await world
        .registry(place)
        .then((registry) => takeBackChallenger(each, line, registry))
        .catch((error) => {
          // Who may abandon need not have rights on the registry.
          const text = `challenger could not be put back in ${environment} (${messageOf(error)}): factory verify says where it stands`;
          world.report({ type: "note", tone: "warning", text });
        });
  const facts = open.map((each): Fact => ({ kind: "abandoned", body: { started: each.seq, environment, reason } }));
  if ((await appendOnLine(line, facts, { by: identity.address, signer }, at)) === undefined)
    throw changed("ledger.moved", "the ledger moved meanwhile", "look again, then run it again");
  return { abandoned };
}

async function championOf(
  { model }: Pick<Line, "model">,
  environment: Environment,
  world: { registry: (environment: Environment) => Promise<ModelRegistry> },
): Promise<string | undefined> {
  const registry = await world.registry(environment);
  return (await registry.model(registeredName(environment.catalog, model)))?.aliases.champion;
}
