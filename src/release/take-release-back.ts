import { endpointsOf } from "../ledger/endpoints.ts";
import type { EntryBody } from "../ledger/entry.ts";
import type { EntryOf, EnvironmentState, LineState } from "../ledger/line-state.ts";
import type { Actor } from "../ledger/open-ledger.ts";
import { cutTo } from "../lib/cut-to.ts";
import { FactoryError, outsideError } from "../lib/error.ts";
import { redact } from "../lib/redact.ts";
import { appendEnd } from "../line/append.ts";
import type { Line } from "../line/line.ts";
import type { Environment } from "../policy/policy.ts";
import type { Gathered } from "../promotion/gather.ts";
import { MODEL_TAGS, type ModelRegistry, type RegisteredModel, registeredName } from "../registry/registry.ts";
import { rollbackTagOf } from "./rollback-tag.ts";
import { type ServingWorld, takeRequestsBack } from "./serve-release.ts";
import type { ReleaseWorld } from "./world.ts";

/**
 * What a release that is not carried on has moved goes back to where it was: who served, by the ended entries, serves, and its version is
 * challenger again if it was. Safe to repeat: each alias is looked at by itself.
 */
export async function takeReleaseBack(
  started: EntryOf<"release.started">,
  state: LineState,
  registry: ModelRegistry,
  { name, target }: Gathered,
  world: ReleaseWorld,
): Promise<void> {
  const { body } = started;
  const here = state.environment(body.environment);
  const before = here.champion?.version;
  await takeEndpointBack(started, state, target, world);
  const model = await registry.model(name);
  if (model?.aliases.champion === body.version && before !== body.version) {
    if (before === undefined) await registry.removeAlias(name, "champion");
    else await registry.setAlias(name, "champion", before);
  }
  await restoreChallenger(body.version, here, model, registry);
  await restoreTag(here, model, registry);
}

/** A release takes `challenger` from its version; one that was not ended gives it back. What stands on another version is left alone. */
export async function restoreChallenger(
  version: string,
  { challenger }: Pick<EnvironmentState, "challenger">,
  model: RegisteredModel | undefined,
  registry: ModelRegistry,
): Promise<void> {
  if (model === undefined || model.aliases.challenger !== undefined || challenger?.version !== version) return;
  await registry.setAlias(model.name, "challenger", version);
}

/** The tag that tells the way back without the ledger, about who serves by the ledger. */
async function restoreTag(
  here: Pick<EnvironmentState, "champion" | "released" | "rolledback">,
  model: RegisteredModel | undefined,
  registry: ModelRegistry,
): Promise<void> {
  const tag = rollbackTagOf(here);
  if (model === undefined || (model.tags[MODEL_TAGS.rollback] ?? "") === tag) return;
  await registry.setModelTags(model.name, { [MODEL_TAGS.rollback]: tag });
}

/** What a release has done before it moves `champion`: at its endpoint, and the tag. */
export async function takeUnmovedBack(
  started: EntryOf<"release.started">,
  state: LineState,
  environment: Environment,
  world: ServingWorld & Pick<ReleaseWorld, "registry">,
): Promise<void> {
  await takeEndpointBack(started, state, environment, world);
  const registry = await world.registry(environment);
  const model = await registry.model(registeredName(environment.catalog, started.body.model));
  await restoreTag(state.environment(environment.name), model, registry);
}

/**
 * The endpoint of a release answers again with what the ledger says of it. Of one that was never released to it says nothing: it goes back
 * to who serves where that version is still up there, is removed where the release is all that is, and is left alone else.
 */
async function takeEndpointBack(
  { body }: EntryOf<"release.started">,
  state: LineState,
  environment: Environment,
  world: ServingWorld,
): Promise<void> {
  const { endpoint, model } = body;
  if (endpoint === undefined) return;
  const here = state.environment(body.environment);
  const record = endpointsOf(here).get(endpoint);
  const back = (version: string | undefined) => takeRequestsBack({ endpoint, model, version }, environment, world);
  try {
    if (record?.used === true) return await back(record.version);
    const serving = await world.serving(environment, endpoint, registeredName(environment.catalog, model));
    const up = (await serving.state())?.served.map((each) => each.version);
    const champion = here.champion?.version;
    if (up === undefined) return;
    if (champion !== undefined && up.includes(champion)) return await back(champion);
    if (up.every((each) => each === body.version)) return await back(undefined);
    const text = `${serving.place} answers what no release gave it: it was left as it is`;
    world.report({ type: "note", tone: "warning", text });
  } catch (error) {
    // Another model is on the endpoint: nothing there is moved, and the release ends all the same.
    if (!(error instanceof FactoryError) || error.code !== "serving.strangers") throw error;
    world.report({ type: "note", tone: "warning", text: `${error.message}: it was left as it is` });
  }
}

/** Somebody abandoned it in the very moment in which `champion` moved. What another release has made of the environment since stays. */
export async function undoUnlessAnothers(
  { environment, version }: EntryBody<"release.started">,
  state: LineState,
  undo: (state: LineState) => Promise<void>,
): Promise<void> {
  const { open, champion } = state.environment(environment);
  if (open.every((each) => each.kind === "promotion.started") && champion?.version !== version) await undo(state);
}

/** What the endpoint refuses for good: trying it again brings the same. */
const REFUSED = ["serving.failed", "serving.score", "serving.example", "serving.strangers"];

/**
 * An endpoint that does not take the version, or does not answer with it, ends the release: who served serves again, the ledger
 * says why, and the error (exit 4) is the endpoint's. Anything else leaves it begun, to be carried on.
 */
export async function orGiveUp(
  step: () => Promise<void>,
  {
    started,
    line,
    actor,
    world,
    undo,
  }: {
    started: EntryOf<"release.started">;
    line: Line;
    actor: Actor;
    world: ReleaseWorld;
    undo: () => Promise<void>;
  },
): Promise<void> {
  try {
    await step();
  } catch (error) {
    if (!(error instanceof FactoryError) || !REFUSED.includes(error.code)) throw error;
    await undo();
    const { environment } = started.body;
    const body = { started: started.seq, environment, reason: oneLine(error.message) };
    await appendEnd(line.ledger, started, { kind: "abandoned", body }, actor, await line.ledger.view(), world.now);
    throw outsideError(
      error.code,
      `${error.message}; the release was abandoned, who served serves again`,
      error.hint,
      error,
    );
  }
}

/** A server's words as the one short line that a ledger entry takes: masked, since an entry with a secret is never written. */
function oneLine(text: string): string {
  return cutTo(redact(text).replace(/[\p{Cc}\u2028\u2029]+/gu, " "), 200);
}
