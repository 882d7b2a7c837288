import { randomBytes } from "node:crypto";
import { mkdirSync, rmSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { type EvidenceFacts, evidenceFacts } from "../evidence/facts.ts";
import { sealEvidence } from "../evidence/seal.ts";
import type { Champion } from "../gates/baseline.ts";
import { judgeBaseline } from "../gates/baseline.ts";
import { type CheckContract, runDataGate } from "../gates/data-gate.ts";
import { judgeDocs } from "../gates/docs.ts";
import { overall } from "../gates/gate.ts";
import { judgeLint } from "../gates/lint.ts";
import type { Metric } from "../gates/metrics.ts";
import { runModelGate } from "../gates/model-gate.ts";
import { demandInside } from "../gates/plain-file.ts";
import { planGates, requiredGates } from "../gates/plan-gates.ts";
import { type GateEvent, type GateRunners, runGates } from "../gates/run-gates.ts";
import { judgeSecrets } from "../gates/secrets.ts";
import { usageError } from "../lib/error.ts";
import { sha256File } from "../lib/hash.ts";
import type { Report } from "../lib/progress.ts";
import { type ChangedBy, peopleSince } from "../people/changed-by.ts";
import type { History } from "../people/history.ts";
import type { Environment, GateName } from "../policy/policy.ts";
import { commandWords } from "../project/project.ts";
import { environmentsOf, listingOf, type OpenProject } from "../project/read-project.ts";
import { metricsFor, rulesDigest } from "../project/rules.ts";
import type { ModelRegistry } from "../registry/registry.ts";
import { dataPaths } from "../training/plan-training.ts";
import { lockDigestOf, type ProjectEnvironment } from "../training/project-environment.ts";
import type { Tracking } from "../training/tracking.ts";
import { buildWheel, collectAttachments } from "./attachments.ts";
import { type Candidate, fetchCandidate, isUnchanged } from "./candidate.ts";
import { findChampion } from "./find-champion.ts";
import { notRegistrable } from "./not-registrable.ts";
import type { CheckReport } from "./report.ts";

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
  registry(environment: Environment): Promise<ModelRegistry>;
  history(folder: string): Promise<History>;
  /** Makes the project's Python environment ready. */
  python(): Promise<ProjectEnvironment>;
  checkContract: CheckContract;
  report: Report;
  onGate(event: GateEvent): void;
  signal: AbortSignal;
  now(): Date;
}

interface Code {
  commit: string | undefined;
  dirty: boolean;
  why: string | undefined;
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
    rmSync(work, { recursive: true, force: true });
  }
}

async function check(request: CheckRequest, world: CheckWorld, work: string): Promise<CheckReport> {
  const { open, runId } = request;
  const [first] = environmentsOf(open);
  if (first === undefined) throw usageError("policy.environments", "policy lists no environment");
  const started = world.now();
  const code = await codeState(await world.history(open.folder));
  const python = await world.python();
  const candidate =
    runId === undefined ? undefined : await fetchCandidate(await world.tracking(first), runId, work, world.report);
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
    plan: planGates(open.project, requiredGates(open.policy?.policy, listingOf(open)?.riskTier), request.only),
    runners: runners(open, first, candidate, champion, found, world),
    folder: open.folder,
    work,
    childEnvironment: python.variables,
    signal: world.signal,
    now: world.now,
    onEvent: world.onGate,
  });
  const verdict = overall(gates);
  const shown = gates.map(({ files: _, ...gate }) => gate);
  if (candidate === undefined) {
    return {
      project: open.project.project,
      subject: "project",
      verdict,
      gates: shown,
      notRegistrable: ["no run was judged: factory train, then factory check"],
    };
  }
  const wheelFolder = join(work, "wheel");
  mkdirSync(wheelFolder);
  const wheel = await buildWheel(open.folder, wheelFolder, python.variables, world.signal);
  // Only now has all project code run: what changed until here is not what the commit says.
  const lock = await lockDigestOf(open.folder);
  const trainedOn = await digestsOf(open);
  const after = await codeState(await world.history(open.folder));
  const people = await peopleSince(
    await world.history(open.folder),
    champion.kind === "version" ? champion.commit : undefined,
  ).catch(() => undefined);
  const facts = factsOf(request, world, { candidate, champion, found, code, after, python, people, started });
  const attachments = [
    wheel,
    ...collectAttachments(open.folder, open.text, candidate.model.manifest, found.contracts, gates),
  ];
  const evidence = await sealEvidence(facts, gates, attachments, join(open.folder, ".factory/evidence"));
  return {
    project: open.project.project,
    subject: "candidate",
    verdict,
    run: candidate.run.id,
    model: { name: open.project.model.name, digest: candidate.model.digest },
    gates: shown,
    evidence: { digest: evidence.digest, folder: evidence.folder, files: evidence.files.length },
    ...(people && { people: [...people.people] }),
    notRegistrable: [
      ...notRegistrable({
        verdict,
        gates,
        facts,
        tags: candidate.run.tags,
        trainedOn,
        people,
        why: code.why ?? after.why,
      }),
      ...(lock === python.lockDigest ? [] : ["uv.lock changed while it was checked: check again"]),
    ],
  };
}

/** What the gates leave behind besides their results. */
interface Found {
  metrics: Metric[];
  data: { path: string; sha256: string }[];
  contracts: { path: string; content: Buffer }[];
}

function runners(
  open: OpenProject,
  first: Environment,
  candidate: Candidate | undefined,
  champion: Champion,
  found: Found,
  world: CheckWorld,
): GateRunners {
  const { unit, data, model } = open.project.gates;
  const metrics = metricsFor(open.project, first.name);
  const championFolder = champion.kind === "version" ? champion.folder : undefined;
  return {
    lint: judgeLint,
    unit: async (setting) => {
      if (unit === undefined) throw usageError("gate.missing", "factory.yaml has no gates.unit");
      const { runCommandGate } = await import("../gates/command-gate.ts");
      return runCommandGate({ name: "unit", run: unit.run, junit: unit.junit }, setting);
    },
    data: async (setting) => {
      if (data === undefined) throw usageError("gate.missing", "factory.yaml has no gates.data");
      const outcome = await runDataGate(data, setting, world.checkContract);
      found.data = outcome.data;
      found.contracts = outcome.contracts ?? [];
      return outcome;
    },
    model: async (setting) => {
      if (model === undefined) throw usageError("gate.missing", "factory.yaml has no gates.model");
      const outcome = await runModelGate(
        { ...model, metrics },
        { candidate: candidate?.folder, champion: championFolder },
        setting,
      );
      found.metrics = outcome.metrics;
      const changed = [
        ...(candidate !== undefined && !(await isUnchanged(candidate.folder, candidate.model.digest))
          ? ["candidate"]
          : []),
        ...(champion.kind === "version" && !(await isUnchanged(champion.folder, champion.digest)) ? ["champion"] : []),
      ];
      if (changed.length === 0) return outcome;
      return {
        ...outcome,
        verdict: "error",
        summary: `the model tests changed the files of the ${changed.join(" and ")}`,
        findings: [
          {
            message: "what was judged is not what was logged",
            fix: "tests must only read FACTORY_CANDIDATE and FACTORY_CHAMPION",
          },
        ],
      };
    },
    baseline: async (_, before) => {
      // Without a run there is nothing that could replace a champion; nobody has to be asked which one that is.
      if (candidate === undefined)
        return { verdict: "not-evaluated", summary: "needs a run to compare: factory train" };
      const measured = before.find((result) => result.gate === "model");
      if (champion.kind === "version" && measured?.verdict !== "pass" && measured?.verdict !== "fail") {
        return { verdict: "not-evaluated", summary: "the model gate measured nothing to compare" };
      }
      return judgeBaseline(metrics, found.metrics, champion);
    },
    docs: async (setting) => judgeDocs(setting.folder),
    secrets: judgeSecrets,
  };
}

async function codeState(history: History): Promise<Code> {
  const state = await history.state();
  return { commit: state?.commit, dirty: state?.dirty ?? true, why: state?.why };
}

interface Observed {
  candidate: Candidate;
  champion: Champion;
  found: Found;
  code: Code;
  after: Code;
  python: ProjectEnvironment;
  people: ChangedBy | undefined;
  started: Date;
}

function factsOf(request: CheckRequest, world: CheckWorld, seen: Observed): EvidenceFacts {
  const { open } = request;
  const { candidate, champion, code, after } = seen;
  const { run } = candidate;
  const iso = (ms: number) => new Date(ms).toISOString();
  const seed = Number.parseInt(run.tags["factory.seed"] ?? "", 10);
  return evidenceFacts.parse({
    v: 1,
    factory: { version: request.factoryVersion },
    project: open.project.project,
    run: { id: run.id },
    model: { name: open.project.model.name, digest: candidate.model.digest },
    commit: code.commit ?? null,
    // Code that moved while it was judged counts as dirty: no commit says what was tested.
    dirty: code.dirty || after.dirty || code.commit !== after.commit,
    rules: Object.fromEntries(
      environmentsOf(open).map((environment) => [
        environment.name,
        rulesDigest(open.project, open.policy?.policy, environment),
      ]),
    ),
    data: seen.found.data,
    lock: seen.python.lockDigest ?? null,
    seed: Number.isSafeInteger(seed) ? seed : null,
    train: commandWords(open.project.model.train),
    thresholds: metricsFor(open.project, environmentsOf(open)[0]?.name ?? ""),
    champion: championFact(champion),
    people:
      seen.people === undefined
        ? { since: null, commits: 0, people: [] }
        : { since: seen.people.since ?? null, commits: seen.people.commits, people: [...seen.people.people] },
    trainedAt: { started: iso(run.startedAt), finished: run.endedAt === undefined ? null : iso(run.endedAt) },
    started: seen.started.toISOString(),
    finished: world.now().toISOString(),
  });
}

function championFact(champion: Champion): EvidenceFacts["champion"] {
  if (champion.kind === "first-release") return "first release";
  if (champion.kind === "unreadable") return "unreadable";
  const { environment, version, digest, commit } = champion;
  return { environment, version, digest, commit: commit ?? null };
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
