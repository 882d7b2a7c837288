import { setTimeout as sleep } from "node:timers/promises";
import { putBundle, putEvidence } from "../evidence/objects.ts";
import type { EntryBody } from "../ledger/entry.ts";
import type { EntryOf, LineState } from "../ledger/line-state.ts";
import type { Actor, LedgerView } from "../ledger/open-ledger.ts";
import { changedError } from "../lib/error.ts";
import { withTask } from "../lib/progress.ts";
import { setAnchor } from "../line/anchor.ts";
import { appendEnd } from "../line/append.ts";
import { demandStillAllowed } from "../line/heed-others.ts";
import type { Line } from "../line/line.ts";
import type { LineWorld } from "../line/world.ts";
import { digestModel } from "../registry/model-files.ts";
import { type ModelRegistry, type ModelVersion, VERSION_TAGS } from "../registry/registry.ts";
import { decisionBundle, decisionOf } from "./decision-bundle.ts";
import { type DeploymentTold, tellDeployment } from "./deployment-approval.ts";
import type { Gathered } from "./gather.ts";
import { takeChallengerBack } from "./take-challenger-back.ts";

const READS = 3;
const PAUSE_MS = 500;

export interface Promoted {
  environment: string;
  /** Full name. */
  name: string;
  version: string;
  bundle: string;
  entry: EntryOf<"promoted">;
  /** What the deployment job of the version was told; undefined: the target has none. */
  deployment: DeploymentTold | undefined;
}

/**
 * Carries a started promotion to its end; each step looks before it acts, so that it can be run again after any interruption.
 * Throws exit 5 when what arrived is not what was promoted, or when somebody else ended it.
 */
export async function applyPromotion(
  started: EntryOf<"promotion.started">,
  view: LedgerView,
  gathered: Gathered,
  line: Line,
  actor: Actor,
  world: LineWorld,
): Promise<Promoted> {
  const { body } = started;
  const { target, evidence, model, signatures } = gathered;
  if (evidence === undefined || model === undefined || model.digest !== body.digest)
    throw changedError(
      "promotion.material",
      "evidence or bytes changed after the promotion was started",
      "run it again",
    );
  const [registry, objects] = await Promise.all([world.registry(target), world.objects(target, line.model)]);
  const bundle = decisionBundle(
    started,
    decisionOf("promote", body, { model: body.target, project: line.project, factory: world.factoryVersion }),
    { manifest: model.manifest, entries: view.entries },
    actor,
  );
  await withTask(world.report, "promotion.evidence", "evidence and decision", async () => {
    await putEvidence(objects, evidence, signatures, line.model);
    await putBundle(objects, bundle, line.model);
  });
  const version = await arrive(gathered, registry, body, bundle.digest, wasTried(body, line), world);
  await demandBytes(registry, version, body.digest, world);
  const undo = (state: LineState) => undoUnlessAnothers(started, version, state, registry);
  await demandStillAllowed(started, line.ledger, async (state, why) => (why === "ended" ? undo(state) : undefined));
  if (line.state.environment(target.name).champion?.version !== version.version)
    await registry.setAlias(body.target, "challenger", version.version);
  // What serves already is no challenger; an earlier try, of when it did not serve, may have made it one.
  else await takeChallengerBack(started, line.state, registry);
  const { version: number, createdAt } = version;
  const entry = await appendEnd(
    line.ledger,
    started,
    {
      kind: "promoted",
      body: {
        model: body.model,
        digest: body.digest,
        environment: body.environment,
        started: started.seq,
        version: number,
        createdAt,
        evidence: body.evidence,
        bundle: bundle.digest,
      },
    },
    actor,
    view,
    world.now,
    undo,
  );
  await setAnchor(registry, body.target, entry, body.policy);
  const deployment = await tellDeployment(gathered, registry, number);
  return {
    environment: body.environment,
    name: body.target,
    version: number,
    bundle: bundle.digest,
    entry,
    deployment,
  };
}

/** Whether the same bytes were on their way there when the line was read: that try may have left a version. */
function wasTried({ environment, digest }: EntryBody<"promotion.started">, { view }: Line): boolean {
  return view.entries.some(
    (each) => each.kind === "promotion.started" && each.body.environment === environment && each.body.digest === digest,
  );
}

/**
 * Somebody ended it meanwhile, in the very moment perhaps in which `challenger` moved. What another command promotes there is that one's.
 * Who took it over may have brought the same bytes there as a version of their own: then the one beside it goes.
 */
async function undoUnlessAnothers(
  started: EntryOf<"promotion.started">,
  { version }: ModelVersion,
  state: LineState,
  registry: ModelRegistry,
): Promise<void> {
  const { target, environment, digest } = started.body;
  const { open, promoted } = state.environment(environment);
  if (open.some((each) => each.kind === "promotion.started")) return;
  await takeChallengerBack(started, state, registry);
  const known = promoted.flatMap((each) => (each.entry.body.digest === digest ? [each.entry.body.version] : []));
  if (known.length > 0 && !known.includes(version)) await registry.removeVersion(target, version);
}

/** The version at the target: the one that is there, or a new one with bytes of its own. */
async function arrive(
  gathered: Gathered,
  registry: ModelRegistry,
  body: EntryBody<"promotion.started">,
  bundle: string,
  earlierTry: boolean,
  world: LineWorld,
): Promise<ModelVersion> {
  const { present, model, facts } = gathered;
  if (present !== undefined) {
    const found = await registry.version(body.target, present);
    if (found !== undefined) return found;
    throw changedError(
      "promotion.gone",
      `${body.target} v${present} is not in the registry any more`,
      "factory verify",
    );
  }
  if (model === undefined) throw new TypeError("a promotion without bytes");
  const evidence = facts.evidence.known ? facts.evidence.value.facts : undefined;
  return registry.createFromFolder(
    {
      model: body.target,
      above: body.highest,
      environment: body.environment,
      folder: model.folder,
      files: model.files,
      seen: { earlierTry, model: gathered.hasModel },
      tags: {
        [VERSION_TAGS.digest]: body.digest,
        [VERSION_TAGS.evidence]: body.evidence,
        [VERSION_TAGS.bundle]: bundle,
        [VERSION_TAGS.source]: `${body.from.environment} v${body.from.version}`,
        ...(evidence?.commit && { [VERSION_TAGS.commit]: evidence.commit }),
        ...(evidence && { [VERSION_TAGS.run]: evidence.run.id }),
      },
    },
    world.report,
  );
}

/**
 * Reads every byte of what arrived. No alias may move to a version whose bytes are others. A list of files may lag behind what was just
 * written: bytes are others only when they still are after a second.
 */
export async function demandBytes(
  registry: ModelRegistry,
  version: ModelVersion,
  digest: string,
  world: Pick<LineWorld, "report" | "signal">,
): Promise<void> {
  for (let reads = 1; ; reads++) {
    const arrived = await digestModel(registry.filesOf(version), world.report);
    if (arrived.digest === digest) return;
    if (reads === READS)
      throw changedError(
        "promotion.bytes",
        `${version.model} v${version.version} has bytes sha256:${arrived.digest.slice(0, 12)}…, not sha256:${digest.slice(0, 12)}…: no alias was moved`,
        "somebody wrote to its artifacts: factory verify",
      );
    await sleep(PAUSE_MS, undefined, { signal: world.signal });
  }
}
