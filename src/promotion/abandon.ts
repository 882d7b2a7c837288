import type { Fact } from "../ledger/entry.ts";
import { usageError } from "../lib/error.ts";
import type { Signer } from "../lib/signing.ts";
import { identityOfKey } from "../policy/identity.ts";
import type { Environment } from "../policy/policy.ts";
import { appendOnLine, changed } from "./append.ts";
import type { Line } from "./line.ts";

/**
 * Ends everything that was started in an environment and not finished. Any person or service of the policy may; the entry says
 * who and why. What was written so far stays, since nothing serves by it: a release that has moved `champion` is not abandoned.
 * `champion`: the version that the registry says serves.
 */
export async function abandon(
  line: Line,
  environment: string,
  reason: string,
  signer: Signer,
  at: Date,
  dryRun: boolean,
  champion: (environment: Environment) => Promise<string | undefined>,
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
    if ((await champion(place)) === moved.body.version)
      return {
        refused: `entry ${moved.seq} has moved champion to v${moved.body.version} already: finish that release, or roll it back: factory rollback --env ${environment}`,
      };
  const abandoned = open.map((each) => each.seq);
  if (dryRun) return { abandoned };
  const facts = open.map((each): Fact => ({ kind: "abandoned", body: { started: each.seq, environment, reason } }));
  if ((await appendOnLine(line, facts, { by: identity.address, signer }, at)) === undefined)
    throw changed("ledger.moved", "the ledger moved meanwhile", "look again, then run it again");
  return { abandoned };
}
