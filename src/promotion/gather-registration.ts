import { join } from "node:path";
import type { Evidence } from "../evidence/read-evidence.ts";
import { outsideError, usageError } from "../lib/error.ts";
import { momentOfDecision } from "../line/clock.ts";
import type { Line } from "../line/line.ts";
import type { LineWorld } from "../line/world.ts";
import { type ChangedBy, peopleSince } from "../people/changed-by.ts";
import type { History } from "../people/history.ts";
import type { Environment } from "../policy/policy.ts";
import { commandFiles } from "../project/project.ts";
import { type FetchedModel, fetchModel } from "../registry/model-files.ts";
import { type ModelRegistry, type ModelVersion, type RegisteredModel, registeredName } from "../registry/registry.ts";
import { demandRights } from "../registry/rights.ts";
import type { LoggedModel, Run, Tracking } from "../training/tracking.ts";
import { strangeFiles } from "./evidence-of-commit.ts";
import { projectOf, thresholdsProblem } from "./facts-of-evidence.ts";
import { recorderOf } from "./recorder.ts";

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

/** What run, history, registry and ledger say about evidence that somebody wants to register. */
export interface RegistrationFacts {
  tracking: Tracking;
  run: Run;
  logged: LoggedModel;
  /** The run's model as it was fetched just now, in a folder of ours. */
  model: Pick<FetchedModel, "files" | "digest"> & { folder: string };
  registry: ModelRegistry;
  /** Registered name in the first environment. */
  name: string;
  current: RegisteredModel | undefined;
  /** The version that the ledger knows for these bytes, and the registry's own record of it. */
  known: string | undefined;
  taken: ModelVersion | undefined;
  /** What the checked-out history says against the evidence. */
  history: readonly string[];
  /** The moment of the decision. */
  now: Date;
  recording: ReturnType<typeof recorderOf>;
}

/** Reads it all, writes nothing. Throws exit 2 where a run or a history is no such thing, exit 4 where rights are missing or the time cannot be known. */
export async function gatherRegistration(request: RegisterRequest, world: RegisterWorld): Promise<RegistrationFacts> {
  const { evidence, environment, line } = request;
  const { facts } = evidence;
  const tracking = await world.tracking(environment);
  const run = await tracking.run(facts.run.id);
  if (run === undefined)
    throw usageError("run.unknown", `${tracking.uri} knows no run ${facts.run.id}`, "train and check again");
  const logged = onlyModel(run, await tracking.loggedModels(run));
  const checked = await projectOf(evidence);
  const history = [
    ...(await historyReasons(world.history, evidence, checked.known ? commandFiles(checked.value) : [])),
    ...(checked.known ? thresholdsProblem(facts.thresholds, checked.value, [environment]) : [checked.why]),
  ];
  const folder = join(world.workFolder, "model");
  const { files, digest } = await fetchModel(tracking.filesOf(logged), folder, world.report);
  const registry = await world.registry(environment);
  const name = registeredName(environment.catalog, line.model);
  const known = recordedVersion(line, environment.name, digest);
  const [current, taken] = await Promise.all([
    registry.model(name),
    known === undefined ? undefined : registry.version(name, known),
  ]);
  await demandRights(registry, name, current !== undefined);
  const now = momentOfDecision(world.now().getTime(), registry.clock(), line.view.entries.at(-1));
  if (!now.known) throw outsideError("clock.wrong", now.why, now.fix);
  const recording = recorderOf(line, world.signer.keyId, now.value);
  const model = { files, digest, folder };
  return { tracking, run, logged, model, registry, name, current, known, taken, history, now: now.value, recording };
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
async function historyReasons(history: History, evidence: Evidence, run: readonly string[]): Promise<string[]> {
  const { commit, people } = evidence.facts;
  const state = await history.state(run);
  if (state === undefined) return ["this folder is in no git repository"];
  const tree = state.dirty
    ? [`the working tree differs from its commit${state.why === undefined ? "" : `: ${state.why}`}`]
    : [];
  if (commit !== null && state.commit !== commit)
    return [
      ...tree,
      `commit ${state.commit.slice(0, 12)} is checked out, the evidence is about ${commit.slice(0, 12)}: check again`,
    ];
  tree.push(...(await strangeFiles(history, state.commit, evidence)));
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
