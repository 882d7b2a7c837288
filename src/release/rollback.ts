import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { ObjectStore } from "../evidence/object-store.ts";
import { fetchEvidence, putBundle } from "../evidence/objects.ts";
import { endpointsAnswering, rollbackEndpointProblem } from "../ledger/endpoints.ts";
import type { Fact } from "../ledger/entry.ts";
import { rollbackProblem } from "../ledger/fits.ts";
import { type EntryOf, type EnvironmentState, lineState } from "../ledger/line-state.ts";
import type { Actor } from "../ledger/open-ledger.ts";
import { takenAway } from "../ledger/taken-away.ts";
import { FactoryError, outsideError, usageError } from "../lib/error.ts";
import { identityOfKey } from "../policy/identity.ts";
import { firstReleaseOf } from "../policy/listing.ts";
import type { Environment } from "../policy/policy.ts";
import { unknownEnvironment } from "../policy/unknown-environment.ts";
import { type Anchored, catchUpAnchor, setAnchor } from "../promotion/anchor.ts";
import { appendEnd, appendOnLine, changed, demandFree } from "../promotion/append.ts";
import { momentOfDecision } from "../promotion/clock.ts";
import { decisionBundle, policyRecordAt } from "../promotion/decision-bundle.ts";
import type { Line } from "../promotion/line.ts";
import { anchorProblem } from "../promotion/registry-differences.ts";
import { giveUp } from "../promotion/resume.ts";
import { moveAlias } from "../registry/move-alias.ts";
import { MODEL_TAGS, type ModelRegistry, registeredName } from "../registry/registry.ts";
import { holdsThisLine } from "./holds-this-line.ts";
import { abandonedFor } from "./pending.ts";
import {
  planRollback,
  type RollbackPlan,
  type RollbackRequest,
  releaseThatMoved,
  rolledBackSince,
  servingOf,
} from "./plan-rollback.ts";
import { readTarget } from "./read-target.ts";
import { planOf, rolledBackAlready } from "./rolled-back-already.ts";
import { takeRequestsBack } from "./serve-release.ts";
import type { ReleaseWorld } from "./world.ts";

export type RollbackResult =
  | { kind: "refused" | "planned"; plan: RollbackPlan }
  | { kind: "rolledback"; plan: RollbackPlan; entry: EntryOf<"rolledback">; resumed: boolean };

const TRIES = 5;

/**
 * Moves `champion` back to the target that was fixed at release, after reading every byte of it (where bytes are fixed: what was
 * recorded of them). No freeze, ticket or approval stops it; a release that is half done in the same environment is abandoned.
 */
export async function rollback(
  request: RollbackRequest,
  line: Line,
  reopen: () => Promise<Line>,
  world: ReleaseWorld,
  dryRun: boolean,
): Promise<RollbackResult> {
  const environment = environmentOf(line, request.environment);
  const registry = await world.registry(environment);
  const name = registeredName(environment.catalog, line.model);
  for (let attempt = 0, now = line; attempt < TRIES; attempt++, now = await reopen()) {
    const result = await tryOnce(request, now, environment, registry, name, world, dryRun);
    if (result !== undefined) return result;
  }
  throw changed("ledger.busy", "the ledger moved again and again", "run the same command again");
}

/** Undefined: the ledger moved before anything was written. */
async function tryOnce(
  request: RollbackRequest,
  line: Line,
  environment: Environment,
  registry: ModelRegistry,
  name: string,
  world: ReleaseWorld,
  dryRun: boolean,
): Promise<RollbackResult | undefined> {
  const state = line.state.environment(environment.name);
  // A promotion that is half done moves no champion, so it is left alone.
  const open = state.open.filter((each) => each.kind === "rollback.started");
  // Whoever else is at it with this key does the very same, step by step: a rollback does not wait.
  const { keyId: key } = world.signer;
  const mine = { kind: "rollback.started" as const, digest: open[0]?.body.digest ?? "", key, cutOff: () => true };
  const resumed = demandFree(open, mine, world.now());
  const done = resumed === undefined ? rolledBackAlready(request, line, world.signer.keyId) : undefined;
  if (done !== undefined) {
    const plan = planOf(done.entry, done.started, request);
    if (dryRun) return { kind: "planned", plan };
    const policy = line.policy.known ? line.policy.value.inForce.digest : "";
    await catchUpAnchor(registry, name, anchored(line, environment.name), done.entry, policy);
    return { kind: "rolledback", plan: { ...plan, verdicts: [] }, entry: done.entry, resumed: true };
  }
  const misfit = resumed && (rollbackProblem(state, resumed.body) ?? rollbackEndpointProblem(state, resumed.body));
  if (resumed !== undefined && misfit !== undefined && !dryRun) {
    const identity = actorIn(line, key, world.now());
    if ("problem" in identity)
      throw changed("begun.stale", `entry ${resumed.seq} ${misfit}`, "factory promote --abandon");
    return giveUp(resumed, misfit, line, { by: identity.address, signer: world.signer }, world.now());
  }
  // Something serves here, or there is nothing to do: its aliases need not wait for the model.
  const model = await registry.model(name, true);
  const alias = model?.aliases.champion;
  const serving = resumed === undefined ? servingOf(line.state, environment.name, alias) : recorded(resumed);
  const halfDone = state.open.flatMap((each) => (each.kind === "release.started" ? [each] : []));
  const unmoved = resumed === undefined ? halfDone.find((each) => each.body.version !== alias) : undefined;
  const target = await readTarget(serving?.rollback, name, registry, world.report);
  const isOurs = await holdsThisLine({ model, name, serving, target }, line, environment.name, registry);
  const at = momentOfDecision(world.now().getTime(), registry.clock(), line.view.entries.at(-1));
  if (!at.known) throw outsideError("clock.wrong", at.why, at.fix);
  const plan = planRollback(request, {
    model: line.model,
    serving,
    since: resumed === undefined && unmoved === undefined ? rolledBackSince(state) : undefined,
    takenAway: takenAway(state),
    alias,
    halfDone: unmoved && { seq: unmoved.seq, version: unmoved.body.version },
    endpoint: endpointOf(state, serving),
    actor: actorIn(line, world.signer.keyId, at.value),
    firstRelease: line.policy.known ? firstReleaseOf(line.policy.value.inForce.policy, line.project) : "deny",
    target,
    registry: { place: registry.place, isOurs },
  });
  if (plan.start === undefined) return { kind: "refused", plan };
  if (dryRun) return { kind: "planned", plan };
  const identity = actorIn(line, world.signer.keyId, at.value);
  if ("problem" in identity) throw new TypeError("nobody acts");
  const actor: Actor = { by: identity.address, signer: world.signer };
  const facts: Fact[] = [
    ...halfDone.map(({ seq }) => abandonedFor(request.reason, seq, environment.name)),
    { kind: "rollback.started", body: plan.start },
  ];
  const entries = resumed === undefined ? await appendOnLine(line, facts, actor, at.value, world.report) : [];
  if (entries === undefined) return undefined;
  const started = resumed ?? entries.at(-1);
  if (started?.kind !== "rollback.started") throw new TypeError("a start came back as another kind");
  const all = [...line.view.entries, ...entries];
  const entry = await carryOut(
    started,
    {
      ...line,
      view: { ...line.view, entries: all, head: { seq: started.seq, hash: started.hash } },
      state: lineState(all),
    },
    environment,
    registry,
    name,
    actor,
    world,
  );
  return { kind: "rolledback", plan, entry, resumed: resumed !== undefined };
}

/** Where requests go to who serves now: by the release that was not ended, else by those that were. */
function endpointOf(state: EnvironmentState, serving: ReturnType<typeof servingOf>): string | undefined {
  if (serving === undefined) return undefined;
  if (serving.released !== undefined) return endpointsAnswering(state, serving.version)[0];
  return releaseThatMoved(state, serving.version)?.body.endpoint;
}

/** The plan of a rollback that was cut off is kept: where it came from and where it goes. */
function recorded({ body }: EntryOf<"rollback.started">): ReturnType<typeof servingOf> {
  const rollback = body.to === "none" ? body.to : { ...body.to, signature: "not stated" as const };
  return { ...body.from, rollback, released: body.undoes };
}

const anchored = ({ view }: Line, environment: string): Anchored => ({ environment, entries: view.entries });

function environmentOf(line: Line, name: string): Environment {
  if (!line.policy.known) throw usageError("policy.none", line.policy.why, line.policy.fix);
  const { environments } = line.policy.value.inForce.policy;
  const found = environments.find((each) => each.name === name);
  if (found !== undefined) return found;
  throw unknownEnvironment(
    name,
    environments.map((each) => each.name),
  );
}

function actorIn(line: Line, keyId: string, at: Date) {
  return line.policy.known ? identityOfKey(line.policy.value.inForce.policy, keyId, at) : { problem: line.policy.why };
}

/** Alias, decision, entry, anchor. The alias comes first: what is wrong must stop serving. */
async function carryOut(
  started: EntryOf<"rollback.started">,
  line: Line,
  environment: Environment,
  registry: ModelRegistry,
  name: string,
  actor: Actor,
  world: ReleaseWorld,
): Promise<EntryOf<"rolledback">> {
  const { body } = started;
  const expected = body.to === "none" ? undefined : body.to.version;
  const read = await moveAlias(registry, name, "champion", expected, world.signal);
  if (read?.aliases.champion !== expected)
    throw changed(
      "rollback.alias",
      `champion of ${name} is v${read?.aliases.champion ?? "none"} right after it was moved to v${expected ?? "none"}: somebody else moves it`,
      "run it again",
    );
  const named = body.endpoint === undefined ? [] : [body.endpoint];
  const answering = endpointsAnswering(line.state.environment(body.environment), body.from.version);
  for (const endpoint of new Set([...named, ...answering]))
    await takeRequestsBack({ endpoint, model: body.model, version: expected }, environment, world);
  const before = body.to === "none" ? undefined : releaseOf(line, body.environment, body.to.version);
  // The way back from here, for a rollback that cannot ask the ledger.
  const since = { seq: started.seq, at: started.at, by: started.by };
  const tag = before === undefined ? "" : JSON.stringify({ of: before.version, to: before.rollback, since });
  await registry.setModelTags(name, { [MODEL_TAGS.rollback]: tag });
  const bundle = await writeDecision(started, line, await world.objects(environment, line.model), name, actor, world);
  const { reason, incident, detectedAt, undoes, to, model, digest } = body;
  const entry = await appendEnd(
    line.ledger,
    started,
    {
      kind: "rolledback",
      body: {
        model,
        digest,
        environment: body.environment,
        started: started.seq,
        ...(undoes !== undefined && { undoes }),
        to,
        reason,
        ...(incident !== undefined && { incident }),
        ...(detectedAt !== undefined && { detectedAt }),
        ...(bundle !== undefined && { bundle }),
      },
    },
    actor,
    line.view,
    world.now,
  );
  // An anchor that the chain lacks stays: nothing else tells that entries were cut off.
  const lost = anchorProblem(read, body.environment, line.view.entries);
  if (lost !== undefined)
    world.report({ type: "note", tone: "warning", text: `${lost}; that anchor stays: factory verify` });
  else if (line.policy.known) await setAnchor(registry, name, entry, line.policy.value.inForce.digest);
  if (entry.kind !== "rolledback") throw new TypeError("an entry came back as another kind");
  return entry;
}

function releaseOf(line: Line, environment: string, version: string): EntryOf<"released">["body"] | undefined {
  return line.state.environment(environment).released.findLast(({ entry }) => entry.body.version === version)?.entry
    .body;
}

/**
 * The signed decision as a bundle, about the bytes that serve again (of a withdrawn first release: those that served). A store
 * that does not answer must not undo a rollback that has happened: then there is no bundle, and the entry says so.
 */
async function writeDecision(
  started: EntryOf<"rollback.started">,
  line: Line,
  store: ObjectStore,
  name: string,
  actor: Actor,
  world: ReleaseWorld,
): Promise<string | undefined> {
  const { body } = started;
  const subject = body.to === "none" ? body.digest : body.to.digest;
  const released = line.state
    .environment(body.environment)
    .released.findLast((each) => each.entry.body.digest === subject);
  if (released === undefined || !line.policy.known) return undefined;
  try {
    const { evidence } = await fetchEvidence(store, released.started.body.evidence, world.cacheFolder);
    const manifest = await readFile(join(evidence.folder, "model/manifest.sha256"), "utf8");
    const bundle = decisionBundle(
      started,
      {
        action: "rollback",
        model: name,
        digest: subject,
        environment: body.environment,
        project: line.project,
        factory: world.factoryVersion,
        policy: policyRecordAt(line.view.entries, started.seq).digest,
        rules: released.started.body.rules,
        evidence: released.started.body.evidence,
        verdicts: [],
        reason: body.reason,
        ...(body.undoes !== undefined && { undoes: body.undoes }),
      },
      { manifest, entries: line.view.entries },
      actor,
    );
    await putBundle(store, bundle, line.model);
    return bundle.digest;
  } catch (error) {
    if (!(error instanceof FactoryError) || world.signal.aborted) throw error;
    world.report({
      type: "note",
      tone: "warning",
      text: `the decision could not be put into the evidence store: ${error.message}; the ledger has it`,
    });
    return undefined;
  }
}
