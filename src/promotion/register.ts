import { join } from "node:path";
import { putEvidence } from "../evidence/objects.ts";
import type { Evidence } from "../evidence/read-evidence.ts";
import { signEvidence } from "../evidence/sign-evidence.ts";
import type { EntryBody } from "../ledger/entry.ts";
import { lineState } from "../ledger/line-state.ts";
import type { Actor } from "../ledger/open-ledger.ts";
import { outsideError, usageError } from "../lib/error.ts";
import { withTask } from "../lib/progress.ts";
import { type ChangedBy, peopleSince } from "../people/changed-by.ts";
import type { History } from "../people/history.ts";
import type { Environment } from "../policy/policy.ts";
import { type FetchedModel, fetchModel } from "../registry/model-files.ts";
import { type ModelRegistry, type ModelVersion, registeredName, VERSION_TAGS } from "../registry/registry.ts";
import { demandRights } from "../registry/rights.ts";
import type { LoggedModel, Run, Tracking } from "../training/tracking.ts";
import { setAnchor } from "./anchor.ts";
import { appendOnLine, changed } from "./append.ts";
import { demandBytes } from "./apply-promotion.ts";
import { strangeBundleFiles } from "./bundle-of-commit.ts";
import { momentOfDecision } from "./clock.ts";
import type { Line } from "./line.ts";
import { notRegistrable } from "./not-registrable.ts";
import { type NotAccepted, notAcceptedFrom, recorderOf } from "./recorder.ts";
import { anchorProblem } from "./registry-differences.ts";
import type { LineWorld } from "./world.ts";

export interface RegisterRequest {
  evidence: Evidence;
  /** What other evidence says against registering this one. */
  against: readonly string[];
  /** The first environment. */
  environment: Environment;
  line: Line;
  /** When the project was made, if its answers say so. */
  made: string | undefined;
  dryRun: boolean;
}

export interface RegisterWorld extends LineWorld {
  tracking(environment: Environment): Promise<Tracking>;
  history: History;
  /** Reads the chain again, with the policy file as it is. */
  reopen(): Promise<Line>;
}

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
  const { evidence, environment, line, dryRun } = request;
  const { facts } = evidence;
  const tracking = await world.tracking(environment);
  const run = await tracking.run(facts.run.id);
  if (run === undefined)
    throw usageError("run.unknown", `${tracking.uri} knows no run ${facts.run.id}`, "train and check again");
  const logged = onlyModel(run, await tracking.loggedModels(run));
  const reasons = [
    ...request.against,
    ...(facts.project === line.project ? [] : [`the evidence is about project ${facts.project}`]),
    ...(facts.model.name === line.model ? [] : [`the evidence is about model ${facts.model.name}`]),
    ...(await historyReasons(world.history, evidence)),
    ...notRegistrable({
      gates: evidence.gates,
      facts,
      tags: run.tags,
      trainedOn: undefined,
      people: facts.people === null ? undefined : { ...facts.people, since: facts.people.since ?? undefined },
      peopleProblem: "the history was incomplete when it was checked",
      why: undefined,
    }),
  ];
  const folder = join(world.workFolder, "model");
  const model = await fetchModel(tracking.filesOf(logged), folder, world.report);
  if (model.digest !== facts.model.digest)
    reasons.push(
      `the run's model has bytes sha256:${model.digest.slice(0, 12)}…, checked were sha256:${facts.model.digest.slice(0, 12)}…: check again`,
    );
  const registry = await world.registry(environment);
  const name = registeredName(environment.catalog, line.model);
  const known = recordedVersion(line, environment.name, model.digest);
  const [current, taken] = await Promise.all([
    registry.model(name),
    known === undefined ? undefined : registry.version(name, known),
  ]);
  if (known !== undefined && taken === undefined)
    reasons.push(`${name} v${known} has these bytes by the ledger, and is not in the registry any more: train again`);
  // A chain that was cut, or is missing, must not get a new end here: the anchor that tells of it would be written over.
  const cut = anchorProblem(current, environment.name, line.view.entries);
  if (cut !== undefined) reasons.push(`${cut}; factory ledger restore brings back a whole copy`);
  await demandRights(registry, name, current !== undefined);
  const now = momentOfDecision(world.now().getTime(), registry.clock(), line.view.entries.at(-1));
  if (!now.known) throw outsideError("clock.wrong", now.why, now.fix);
  const recording = recorderOf(line, world.signer.keyId, now.value);
  if (recording.refused !== undefined) reasons.push(recording.refused);
  if (reasons.length > 0) return { kind: "refused", reasons: [...new Set(reasons)] };
  const store = () => world.objects(environment, line.model);
  const acceptance = () => notAcceptedFrom(recording.by, evidence.digest, line, store, now.value);
  if (dryRun) {
    const notAccepted = await acceptance();
    const recorded = recording.by !== undefined;
    return { kind: "planned", name, version: known, recorded, why: recording.why, notAccepted };
  }

  const signatures = await signEvidence(evidence, world.signer);
  const objects = await store();
  await withTask(world.report, "register.evidence", "signed evidence", () =>
    putEvidence(objects, evidence, signatures, line.model),
  );
  const notAccepted = await acceptance();
  const version = taken ?? (await create(name, run, logged, { ...model, folder }, request, registry, world));
  await demandBytes(registry, version, model.digest, world);
  if (current?.aliases.champion !== version.version) await registry.setAlias(name, "challenger", version.version);
  const again = taken !== undefined;
  const said = {
    kind: "registered" as const,
    name,
    version: version.version,
    digest: model.digest,
    again,
    notAccepted,
  };
  const files = evidence.files.length + signatures.length;
  if (recording.by === undefined) return { ...said, files, entry: undefined, why: recording.why };
  const firstTrained = await tracking.firstRun(facts.project, { key: "factory.project", value: facts.project });
  const body: EntryBody<"registered"> = {
    model: line.model,
    digest: model.digest,
    environment: environment.name,
    version: version.version,
    createdAt: version.createdAt,
    evidence: evidence.digest,
    run: run.id,
    commit: facts.commit ?? "",
    times: {
      ...(request.made !== undefined && { made: request.made }),
      ...(firstTrained !== undefined && { firstTrained: new Date(firstTrained.startedAt).toISOString() }),
      ...(facts.trainedAt !== undefined && { trained: facts.trainedAt.started }),
      checked: facts.finished,
    },
  };
  const entry = await record(body, { by: recording.by, signer: world.signer }, request, registry, name, world);
  return { ...said, files, entry, why: undefined };
}

/** The one model of a run that is ready. Throws exit 2 for none and for several, with the list. */
function onlyModel(run: Run, models: readonly LoggedModel[]): LoggedModel {
  const ready = models.filter((model) => /READY$/.test(model.status));
  const [only, ...others] = ready;
  if (only !== undefined && others.length === 0) return only;
  throw usageError(
    only === undefined ? "run.no-model" : "run.models",
    only === undefined
      ? `run ${run.id} logged no model`
      : `run ${run.id} logged ${ready.length} models, one is needed: ${ready.map((model) => `${model.name} (${model.id})`).join(", ")}`,
    "the training must log one with mlflow's log_model",
  );
}

/** What the checked-out history says against the evidence: another tree, other people. Throws exit 2 when the history is cut. */
async function historyReasons(history: History, evidence: Evidence): Promise<string[]> {
  const { commit, people } = evidence.facts;
  const state = await history.state();
  if (state === undefined) return ["this folder is in no git repository"];
  const tree = state.dirty
    ? [`the working tree differs from its commit${state.why === undefined ? "" : `: ${state.why}`}`]
    : [];
  if (commit !== null && state.commit !== commit)
    return [
      ...tree,
      `commit ${state.commit.slice(0, 12)} is checked out, the evidence is about ${commit.slice(0, 12)}: check again`,
    ];
  tree.push(...(await strangeBundleFiles(history, state.commit, evidence)));
  if (people === null) return tree;
  // The job that sealed the evidence ran the project's code: who changed that is not for it to say.
  const seen = await peopleSince(history, people.since ?? undefined);
  const [said, found] = [peopleText(people), peopleText(seen)];
  return said === found
    ? tree
    : [...tree, `the evidence says that the code was changed by ${said}, the history says ${found}: check again`];
}

function peopleText(changed: Omit<ChangedBy, "since"> & { since?: string | null | undefined }): string {
  const listed = changed.people.map(({ address, known, changes }) => `${known ? "" : "?"}${address} (${changes})`);
  const since = typeof changed.since === "string" ? ` since ${changed.since}` : "";
  return `${listed.join(", ") || "nobody"} in ${changed.commits} commits${since}`;
}

/** The version that the ledger knows for these bytes in an environment. */
function recordedVersion(line: Line, environment: string, digest: string): string | undefined {
  return line.state.registered.findLast((each) => each.body.digest === digest && each.body.environment === environment)
    ?.body.version;
}

async function create(
  name: string,
  run: Run,
  logged: LoggedModel,
  { folder, files }: Pick<FetchedModel, "files"> & { folder: string },
  { evidence, environment }: RegisterRequest,
  registry: ModelRegistry,
  world: RegisterWorld,
): Promise<ModelVersion> {
  const { facts } = evidence;
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
    const there = line.state.registered.findLast(
      (each) => each.body.version === body.version && each.body.digest === body.digest,
    );
    const newest = line.state.registered.findLast((each) => each.body.digest === body.digest);
    if (there !== undefined && newest === there && there.body.evidence === body.evidence) {
      await reconcile(line, body, registry, name);
      return there.seq;
    }
    const entries = await appendOnLine(line, [{ kind: "registered", body }], actor, world.now(), world.report);
    const last = entries?.at(-1);
    if (entries !== undefined && last !== undefined) {
      const all = [...line.view.entries, ...entries];
      await reconcile({ ...line, view: { ...line.view, entries: all }, state: lineState(all) }, body, registry, name);
      return last.seq;
    }
    line = await world.reopen();
  }
  throw changed("ledger.busy", `the ledger moved ${TRIES} times in a row`, "run the same command again");
}

/** The alias as the ledger has it, whoever else registered meanwhile, and the anchor. */
async function reconcile(
  line: Line,
  body: EntryBody<"registered">,
  registry: ModelRegistry,
  name: string,
): Promise<void> {
  const { challenger } = line.state.environment(body.environment);
  if (challenger !== undefined && challenger.version !== body.version)
    await registry.setAlias(name, "challenger", challenger.version);
  const last = line.view.entries.at(-1);
  if (last !== undefined && line.policy.known) await setAnchor(registry, name, last, line.policy.value.inForce.digest);
}
