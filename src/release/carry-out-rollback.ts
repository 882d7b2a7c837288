import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { ObjectStore } from "../evidence/object-store.ts";
import { fetchEvidence, putBundle } from "../evidence/objects.ts";
import { endpointsAnswering } from "../ledger/endpoints.ts";
import { type EntryBody, numberOf } from "../ledger/entry.ts";
import type { EntryOf, EnvironmentState } from "../ledger/line-state.ts";
import type { Actor } from "../ledger/open-ledger.ts";
import { FactoryError } from "../lib/error.ts";
import { anchorProblem, setAnchor } from "../line/anchor.ts";
import { appendEnd } from "../line/append.ts";
import type { Line } from "../line/line.ts";
import type { Environment } from "../policy/policy.ts";
import { decisionBundle, policyRecordAt } from "../promotion/decision-bundle.ts";
import { moveChampion } from "../registry/move-champion.ts";
import { MODEL_TAGS, type ModelRegistry, type RegisteredModel } from "../registry/registry.ts";
import { endOfRollback } from "./plan-rollback.ts";
import { rollbackTagText } from "./rollback-tag.ts";
import { takeRequestsBack } from "./serve-release.ts";
import { restoreChallenger } from "./take-release-back.ts";
import type { ReleaseWorld } from "./world.ts";

/** Where a rollback happens. */
export interface RollbackPlace {
  environment: Environment;
  registry: ModelRegistry;
  /** Full name of the model there. */
  name: string;
}

/** Alias, decision, entry, anchor. The alias comes first: what is wrong must stop serving. */
export async function carryOut(
  started: EntryOf<"rollback.started">,
  line: Line,
  place: RollbackPlace,
  actor: Actor,
  world: ReleaseWorld,
): Promise<EntryOf<"rolledback">> {
  const { body } = started;
  const { environment, registry, name } = place;
  const read = await moveBack(started, line, place, world);
  const bundle = await writeDecision(started, line, await world.objects(environment, line.model), name, actor, world);
  const end = { ...endOfRollback(body, started.seq), ...(bundle !== undefined && { bundle }) };
  const entry = await appendEnd(line.ledger, started, { kind: "rolledback", body: end }, actor, line.view, world.now);
  // An anchor that the chain lacks stays: nothing else tells that entries were cut off.
  const lost = anchorProblem(read, body.environment, line.view.entries);
  if (lost !== undefined)
    world.report({ type: "note", tone: "warning", text: `${lost}; that anchor stays: factory verify` });
  else if (line.policy.known) await setAnchor(registry, name, entry, line.policy.value.inForce.digest);
  return entry;
}

/** What a rollback moves: the alias, the requests of endpoints, and the tag that says the way back from there. Returns the model as read then. */
export async function moveBack(
  started: EntryOf<"rollback.started">,
  line: Line,
  { environment, registry, name }: RollbackPlace,
  world: ReleaseWorld,
): Promise<RegisteredModel | undefined> {
  const { body, seq, at, by } = started;
  const expected = numberOf(body.to);
  const read = await moveChampion(registry, name, expected, "rollback", world.signal);
  const here = line.state.environment(body.environment);
  for (const endpoint of endpointsToMove(here, body))
    await takeRequestsBack({ endpoint, model: body.model, version: expected }, environment, world);
  // A release that was not ended, and is abandoned for this, may have taken challenger from its version.
  if (here.challenger !== undefined) await restoreChallenger(here.challenger.version, here, read, registry);
  const before = here.released.findLast(({ entry }) => entry.body.version === expected)?.entry.body;
  // The way back from here, for a rollback that cannot ask the ledger.
  const of = before && { of: before.version, to: before.rollback, since: { seq, at, by } };
  await registry.setModelTags(name, { [MODEL_TAGS.rollback]: of === undefined ? "" : rollbackTagText(here, of) });
  return read;
}

/** Serving endpoints whose requests a rollback moves. Pure. */
export function endpointsToMove(here: EnvironmentState, { endpoint, from }: EntryBody<"rollback.started">): string[] {
  return [...new Set([...(endpoint === undefined ? [] : [endpoint]), ...endpointsAnswering(here, from.version)])];
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
