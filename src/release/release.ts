import { putBundle, putEvidence } from "../evidence/objects.ts";
import type { EntryOf, EnvironmentState, LineState } from "../ledger/line-state.ts";
import type { Actor, LedgerView } from "../ledger/open-ledger.ts";
import { changedError, usageError } from "../lib/error.ts";
import { actorOf, momentIn } from "../line/actor-and-moment.ts";
import { catchUpAnchor, setAnchor } from "../line/anchor.ts";
import { appendEnd, appendStart } from "../line/append.ts";
import { demandFree } from "../line/demand-free.ts";
import { demandStillAllowed } from "../line/heed-others.ts";
import type { Line } from "../line/line.ts";
import { giveUp, notBegun, staleness, wouldGiveUp } from "../line/resume.ts";
import { inTurn, type Turn, takeTurn } from "../line/turn.ts";
import { decisionBundle, decisionOf } from "../promotion/decision-bundle.ts";
import { type Gathered, gatherFacts, type Question } from "../promotion/gather.ts";
import { moveChampion } from "../registry/move-champion.ts";
import { MODEL_TAGS, type ModelRegistry } from "../registry/registry.ts";
import { judgeEndpoint } from "./judge-endpoint.ts";
import { planRelease, type ReleasePlan } from "./plan-release.ts";
import { readSignatures } from "./read-signatures.ts";
import { rollbackTagText } from "./rollback-tag.ts";
import { bringUp, giveRequests } from "./serve-release.ts";
import { orGiveUp, takeReleaseBack, undoUnlessAnothers } from "./take-release-back.ts";
import type { ReleaseWorld } from "./world.ts";

export type ReleaseResult =
  | { kind: "refused" | "cannot tell" | "planned"; plan: ReleasePlan }
  | {
      kind: "released";
      plan: ReleasePlan;
      entry: EntryOf<"released">;
      resumed: boolean;
      /** It served already: nothing was decided. */
      again: boolean;
    };

/** Strategies that this factory can carry out. */
const STRATEGIES: readonly string[] = ["direct"];

/** Throws exit 2 for a strategy that this factory does not know. */
export function demandStrategy(strategy: string): void {
  if (!STRATEGIES.includes(strategy))
    throw usageError(
      "release.strategy",
      `this factory knows no strategy ${JSON.stringify(strategy)}`,
      `it knows: ${STRATEGIES.join(", ")} (release.strategy in factory.yaml, or --strategy)`,
    );
}

/**
 * Lets a promoted version serve: decides again, fixes the rollback target, moves `champion`. What was cut off is carried on.
 */
export async function release(
  question: Question,
  strategy: string | undefined,
  line: Line,
  world: ReleaseWorld,
  dryRun: boolean,
): Promise<ReleaseResult> {
  demandPromotable(line, question.environment);
  return inTurn(await takeTurn(line, question.environment, world, dryRun), (turn) =>
    releaseInTurn(question, strategy, line, world, dryRun, turn),
  );
}

/** Nothing is promoted to the first environment: an entry that said of a version that it serves there would fit nothing before it. */
function demandPromotable(line: Line, environment: string): void {
  const names = line.policy.known ? line.policy.value.inForce.policy.environments.map((each) => each.name) : [];
  if (names[0] === environment)
    throw usageError(
      "environment.first",
      `${environment} is the first environment: what is released was promoted, and nothing is promoted there`,
      `there are, in order: ${names.join(", ")}`,
    );
}

async function releaseInTurn(
  question: Question,
  strategy: string | undefined,
  line: Line,
  world: ReleaseWorld,
  dryRun: boolean,
  { cutOff, begin }: Turn,
): Promise<ReleaseResult> {
  const state = line.state.environment(question.environment);
  const { digest } = question.candidate;
  const mine = { kind: "release.started" as const, digest, key: world.signer.keyId, cutOff };
  const resumed = demandFree(state.open, mine, world.now());
  const asked = { ...question, ticket: question.ticket ?? resumed?.body.ticket ?? promotedTicket(question, line) };
  const gathered = await gatherFacts(asked, line, world);
  const chosen = strategy ?? resumed?.body.strategy ?? strategyOf(gathered);
  demandStrategy(chosen);
  const registry = await world.registry(gathered.target);
  const signature = await readSignatures(gathered, state.champion, registry, world);
  const own = await judgeEndpoint(gathered, world);
  const plan = planRelease(asked, gathered, state, chosen, signature, own, line.view.head);
  const served = resumed === undefined && standsAsRecorded(plan) ? servingAlready(state, digest) : undefined;
  if (served !== undefined) return servesAlready(served, plan, registry, gathered, line, dryRun);
  const stale = resumed && staleness(resumed, plan);
  if (resumed !== undefined && stale !== undefined) {
    if (dryRun) throw wouldGiveUp(resumed, stale);
    await takeReleaseBack(resumed, line.state, registry, gathered, world);
    return giveUp(resumed, stale, line, actorOf(gathered.facts, world), world.now());
  }
  if (plan.start === undefined) return { kind: notBegun(plan.outcome, resumed, stale), plan };
  if (dryRun) return { kind: "planned", plan };
  const actor = actorOf(gathered.facts, world);
  begin(resumed === undefined ? line.view.head.seq : resumed.seq - 1);
  const fact = { kind: "release.started" as const, body: plan.start };
  const { started, view } =
    resumed === undefined
      ? await appendStart(line, fact, actor, momentIn(gathered.facts), world.report)
      : { started: resumed, view: line.view };
  const entry = await applyRelease(started, view, gathered, line, registry, actor, world);
  return { kind: "released", plan, entry, resumed: resumed !== undefined, again: false };
}

/** Nothing is decided: what is left of it is done, if the command that wrote the entry was cut off right after it. */
async function servesAlready(
  { entry, started }: EnvironmentState["released"][number],
  plan: ReleasePlan,
  registry: ModelRegistry,
  { name }: Gathered,
  line: Line,
  dryRun: boolean,
): Promise<ReleaseResult> {
  const { verdicts, policy, environment } = started.body;
  const anchored = { environment, entries: line.view.entries };
  const resumed = !dryRun && (await catchUpAnchor(registry, name, anchored, entry, policy));
  const recorded = { ...plan, verdicts, rollback: entry.body.rollback };
  return { kind: "released", plan: recorded, entry, resumed, again: true };
}

/** What has to hold before it is said of a version that it serves: the ledger alone does not know what became of it since. */
const WHERE_IT_STANDS: readonly string[] = ["ledger", "registry", "version", "bytes"];

function standsAsRecorded({ verdicts }: ReleasePlan): boolean {
  return verdicts.every((each) => each.verdict === "yes" || !WHERE_IT_STANDS.includes(each.rule));
}

/** The release by which a candidate serves now, by the ledger. Pure. */
function servingAlready({ champion, released }: EnvironmentState, digest: string) {
  if (champion?.digest !== digest) return undefined;
  return released.findLast((each) => each.entry.seq === champion.released.seq);
}

/** A release belongs to its promotion, and so does the ticket. */
export function promotedTicket({ candidate, environment }: Question, line: Line): string | undefined {
  return line.state.environment(environment).promoted.findLast((each) => each.entry.body.digest === candidate.digest)
    ?.started.body.ticket;
}

/** What policy says for the tier, else factory.yaml; of a list the first, which is the one that it asks for. */
function strategyOf({ facts }: Gathered): string {
  if (!facts.rules.known) return "direct";
  const { stage, strategy } = facts.rules.value.rules;
  return [stage.strategy ?? strategy].flat()[0] ?? strategy;
}

/** Carries a started release to its end; each step looks before it acts. */
async function applyRelease(
  started: EntryOf<"release.started">,
  view: LedgerView,
  gathered: Gathered,
  line: Line,
  registry: ModelRegistry,
  actor: Actor,
  world: ReleaseWorld,
): Promise<EntryOf<"released">> {
  const { body } = started;
  const { target, model, name } = gathered;
  // Seen while this was planned, and nothing moved since but the ledger: the bytes are those that were decided on.
  if (model === undefined || model.digest !== body.digest)
    throw changedError("release.bytes", "the bytes changed after the release was started", "factory verify");
  const bundle = decisionBundle(
    started,
    decisionOf("release", body, { model: name, project: line.project, factory: world.factoryVersion }),
    { manifest: model.manifest, entries: view.entries },
    actor,
  );
  const version = await registry.version(name, body.version);
  if (version === undefined)
    throw changedError("release.gone", `${name} v${body.version} is not there any more`, "factory verify");
  const objects = await world.objects(target, line.model);
  // Newer evidence may have been registered since the promotion: what was decided on is kept where it counts.
  if (gathered.evidence !== undefined) await putEvidence(objects, gathered.evidence, gathered.signatures, line.model);
  await putBundle(objects, bundle, line.model);
  const undo = (state: LineState = line.state) => takeReleaseBack(started, state, registry, gathered, world);
  await orGiveUp(() => bringUp(body, target, world), { started, line, actor, world, undo });
  await demandStillAllowed(started, line.ledger, (state, why) =>
    why === "ended" ? undoUnlessAnothers(body, state, undo) : undo(state),
  );
  // Right before the alias: until then the tag tells the way back from who serves.
  const back = rollbackTagText(line.state.environment(body.environment), { of: body.version, to: body.rollback });
  await registry.setModelTags(name, { [MODEL_TAGS.rollback]: back });
  const read = await moveChampion(registry, name, body.version, "release", world.signal);
  if (read?.aliases.challenger === body.version) await registry.removeAlias(name, "challenger");
  const folder = model.folder;
  await orGiveUp(() => giveRequests(body, target, folder, world), { started, line, actor, world, undo });
  const fact = {
    kind: "released" as const,
    body: {
      model: body.model,
      digest: body.digest,
      environment: body.environment,
      started: started.seq,
      version: body.version,
      createdAt: version.createdAt,
      strategy: body.strategy,
      rollback: body.rollback,
      ...(body.endpoint !== undefined && { endpoint: body.endpoint }),
      bundle: bundle.digest,
    },
  };
  const entry = await appendEnd(line.ledger, started, fact, actor, view, world.now, (state) =>
    undoUnlessAnothers(body, state, undo),
  );
  await setAnchor(registry, name, entry, body.policy);
  return entry;
}
