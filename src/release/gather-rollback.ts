import { endpointsAnswering } from "../ledger/endpoints.ts";
import type { EntryOf, EnvironmentState } from "../ledger/line-state.ts";
import { takenAway } from "../ledger/taken-away.ts";
import { outsideError } from "../lib/error.ts";
import { momentOfDecision } from "../line/clock.ts";
import type { Line } from "../line/line.ts";
import { identityOfKey } from "../policy/identity.ts";
import { firstReleaseOf } from "../policy/listing.ts";
import { yes } from "../rules/rule.ts";
import { endpointsToMove, type RollbackPlace } from "./carry-out-rollback.ts";
import { holdsThisLine } from "./holds-this-line.ts";
import {
  planRollback,
  type RollbackFacts,
  type RollbackPlan,
  releaseThatMoved,
  rolledBackSince,
  servingBefore,
  servingOf,
} from "./plan-rollback.ts";
import { readTarget } from "./read-target.ts";
import type { Unwritten } from "./rollback-result.ts";
import { type RollbackRequest, wordsOf } from "./rollback-words.ts";
import type { ReleaseWorld } from "./world.ts";

/** One go at a rollback, on the chain as it was read for it. */
export interface Attempt {
  request: RollbackRequest;
  line: Line;
  state: EnvironmentState;
  place: RollbackPlace;
  world: ReleaseWorld;
  dryRun: boolean;
}

/** What was found out, and what a rollback ends. */
export interface GatheredRollback {
  kind: "gathered";
  facts: RollbackFacts;
  at: Date;
  /** Releases that were begun and not ended: they are abandoned for it. */
  halfDone: readonly EntryOf<"release.started">[];
}

/** Asks registry and ledger all that the rules of a rollback need. `kept`: a rollback that was cut off, whose places are kept. */
export async function gatherRollback(
  { line, state, place, world }: Attempt,
  kept: EntryOf<"rollback.started"> | undefined,
): Promise<GatheredRollback | Unwritten> {
  const { environment, registry, name } = place;
  // Something serves here, or there is nothing to do: its aliases need not wait for the model.
  const model = await registry.model(name, true);
  const alias = model?.aliases.champion;
  const serving =
    kept === undefined ? servingOf(line.state, environment.name, alias) : servingBefore(kept.body, kept.body.undoes);
  const halfDone = kept === undefined ? state.open.filter((each) => each.kind === "release.started") : [];
  const unmoved = halfDone.find((each) => each.body.version !== alias);
  const target = await readTarget(serving?.rollback, name, registry, world.report);
  const isOurs = await holdsThisLine({ model, name, serving, target }, line, environment.name, registry);
  const at = momentOfDecision(world.now().getTime(), registry.clock(), line.view.entries.at(-1));
  if (!at.known) return { kind: "unwritten", cause: outsideError("clock.wrong", at.why, at.fix) };
  // A release that was not ended and has moved champion serves by no rollback.
  const byLedger = kept === undefined && unmoved === undefined && serving?.released !== undefined;
  const facts: RollbackFacts = {
    model: line.model,
    serving,
    since: byLedger ? rolledBackSince(state) : undefined,
    takenAway: takenAway(state),
    alias,
    halfDone: unmoved && { seq: unmoved.seq, version: unmoved.body.version },
    endpoint: endpointOf(state, serving),
    actor: actorIn(line, world.signer.keyId, at.value),
    firstRelease: line.policy.known ? firstReleaseOf(line.policy.value.inForce.policy, line.project) : "deny",
    target,
    registry: { place: registry.place, isOurs },
  };
  return { kind: "gathered", facts, at: at.value, halfDone };
}

/** Decides on what was found out, and says beside the rules what else it does. Pure. */
export function planFrom(
  { request, state }: Pick<Attempt, "request" | "state">,
  kept: EntryOf<"rollback.started"> | undefined,
  { facts, halfDone }: GatheredRollback,
): RollbackPlan {
  const plan = planRollback({ ...request, ...(kept !== undefined && wordsOf(kept.body)) }, facts);
  const start = kept?.body ?? plan.start;
  if (plan.start === undefined || start === undefined) return plan;
  const { to } = start;
  const goes = to === "none" ? "is removed" : `gives its requests to v${to.version}`;
  return {
    ...plan,
    verdicts: [
      ...plan.verdicts,
      ...halfDone.map(({ seq, body }) => ({
        rule: "half done",
        ...yes(`the release of v${body.version} that entry ${seq} began is abandoned`),
      })),
      ...endpointsToMove(state, start).map((each) => ({ rule: "endpoint", ...yes(`${each} ${goes}`) })),
    ],
  };
}

/** Where requests go to who serves now: by the release that was not ended, else by those that were. */
function endpointOf(state: EnvironmentState, serving: ReturnType<typeof servingOf>): string | undefined {
  if (serving === undefined) return undefined;
  if (serving.released !== undefined) return endpointsAnswering(state, serving.version)[0];
  return releaseThatMoved(state, serving.version)?.body.endpoint;
}

/** Who acts, by the policy in force; else why nobody does. Pure. */
export function actorIn(line: Line, keyId: string, at: Date) {
  return line.policy.known ? identityOfKey(line.policy.value.inForce.policy, keyId, at) : { problem: line.policy.why };
}
