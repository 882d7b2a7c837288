import { putEvidence } from "../evidence/objects.ts";
import { signEvidence } from "../evidence/sign-evidence.ts";
import { BRING_BACK } from "../ledger/bring-back.ts";
import type { EntryBody } from "../ledger/entry.ts";
import { lineState } from "../ledger/line-state.ts";
import type { Actor } from "../ledger/open-ledger.ts";
import { changedError } from "../lib/error.ts";
import { LAST_MOMENT_MS } from "../lib/last-moment.ts";
import { withTask } from "../lib/progress.ts";
import { anchorProblem, setAnchor } from "../line/anchor.ts";
import { appendOnLine } from "../line/append.ts";
import type { Line } from "../line/line.ts";
import { type ModelRegistry, type ModelVersion, VERSION_TAGS } from "../registry/registry.ts";
import { demandBytes } from "./apply-promotion.ts";
import { evidenceSigner, registrationOf } from "./facts-of-evidence.ts";
import {
  gatherRegistration,
  type RegisterRequest,
  type RegisterWorld,
  type RegistrationFacts,
} from "./gather-registration.ts";
import { notRegistrable } from "./not-registrable.ts";
import { type NotAccepted, notAcceptedFrom } from "./recorder.ts";

export type Registration =
  | { kind: "refused"; reasons: readonly string[] }
  | {
      kind: "planned";
      name: string;
      version: string | undefined;
      recorded: boolean;
      why: string | undefined;
      notAccepted: NotAccepted;
    }
  | {
      kind: "registered";
      name: string;
      version: string;
      digest: string;
      /** The version was there already. */
      again: boolean;
      files: number;
      /** Sequence number of the ledger's entry; undefined: a pilot, or no policy in force. */
      entry: number | undefined;
      /** Why it is not in the ledger. */
      why: string | undefined;
      notAccepted: NotAccepted;
    };

/**
 * Brings what was checked into the first environment's registry: signed evidence, a version that points to the run's model,
 * alias, ledger entry. The same bytes again are the same version, with newer evidence.
 */
export async function register(request: RegisterRequest, world: RegisterWorld): Promise<Registration> {
  const { evidence, environment, line } = request;
  const found = await gatherRegistration(request, world);
  const reasons = reasonsAgainst(request, found);
  if (reasons.length > 0) return { kind: "refused", reasons };
  if (!request.dryRun) return bring(request, found, world);
  const { recording, name, known } = found;
  const store = () => world.objects(environment, line.model);
  const notAccepted = await notAcceptedFrom(recording.by, evidence.digest, line, store);
  const recorded = recording.by !== undefined;
  return { kind: "planned", name, version: known, recorded, why: recording.why, notAccepted };
}

/** Every reason against registering it, each once; empty when there is none. Pure. */
function reasonsAgainst(request: RegisterRequest, found: RegistrationFacts): string[] {
  const { evidence, environment, line } = request;
  const { facts } = evidence;
  const { name, known, taken, model } = found;
  // A chain that was cut, or is missing, must not get a new end here: the anchor that tells of it would be written over.
  const cut = anchorProblem(found.current, environment.name, line.view.entries);
  const reasons = [
    ...request.against,
    ...(facts.project === line.project ? [] : [`the evidence is about project ${facts.project}`]),
    ...(facts.model.name === line.model ? [] : [`the evidence is about model ${facts.model.name}`]),
    ...found.history,
    ...notRegistrable({
      gates: evidence.gates,
      facts,
      tags: found.run.tags,
      trainedOn: undefined,
      people: facts.people === null ? undefined : { ...facts.people, since: facts.people.since ?? undefined },
      peopleProblem: "the history was incomplete when it was checked",
      why: undefined,
    }),
    ...(model.digest === facts.model.digest
      ? []
      : [
          `the run's model has bytes sha256:${model.digest.slice(0, 12)}…, checked were sha256:${facts.model.digest.slice(0, 12)}…: check again`,
        ]),
    ...(known !== undefined && taken === undefined
      ? [`${name} v${known} has these bytes by the ledger, and is not in the registry any more: train again`]
      : []),
    ...(cut === undefined ? [] : [`${cut}; a whole copy is brought back by ${BRING_BACK}`]),
    ...(found.recording.refused === undefined ? [] : [found.recording.refused]),
  ];
  return [...new Set(reasons)];
}

/** Evidence first, then the version, then alias and entry: what is cut off in between is no version without its evidence. */
async function bring(request: RegisterRequest, found: RegistrationFacts, world: RegisterWorld): Promise<Registration> {
  const { evidence, environment, line } = request;
  const { registry, name, model, taken, recording } = found;
  const signatures = await signEvidence(evidence, world.signer);
  const objects = await world.objects(environment, line.model);
  await withTask(world.report, "register.evidence", "signed evidence", () =>
    putEvidence(objects, evidence, signatures, line.model),
  );
  const notAccepted = await notAcceptedFrom(recording.by, evidence.digest, line, async () => objects);
  const version = taken ?? (await create(request, found, world));
  await demandBytes(registry, version, model.digest, world);
  if (found.current?.aliases.champion !== version.version) await registry.setAlias(name, "challenger", version.version);
  const said = {
    kind: "registered" as const,
    name,
    version: version.version,
    digest: model.digest,
    again: taken !== undefined,
    files: evidence.files.length + signatures.length,
    notAccepted,
  };
  if (recording.by === undefined) return { ...said, entry: undefined, why: recording.why };
  const body = await entryBody(request, found, version);
  const entry = await record(body, { by: recording.by, signer: world.signer }, request, registry, name, world);
  return { ...said, entry, why: undefined };
}

async function entryBody(
  { evidence, environment, line, made }: RegisterRequest,
  { tracking, run, model }: RegistrationFacts,
  version: ModelVersion,
): Promise<EntryBody<"registered">> {
  const { facts } = evidence;
  const firstTrained = await tracking.firstRun(facts.project, { key: "factory.project", value: facts.project });
  const first = firstTrained && timeText(firstTrained.startedAt);
  return {
    model: line.model,
    digest: model.digest,
    environment: environment.name,
    version: version.version,
    createdAt: version.createdAt,
    evidence: evidence.digest,
    run: run.id,
    commit: facts.commit ?? "",
    times: {
      ...(made !== undefined && { made }),
      ...(first !== undefined && { firstTrained: first }),
      ...(facts.trainedAt !== undefined && { trained: facts.trainedAt.started }),
      checked: facts.finished,
    },
  };
}

/** Nothing hangs on when the first run was: a time that is none is left out. */
function timeText(ms: number): string | undefined {
  return ms >= 0 && ms <= LAST_MOMENT_MS ? new Date(ms).toISOString() : undefined;
}

async function create(
  { evidence, environment }: RegisterRequest,
  { registry, name, run, logged, model }: RegistrationFacts,
  world: RegisterWorld,
): Promise<ModelVersion> {
  const { facts } = evidence;
  const { folder, files } = model;
  await registry.ensureModel(name);
  return registry.createFromRun(
    {
      model: name,
      above: 0,
      environment: environment.name,
      runId: run.id,
      loggedModelId: logged.id,
      tags: {
        [VERSION_TAGS.digest]: facts.model.digest,
        [VERSION_TAGS.evidence]: evidence.digest,
        [VERSION_TAGS.run]: run.id,
        ...(facts.commit !== null && { [VERSION_TAGS.commit]: facts.commit }),
      },
    },
    { folder, files, report: world.report },
  );
}

const TRIES = 20;

/** Records it on whatever head there is: a registration decides nothing, so others may write in between. */
async function record(
  body: EntryBody<"registered">,
  actor: Actor,
  request: RegisterRequest,
  registry: ModelRegistry,
  name: string,
  world: RegisterWorld,
): Promise<number> {
  let { line } = request;
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const there = ownEntry(line, body, actor.signer.keyId);
    // Whoever registers at the same time may have set the alias after this command did, and written before it.
    const set = attempt === 0 ? body.version : undefined;
    if (there !== undefined) {
      await reconcile(line, body.environment, set, registry, name, world);
      return there.seq;
    }
    const entries = await appendOnLine(line, [{ kind: "registered", body }], actor, world.now(), world.report);
    const last = entries?.at(-1);
    if (entries !== undefined && last !== undefined) {
      const all = [...line.view.entries, ...entries];
      const now = { ...line, view: { ...line.view, entries: all }, state: lineState(all) };
      await reconcile(now, body.environment, set, registry, name, world);
      return last.seq;
    }
    line = await world.reopen();
  }
  throw changedError("ledger.busy", `the ledger moved ${TRIES} times in a row`, "run the same command again");
}

/**
 * The entry that says all this already, by this very key, and for which its signature counts; undefined when one is to be written.
 * A later one by another key takes nothing from it, as long as it is about the same evidence. Pure.
 */
function ownEntry({ state, policy }: Line, body: EntryBody<"registered">, keyId: string) {
  const newest = state.registered.findLast((each) => each.body.digest === body.digest);
  if (newest?.body.version !== body.version || newest.body.evidence !== body.evidence || !policy.known)
    return undefined;
  const said = registrationOf(state, body.evidence).filter((each) => each.body.digest === body.digest);
  return "problem" in evidenceSigner(policy.value.inForce.policy, keyId, said)
    ? undefined
    : said.findLast((each) => each.key === keyId);
}

/**
 * The alias as the ledger has it, whoever else registered meanwhile, and the anchor. `set`: where this command knows the alias to stand.
 * Where it sets it anew, the ledger is asked again, until nobody has registered in between.
 */
async function reconcile(
  line: Line,
  environment: string,
  set: string | undefined,
  registry: ModelRegistry,
  name: string,
  world: RegisterWorld,
): Promise<void> {
  const { challenger } = line.state.environment(environment);
  if (challenger !== undefined && challenger.version !== set) {
    await registry.setAlias(name, "challenger", challenger.version);
    return reconcile(await world.reopen(), environment, challenger.version, registry, name, world);
  }
  const last = line.view.entries.at(-1);
  if (last !== undefined && line.policy.known) await setAnchor(registry, name, last, line.policy.value.inForce.digest);
}
