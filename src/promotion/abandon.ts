import type { Fact } from "../ledger/entry.ts";
import type { EntryOf, Started } from "../ledger/line-state.ts";
import { changedError, EXIT, FactoryError, messageOf, usageError } from "../lib/error.ts";
import type { Report } from "../lib/progress.ts";
import type { Signer } from "../lib/signing.ts";
import { appendOnLine } from "../line/append.ts";
import { demandEnvironment, type Line } from "../line/line.ts";
import { momentOfTakingBack } from "../line/moment-of-taking-back.ts";
import { identityOfKey } from "../policy/identity.ts";
import type { Environment } from "../policy/policy.ts";
import { type ModelRegistry, registeredName } from "../registry/registry.ts";
import { takeChallengerBack } from "./take-challenger-back.ts";

interface AbandonWorld {
  registry: (environment: Environment) => Promise<ModelRegistry>;
  /** Takes back what a release has done that has not moved `champion`: at its endpoint, and in the tag that tells the way back. */
  takeReleaseBack: (started: EntryOf<"release.started">, environment: Environment) => Promise<void>;
  report: Report;
}

/**
 * Ends everything that was started in an environment and not finished. Any person or service of the policy may; the entry says
 * who and why. Bytes and evidence that were written so far stay, since nothing serves by them; `challenger` and a release's serving
 * endpoint go back to where they were, as far as the workspace lets this person. A release that has moved `champion` is not abandoned.
 * Throws exit 4 when the clock of the environment's registry says another time.
 */
export async function abandon(
  line: Line,
  environment: string,
  reason: string,
  signer: Signer,
  now: () => Date,
  dryRun: boolean,
  world: AbandonWorld,
): Promise<{ abandoned: number[] } | { refused: string }> {
  if (!line.policy.known) throw usageError("policy.none", line.policy.why, line.policy.fix);
  const { open } = line.state.environment(environment);
  const { environments } = line.policy.value.inForce.policy;
  const place = environments.find((each) => each.name === environment);
  // One that the policy lists no more may still hold what was started there.
  if (open.length === 0) demandEnvironment(line, environment);
  if (open.length === 0) return { refused: `nothing is started in ${environment}` };
  const at = await momentOfTakingBack(line, environment, world.registry, now);
  const identity = identityOfKey(line.policy.value.inForce.policy, signer.keyId, at);
  if ("problem" in identity) return { refused: identity.problem };
  if (identity.kind === "bot") return { refused: `${identity.address} is a bot` };
  const moved = open.find((each) => each.kind === "release.started");
  const serving = line.state.environment(environment).champion?.version;
  if (moved?.kind === "release.started" && place !== undefined && moved.body.version !== serving)
    if ((await championOf(line, place, world)) === moved.body.version)
      return {
        refused: `entry ${moved.seq} has moved champion to v${moved.body.version} already: finish that release, or roll it back: factory rollback --env ${environment} --reason "WHY"`,
      };
  const abandoned = open.map((each) => each.seq);
  if (dryRun) return { abandoned };
  if (place !== undefined) for (const each of open) await putBack(each, place, line, world);
  const facts = open.map((each): Fact => ({ kind: "abandoned", body: { started: each.seq, environment, reason } }));
  if ((await appendOnLine(line, facts, { by: identity.address, signer }, at)) === undefined)
    throw changedError("ledger.moved", "the ledger moved meanwhile", "look again, then run it again");
  return { abandoned };
}

/** What a start has moved so far goes back. Who may abandon need not have rights on the workspace: what stays is said. */
async function putBack(started: Started, environment: Environment, line: Line, world: AbandonWorld): Promise<void> {
  try {
    if (started.kind === "promotion.started")
      await takeChallengerBack(started, line.state, await world.registry(environment));
    if (started.kind === "release.started") await world.takeReleaseBack(started, environment);
  } catch (error) {
    if (error instanceof FactoryError && error.exit === EXIT.interrupted) throw error;
    const what = started.kind === "promotion.started" ? "challenger" : "what the release has done";
    const text = `${what} could not be put back in ${environment.name} (${messageOf(error)}): factory verify says where it stands`;
    world.report({ type: "note", tone: "warning", text });
  }
}

async function championOf(
  { model }: Pick<Line, "model">,
  environment: Environment,
  world: { registry: (environment: Environment) => Promise<ModelRegistry> },
): Promise<string | undefined> {
  const registry = await world.registry(environment);
  return (await registry.model(registeredName(environment.catalog, model)))?.aliases.champion;
}
