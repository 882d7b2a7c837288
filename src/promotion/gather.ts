import { join } from "node:path";
import type { Evidence } from "../evidence/read-evidence.ts";
import type { SignedFile } from "../evidence/signature-path.ts";
import type { LineState } from "../ledger/line-state.ts";
import type { Envelope } from "../lib/dsse.ts";
import { usageError } from "../lib/error.ts";
import { anchorProblem } from "../line/anchor.ts";
import { momentOfDecision } from "../line/clock.ts";
import type { Candidate } from "../line/find-candidate.ts";
import type { Line } from "../line/line.ts";
import {
  leftovers,
  leftVersion,
  misplacedRegistrations,
  recordedVersions,
  registryDifferences,
} from "../line/registry-differences.ts";
import type { LineWorld } from "../line/world.ts";
import { identityOfKey } from "../policy/identity.ts";
import type { Environment, Policy } from "../policy/policy.ts";
import { unknownEnvironment } from "../policy/unknown-environment.ts";
import type { Project } from "../project/project.ts";
import { rulesDigest, rulesFor } from "../project/rules.ts";
import type { FetchedModel } from "../registry/model-files.ts";
import { type ModelRegistry, type ModelVersion, registeredName, VERSION_TAGS } from "../registry/registry.ts";
import { demandRights } from "../registry/rights.ts";
import { type Action, type DecisionFacts, known, type ServingChampion, unknown } from "../rules/facts.ts";
import { bytesOf, recordedBytes, recordedModel } from "./candidate-bytes.ts";
import { approvalsOf } from "./facts-of-approvals.ts";
import { type EvidenceMaterial, gatherEvidence, registrationOf } from "./facts-of-evidence.ts";
import { ticketOf } from "./facts-of-ticket.ts";

export interface Question {
  action: Action;
  candidate: Candidate;
  environment: string;
  ticket: string | undefined;
  role?: string | undefined;
}

/** What was found out, and what carrying the decision out needs beyond the facts. */
export interface Gathered {
  facts: DecisionFacts;
  /** Where it stands now: the environment before, or the environment itself for a release. */
  source: Environment;
  target: Environment;
  /** Full name at the target. */
  name: string;
  /**
   * The bytes, fetched and digested; undefined when they could not be read, or were not asked for. Where bytes are fixed a release has the
   * manifest from the evidence and only the file MLmodel in the folder, checked against it.
   */
  model: (FetchedModel & { folder: string }) | undefined;
  evidence: Evidence | undefined;
  /** factory.yaml as it was checked. */
  project: Project | undefined;
  signatures: readonly SignedFile[];
  /** Whether the target has the registered model. */
  hasModel: boolean;
  /** The job that the target runs for each new version of it, if there is one. */
  deploymentJob: string | undefined;
  /** Highest number at the target now. */
  highest: number;
  /** The candidate's version at the target, if the ledger knows one or a promotion that was cut off made one. */
  present: string | undefined;
  approvals: readonly { hash: string; envelope: Envelope }[];
}

/** The environment that was named and the one before it; of a release both are the named one. Throws exit 2 for an unknown one, and for a promotion to the first. */
function targetOf(policy: Policy, name: string, action: Action): { source: Environment; target: Environment } {
  const index = policy.environments.findIndex((each) => each.name === name);
  const target = policy.environments[index];
  const names = policy.environments.map((each) => each.name);
  if (target === undefined) throw unknownEnvironment(name, names);
  const before = policy.environments[index - 1];
  if (action === "release") return { source: target, target };
  if (before === undefined)
    throw usageError(
      "environment.first",
      `${name} is the first environment: factory register brings a model there`,
      `there are, in order: ${names.join(", ")}`,
    );
  return { source: before, target };
}

/** Asks registries, stores, ticket system and ledger all that the rules need. Writes nothing but to the work folder and the cache. */
export async function gatherFacts(question: Question, line: Line, world: LineWorld): Promise<Gathered> {
  if (!line.policy.known) throw usageError("policy.none", line.policy.why, line.policy.fix);
  const { policy } = line.policy.value.inForce;
  const { candidate, action } = question;
  const { source, target } = targetOf(policy, question.environment, action);
  const first = policy.environments[0] ?? target;
  const name = registeredName(target.catalog, line.model);
  const standing = standingOf(line.state, source, candidate.digest, first);
  const registries = new Map<string, ModelRegistry>();
  for (const each of new Set([target, source])) registries.set(each.name, await world.registry(each));
  const of = async (environment: Environment) => registries.get(environment.name) ?? world.registry(environment);
  const targetRegistry = await of(target);
  if (line.ledger.local && !targetRegistry.local)
    throw usageError(
      "ledger.local",
      `the ledger is a file on this machine, but the registry of ${target.name} is not on this machine`,
      "several people and machines need a ledger that all can reach: ledger: { kind: git, … } (or delta) in policy.yaml",
    );
  const place = standing && { model: registeredName(source.catalog, line.model), version: standing.version };
  // What a release lets serve is there already: where nobody can have changed it since, it is not fetched again.
  const fixed = action === "release" && targetRegistry.bytesAreFixed;
  const modelFolder = join(world.workFolder, "model");
  // Nothing of this waits for anything else of it.
  const [pictures, bytes, ticket] = await Promise.all([
    Promise.all([...new Set([target, source])].map((each) => pictureOf(each, line, standing, source, of))),
    action === "approve" || place === undefined || fixed
      ? undefined
      : bytesOf(await of(source), place, modelFolder, world),
    ticketOf(question, line, world),
  ]);
  const versionsIn = (environment: Environment) =>
    pictures.find((each) => each.environment === environment)?.versions ?? [];
  const version = versionsIn(source).find((each) => each.version === standing?.version);
  const now = momentOfDecision(world.now().getTime(), targetRegistry.clock(), line.view.entries.at(-1));
  const at = now.known ? now.value : world.now();
  const chain = [...pictures].reverse().map((each) => each.environment);
  const stores = await Promise.all(
    [...new Set([source, ...chain, first])].map((each) => world.objects(each, line.model)),
  );
  const registered = pictures.find((each) => each.environment === target)?.model;
  const hasModel = registered !== undefined;
  const [evidence] = await Promise.all([
    gatherEvidence(
      candidate.evidence,
      stores,
      target.name,
      policy,
      world.cacheFolder,
      registrationOf(line.state, candidate.evidence),
    ),
    action === "approve" ? undefined : demandRights(targetRegistry, name, hasModel),
  ]);
  const material =
    fixed && place !== undefined && version !== undefined
      ? await recordedModel(targetRegistry, place, evidence.evidence, modelFolder)
      : bytes?.model;
  const targetVersions = versionsIn(target);
  const facts: DecisionFacts = {
    action,
    project: line.project,
    model: line.model,
    digest: candidate.digest,
    number: candidate.number,
    environment: target,
    now,
    policy: line.policy,
    actor: known(identityOfKey(policy, world.signer.keyId, at)),
    ledger: known(ledgerProblems(line, pictures)),
    rules: rulesOf(evidence, policy, target),
    standing: known({
      at: standing && { environment: source.name, version: standing },
      expected: source.name,
    }),
    version:
      standing === undefined
        ? unknown("it does not stand there")
        : known(version && { createdAt: version.createdAt, digestTag: version.tags[VERSION_TAGS.digest] }),
    bytes: fixed
      ? recordedBytes(version, material)
      : bytes === undefined
        ? unknown("there are no bytes to read")
        : bytes.fact,
    evidence: evidence.seen,
    evidenceProblem: evidence.problem,
    champion: known(championOf(line.state, policy)),
    registry: known(
      pictures.flatMap(({ environment, model, versions }) => {
        const picture = { environment: environment.name, isFirst: environment === first, model, versions };
        const here = line.state.environment(environment.name);
        const recorded = recordedVersions(environment.name, line.view.entries);
        const again = action === "promote" && environment === target ? candidate.digest : undefined;
        return registryDifferences(picture, here, recorded, leftovers(picture, here, recorded, again));
      }),
    ),
    approvals: known(approvalsOf(line, policy)),
    role: question.role,
    strategy: undefined,
    ticket,
  };
  return {
    facts,
    source,
    target,
    name,
    model: material,
    evidence: evidence.evidence,
    project: evidence.project.known ? evidence.project.value : undefined,
    signatures: evidence.signatures,
    hasModel,
    deploymentJob: registered?.deploymentJob,
    highest: Math.max(0, ...targetVersions.map((each) => Number(each.version))),
    present:
      recordedVersions(target.name, line.view.entries).findLast((each) => each.digest === candidate.digest)?.version ??
      leftVersion(targetVersions, candidate.digest, line.state.environment(target.name)),
    approvals: line.state.approvals.map(({ entry }) => ({ hash: entry.hash, envelope: entry.body.envelope })),
  };
}

interface Picture {
  environment: Environment;
  model: Awaited<ReturnType<ModelRegistry["model"]>>;
  versions: readonly ModelVersion[];
}

async function pictureOf(
  environment: Environment,
  line: Line,
  standing: { version: string } | undefined,
  source: Environment,
  registryOf: (environment: Environment) => Promise<ModelRegistry>,
): Promise<Picture> {
  const registry = await registryOf(environment);
  const name = registeredName(environment.catalog, line.model);
  const recorded = new Set(recordedVersions(environment.name, line.view.entries).map((each) => each.version));
  // What the ledger does not know may have been left by a cut-off promotion, which its tags tell.
  const known = environment === source ? standing?.version : undefined;
  const tagsOf = (version: string): boolean => !recorded.has(version) || version === known;
  const [model, versions] = await Promise.all([
    registry.model(name, known !== undefined),
    registry.versions(name, tagsOf, known),
  ]);
  return { environment, model, versions };
}

/** The version in which a candidate stands in an environment, by the ledger. */
function standingOf(state: LineState, source: Environment, digest: string, first: Environment) {
  if (source.name === first.name) {
    const body = state.registered.findLast(
      (each) => each.body.digest === digest && each.body.environment === first.name,
    )?.body;
    return body && { version: body.version, digest, createdAt: body.createdAt };
  }
  const body = state.environment(source.name).promoted.findLast((each) => each.entry.body.digest === digest)
    ?.entry.body;
  return body && { version: body.version, digest, createdAt: body.createdAt };
}

function ledgerProblems(line: Line, pictures: readonly Picture[]): string[] {
  return [
    ...line.view.problems.map((each) => each.message),
    ...line.state.problems.map((each) => `entry ${each.seq} ${each.message}`),
    ...(line.state.project !== undefined && line.state.project !== line.project
      ? [`the chain is that of project ${line.state.project}`]
      : []),
    ...misplacedRegistrations(line.view),
    ...pictures.flatMap((each) => anchorProblem(each.model, each.environment.name, line.view.entries) ?? []),
  ];
}

function rulesOf(evidence: EvidenceMaterial, policy: Policy, target: Environment): DecisionFacts["rules"] {
  if (!evidence.project.known) return evidence.project;
  const project = evidence.project.value;
  return known({ rules: rulesFor(project, policy, target), digest: rulesDigest(project, policy, target) });
}

/** The champion of the last environment that has one, as check looks for it. Pure. */
export function championOf(state: LineState, policy: Policy): ServingChampion | undefined {
  for (const environment of policy.environments.toReversed()) {
    const { champion } = state.environment(environment.name);
    if (champion === undefined) continue;
    const { version, digest, released } = champion;
    // Only what was decided on counts: there the commit of a registration was compared with its evidence. What was registered
    // beside it or later says nothing about the code that was released.
    const { promoted, released: releases } = state.environment(environment.name);
    const before = [...promoted, ...releases]
      .filter(({ entry }) => entry.body.digest === digest && entry.seq <= released.seq)
      .flatMap(({ started }) =>
        state.registered.filter((each) => each.body.evidence === started.body.evidence && each.seq < started.seq),
      );
    return {
      environment: environment.name,
      version,
      digest,
      commits: [...new Set(before.map((each) => each.body.commit))],
    };
  }
  return undefined;
}
