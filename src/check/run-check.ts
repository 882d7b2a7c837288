import { randomBytes } from "node:crypto";
import { mkdirSync, rmSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { gatesAgainst } from "../evidence/against.ts";
import { sealEvidence } from "../evidence/seal.ts";
import type { Champion } from "../gates/baseline.ts";
import type { CheckContract } from "../gates/data-gate.ts";
import { overall } from "../gates/gate.ts";
import { demandInside } from "../gates/plain-file.ts";
import { planGates } from "../gates/plan-gates.ts";
import { requiredOfProject } from "../gates/required-of-project.ts";
import { type GateEvent, runGates } from "../gates/run-gates.ts";
import { EXIT, FactoryError, messageOf, usageError } from "../lib/error.ts";
import { sha256File } from "../lib/hash.ts";
import type { Report } from "../lib/progress.ts";
import { type ChangedBy, peopleSince } from "../people/changed-by.ts";
import type { History } from "../people/history.ts";
import type { Environment, GateName } from "../policy/policy.ts";
import { commandFiles } from "../project/project.ts";
import { environmentsOf, type OpenProject } from "../project/read-project.ts";
import { gatesFor } from "../project/rules.ts";
import { notRegistrable } from "../promotion/not-registrable.ts";
import type { ModelReader } from "../registry/registry.ts";
import { dataPaths } from "../training/plan-training.ts";
import { lockDigestOf, type ProjectEnvironment } from "../training/project-environment.ts";
import type { Tracking } from "../training/tracking.ts";
import { buildWheel, collectAttachments } from "./attachments.ts";
import { fetchCandidate } from "./candidate.ts";
import { type Code, factsOf } from "./facts.ts";
import { findChampion } from "./find-champion.ts";
import { type Found, gateRunners } from "./gate-runners.ts";
import type { CheckReport } from "./report.ts";
import { withTests } from "./with-tests.ts";

export interface CheckRequest {
  open: OpenProject;
  /** The run to judge; undefined: the project only. */
  runId: string | undefined;
  only: readonly GateName[] | undefined;
  factoryVersion: string;
}

/** The outside systems that a check asks. */
export interface CheckWorld {
  tracking(environment: Environment): Promise<Tracking>;
  registry(environment: Environment): Promise<ModelReader>;
  history(folder: string): Promise<History>;
  /** Makes the project's Python environment ready. */
  python(): Promise<ProjectEnvironment>;
  checkContract: CheckContract;
  report: Report;
  onGate(event: GateEvent): void;
  signal: AbortSignal;
  now(): Date;
}

/** Runs the gates over a project and, when a run is named, over the model that it logged; seals the evidence of the latter. */
export async function runCheck(request: CheckRequest, world: CheckWorld): Promise<CheckReport> {
  const { open } = request;
  const work = join(open.folder, ".factory/cache/check", randomBytes(6).toString("hex"));
  for (const path of [work, join(open.folder, ".factory/evidence/latest")])
    demandInside(open.folder, path, relative(open.folder, dirname(path)));
  mkdirSync(work, { recursive: true, mode: 0o700 });
  try {
    return await check(request, world, work);
  } finally {
    removeWork(work, world.report);
  }
}

/** The project can be judged when the server of its run cannot be asked; the error says so. */
function withoutRun(error: unknown): never {
  if (!(error instanceof FactoryError) || error.exit !== EXIT.outside) throw error;
  const { code, exit, message, problems } = error;
  const hint = [error.hint, "to judge the project without its run: factory check --project-only"]
    .filter(Boolean)
    .join("; ");
  throw new FactoryError(code, exit, message, { hint, problems, cause: error });
}

/** What tests left without rights must not take the place of the answer. */
function removeWork(work: string, report: Report): void {
  try {
    rmSync(work, { recursive: true, force: true });
  } catch (error) {
    report({ type: "note", tone: "warning", text: `${work} could not be removed: ${messageOf(error)}` });
  }
}

async function check(request: CheckRequest, world: CheckWorld, work: string): Promise<CheckReport> {
  const { open, runId } = request;
  const [first] = environmentsOf(open);
  if (first === undefined) throw usageError("policy.environments", "policy lists no environment");
  const started = world.now();
  const code = await codeState(await world.history(open.folder), open);
  const python = await world.python();
  const candidate =
    runId === undefined
      ? undefined
      : await fetchCandidate(await world.tracking(first), runId, work, world.report).catch(withoutRun);
  const champion: Champion =
    candidate === undefined
      ? { kind: "first-release" }
      : await findChampion(
          environmentsOf(open),
          world.registry,
          open.project.model.name,
          join(work, "champion"),
          world.report,
        );
  const found: Found = { metrics: [], data: [], contracts: [] };
  const gates = await runGates({
    plan: planGates(gatesFor(open.project, first.name), requiredOfProject(open), request.only),
    runners: gateRunners(open, first, candidate, champion, found, world.checkContract),
    folder: open.folder,
    work,
    childEnvironment: python.variables,
    signal: world.signal,
    now: world.now,
    onEvent: world.onGate,
  });
  const verdict = overall(gates);
  const { project } = open.project;
  const judged = { project, verdict, gates: gates.map(({ files: _, ...gate }) => gate) };
  if (candidate === undefined)
    return {
      ...judged,
      subject: "project",
      notRegistrable: ["no run was judged: factory train, then factory check"],
    };
  const model = { name: open.project.model.name, digest: candidate.model.digest };
  const judgedRun = { ...judged, subject: "candidate" as const, run: candidate.run.id, model };
  const wheel = await buildWheel(open.folder, join(work, "wheel"), python.variables, world.signal).catch(
    (error: unknown) => {
      // A failed gate is the answer; a package that cannot be built must not hide it.
      if (verdict !== "fail" || !(error instanceof FactoryError)) throw error;
      return error;
    },
  );
  if (wheel instanceof FactoryError)
    return { ...judgedRun, notRegistrable: [...gatesAgainst(gates), `no evidence was sealed: ${wheel.message}`] };
  // Only now has all project code run: what changed until here is not what the commit says.
  const lock = await lockDigestOf(open.folder);
  const trainedOn = await digestsOf(open);
  const after = await codeState(await world.history(open.folder), open);
  const { people, problem: peopleProblem } = await changersSince(champion, open, world);
  const facts = factsOf({
    open,
    factoryVersion: request.factoryVersion,
    candidate,
    champion,
    found,
    code,
    after,
    python,
    people,
    started,
    finished: world.now(),
  });
  const attachments = [
    wheel,
    ...collectAttachments(open.folder, open.text, candidate.model.manifest, found.contracts, gates),
  ];
  const evidence = await sealEvidence(facts, gates.map(withTests), attachments, join(open.folder, ".factory/evidence"));
  const { tags } = candidate.run;
  const why = code.why ?? after.why;
  return {
    ...judgedRun,
    evidence: { digest: evidence.digest, folder: evidence.folder, files: evidence.files.length },
    ...(people && { people: [...people.people] }),
    notRegistrable: [
      ...notRegistrable({ gates, facts, tags, trainedOn, people, peopleProblem, why }),
      ...(lock === python.lockDigest ? [] : ["uv.lock changed while it was checked: check again"]),
    ],
  };
}

/** Who changed the code since what serves was approved; `problem`: why that cannot be told. */
async function changersSince(
  champion: Champion,
  open: OpenProject,
  world: CheckWorld,
): Promise<{ people: ChangedBy | undefined; problem: string | undefined }> {
  // Only what serves in the last environment was approved by somebody else than its authors; they count until then.
  const approved = champion.kind === "version" && champion.environment === environmentsOf(open).at(-1)?.name;
  const history = await world.history(open.folder);
  try {
    return { people: await peopleSince(history, approved ? champion.commit : undefined), problem: undefined };
  } catch (error) {
    world.signal.throwIfAborted();
    const hint = error instanceof FactoryError ? error.hint : undefined;
    const problem = hint === undefined ? messageOf(error) : `${messageOf(error)} (${hint})`;
    return { people: undefined, problem };
  }
}

async function codeState(history: History, { project }: OpenProject): Promise<Code> {
  const state = await history.state(commandFiles(project));
  return { commit: state?.commit, dirty: state?.dirty ?? true, why: state?.why };
}

/** The files that training reads, as they are now; one that is not there has no digest. */
async function digestsOf(open: OpenProject): Promise<{ path: string; sha256: string }[]> {
  const digests: { path: string; sha256: string }[] = [];
  for (const path of dataPaths(open.project, (each) => isPlain(join(open.folder, each)))) {
    const full = join(open.folder, path);
    if (isPlain(full)) digests.push({ path, sha256: await sha256File(full) });
  }
  return digests;
}

function isPlain(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}
