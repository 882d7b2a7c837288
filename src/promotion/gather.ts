import { join } from "node:path";
import type { Evidence } from "../evidence/read-evidence.ts";
import type { SignedFile } from "../evidence/signature-path.ts";
import type { Envelope } from "../lib/dsse.ts";
import { usageError } from "../lib/error.ts";
import { momentOfDecision } from "../line/clock.ts";
import type { Candidate } from "../line/find-candidate.ts";
import type { Line } from "../line/line.ts";
import {
  leftovers,
  leftVersion,
  type RegistryPicture,
  recordedVersions,
  registryDifferences,
} from "../line/registry-differences.ts";
import type { LineWorld } from "../line/world.ts";
import { type Identity, identityOfKey } from "../policy/identity.ts";
import type { Environment, Policy } from "../policy/policy.ts";
import { unknownEnvironment } from "../policy/unknown-environment.ts";
import type { Project } from "../project/project.ts";
import { rulesDigest, rulesFor } from "../project/rules.ts";
import type { FetchedModel } from "../registry/model-files.ts";
import { type ModelRegistry, registeredName, VERSION_TAGS } from "../registry/registry.ts";
import { demandRights } from "../registry/rights.ts";
import { type Action, type DecisionFacts, known, unknown } from "../rules/facts.ts";
import { bytesOf, recordedBytes, recordedModel } from "./candidate-bytes.ts";
import { approvalsOf } from "./facts-of-approvals.ts";
import { type EvidenceMaterial, gatherEvidence, registrationOf } from "./facts-of-evidence.ts";
import { championOf, ledgerProblems, standingOf } from "./facts-of-line.ts";
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
  const read = await readAll(question, line, policy, world);
  const { source, target, name, material, evidence, targetModel, targetVersions } = read;
  const at = read.now.known ? read.now.value : world.now();
  const actor = identityOfKey(policy, world.signer.keyId, at);
  return {
    facts: factsFrom(question, line, policy, actor, read),
    source,
    target,
    name,
    model: material,
    evidence: evidence.evidence,
    project: evidence.project.known ? evidence.project.value : undefined,
    signatures: evidence.signatures,
    hasModel: targetModel !== undefined,
    deploymentJob: targetModel?.deploymentJob,
    highest: Math.max(0, ...targetVersions.map((each) => Number(each.version))),
    present:
      recordedVersions(line.state, target.name).findLast((each) => each.digest === question.candidate.digest)
        ?.version ?? leftVersion(targetVersions, question.candidate.digest, line.state.environment(target.name)),
    approvals: line.state.approvals.map(({ entry }) => ({ hash: entry.hash, envelope: entry.body.envelope })),
  };
}

type Read = Awaited<ReturnType<typeof readAll>>;

/** In as few rounds as it takes; nothing is judged yet. */
async function readAll(question: Question, line: Line, policy: Policy, world: LineWorld) {
  const { candidate, action } = question;
  const { source, target } = targetOf(policy, question.environment, action);
  const first = policy.environments[0] ?? target;
  const name = registeredName(target.catalog, line.model);
  const standing = standingOf(line.state, source, candidate.digest, first);
  const targetRegistry = await world.registry(target);
  const sourceRegistry = source === target ? targetRegistry : await world.registry(source);
  demandShared(line, target, targetRegistry);
  const place = standing && { model: registeredName(source.catalog, line.model), version: standing.version };
  // What a release lets serve is there already: where nobody can have changed it since, it is not fetched again.
  const fixed = action === "release" && targetRegistry.bytesAreFixed;
  const modelFolder = join(world.workFolder, "model");
  // Nothing of this waits for anything else of it.
  const [pictures, bytes, ticket] = await Promise.all([
    Promise.all([
      pictureOf(target, targetRegistry, first, line, source === target ? standing : undefined),
      ...(source === target ? [] : [pictureOf(source, sourceRegistry, first, line, standing)]),
    ]),
    action === "approve" || place === undefined || fixed
      ? undefined
      : bytesOf(sourceRegistry, place, modelFolder, world),
    ticketOf(question, line, world),
  ]);
  const pictureIn = (environment: Environment) => pictures.find((each) => each.environment === environment.name);
  const version = pictureIn(source)?.versions.find((each) => each.version === standing?.version);
  const now = momentOfDecision(world.now().getTime(), targetRegistry.clock(), line.view.entries.at(-1));
  // The nearest first; the last is where `register` puts later signatures.
  const stores = await Promise.all(
    [...new Set([source, target, first])].map((each) => world.objects(each, line.model)),
  );
  const targetModel = pictureIn(target)?.model;
  const [evidence] = await Promise.all([
    gatherEvidence(
      candidate.evidence,
      stores,
      target.name,
      policy,
      world.cacheFolder,
      registrationOf(line.state, candidate.evidence),
    ),
    action === "approve" ? undefined : demandRights(targetRegistry, name, targetModel !== undefined),
  ]);
  const material =
    fixed && place !== undefined && version !== undefined
      ? await recordedModel(targetRegistry, place, evidence.evidence, modelFolder)
      : bytes?.model;
  const seenBytes = fixed ? recordedBytes(version, material) : (bytes?.fact ?? unknown("there are no bytes to read"));
  const targetVersions = pictureIn(target)?.versions ?? [];
  return {
    source,
    target,
    name,
    standing,
    pictures,
    version,
    seenBytes,
    material,
    evidence,
    ticket,
    now,
    targetModel,
    targetVersions,
  };
}

/** A ledger that nobody else can read is for registries that nobody else can reach. Throws exit 2. */
function demandShared({ ledger }: Line, target: Environment, registry: ModelRegistry): void {
  if (!ledger.local || registry.local) return;
  throw usageError(
    "ledger.local",
    `the ledger is a file on this machine, but the registry of ${target.name} is not on this machine`,
    "several people and machines need a ledger that all can reach: ledger: { kind: git, … } (or delta) in policy.yaml",
  );
}

/** What the rules judge, out of what was read. Pure. */
function factsFrom(
  { action, candidate, role }: Question,
  line: Line,
  policy: Policy,
  actor: Identity | { problem: string },
  { source, target, standing, pictures, version, seenBytes, evidence, ticket, now }: Read,
): DecisionFacts {
  return {
    action,
    project: line.project,
    model: line.model,
    digest: candidate.digest,
    number: candidate.number,
    environment: target,
    now,
    policy: line.policy,
    actor: known(actor),
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
    bytes: seenBytes,
    evidence: evidence.seen,
    evidenceProblem: evidence.problem,
    champion: known(championOf(line.state, policy)),
    registry: known(
      pictures.flatMap((picture) => {
        const here = line.state.environment(picture.environment);
        const recorded = recordedVersions(line.state, picture.environment);
        const again = action === "promote" && picture.environment === target.name ? candidate.digest : undefined;
        return registryDifferences(picture, here, recorded, leftovers(picture, here, recorded, again));
      }),
    ),
    approvals: known(approvalsOf(line, policy)),
    role,
    strategy: undefined,
    ticket,
  };
}

/** What a registry holds for an environment. `standing`: the candidate's version there, by the ledger. */
async function pictureOf(
  environment: Environment,
  registry: ModelRegistry,
  first: Environment,
  line: Line,
  standing: { version: string } | undefined,
): Promise<RegistryPicture> {
  const name = registeredName(environment.catalog, line.model);
  const recorded = new Set(recordedVersions(line.state, environment.name).map((each) => each.version));
  // What the ledger does not know may have been left by a cut-off promotion, which its tags tell.
  const candidate = standing?.version;
  const tagsOf = (version: string): boolean => !recorded.has(version) || version === candidate;
  const [model, versions] = await Promise.all([
    registry.model(name, candidate !== undefined),
    registry.versions(name, tagsOf, candidate),
  ]);
  return { environment: environment.name, isFirst: environment === first, model, versions };
}

function rulesOf(evidence: EvidenceMaterial, policy: Policy, target: Environment): DecisionFacts["rules"] {
  if (!evidence.project.known) return evidence.project;
  const project = evidence.project.value;
  return known({ rules: rulesFor(project, policy, target), digest: rulesDigest(project, policy, target) });
}
