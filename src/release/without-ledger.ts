import { numberOf } from "../ledger/entry.ts";
import { EXIT, FactoryError, usageError } from "../lib/error.ts";
import { identityOfKey } from "../policy/identity.ts";
import { firstReleaseOf } from "../policy/listing.ts";
import type { Policy } from "../policy/policy.ts";
import { unknownEnvironment } from "../policy/unknown-environment.ts";
import { policyAround, projectAround } from "../project/policy-around.ts";
import { endpointIn } from "../project/rules.ts";
import { moveChampion } from "../registry/move-champion.ts";
import {
  MODEL_TAGS,
  type ModelRegistry,
  type RegisteredModel,
  registeredName,
  VERSION_TAGS,
} from "../registry/registry.ts";
import { yes } from "../rules/rule.ts";
import { type PendingFile, type PendingRollback, pendingFolder, readPending, writePending } from "./pending.ts";
import { planOf, planRollback, type RollbackFacts, servingBefore, targetOf } from "./plan-rollback.ts";
import { readTarget } from "./read-target.ts";
import type { UnrecordedRollback } from "./rollback-result.ts";
import { parseRollbackTag, type RollbackTag, rollbackTagAfter } from "./rollback-tag.ts";
import { type RollbackRequest, sameWords, sayOthersWords, wordsOf } from "./rollback-words.ts";
import { takeRequestsBack } from "./serve-release.ts";
import type { ReleaseWorld } from "./world.ts";

export interface WithoutLedger {
  project: string;
  /** Name of the model, without catalog. */
  model: string;
  /** The policy as the file beside the project says; whether it is in force cannot be asked. */
  policy: Policy;
  /** Of the file. */
  policyDigest: string;
  folder: string;
  /** Serving endpoint of the environment, as factory.yaml says. */
  endpoint: string | undefined;
}

/** What can be known without the ledger: from inside the project only. Throws exit 2 elsewhere, or for an unknown environment. */
export function withoutLedger(cwd: string, policyFlag: string | undefined, environment: string): WithoutLedger {
  const here = projectAround(cwd);
  const file = policyAround(cwd, policyFlag);
  if (here === undefined || file === undefined)
    throw usageError(
      "rollback.place",
      "the ledger cannot be read, or not be written, or is empty, and without it a rollback needs the project's folder and its policy",
      here === undefined ? "go into the project's folder" : "there is no policy.yaml here or above: --policy FILE",
    );
  const names = file.policy.environments.map((each) => each.name);
  if (!names.includes(environment)) throw unknownEnvironment(environment, names);
  return {
    project: here.project.project,
    model: here.project.model.name,
    policy: file.policy,
    policyDigest: file.digest,
    folder: here.folder,
    endpoint: endpointIn(here.project, environment),
  };
}

/**
 * A rollback while the ledger cannot be used: the target is the copy in the registry, and counts only if its bytes have the
 * digest that was fixed. What was done waits, signed, in `.factory/pending/`, and the registry's copy goes one step on.
 */
export async function rollbackWithoutLedger(
  request: RollbackRequest,
  about: WithoutLedger,
  world: ReleaseWorld,
  dryRun: boolean,
): Promise<UnrecordedRollback> {
  const environment = about.policy.environments.find((each) => each.name === request.environment);
  if (environment === undefined) throw new TypeError("the environment was looked up before");
  const registry = await world.registry(environment);
  const name = registeredName(environment.catalog, about.model);
  const model = await registry.model(name);
  const alias = model?.aliases.champion;
  const tag = parseRollbackTag(model?.tags[MODEL_TAGS.rollback]);
  const folder = pendingFolder(about.folder);
  const last = lastOf(folder, request.environment, world.signer.publicKey);
  if (last !== undefined && isDone(last.pending, request, alias, tag)) return again(last, dryRun);
  const kept = isCarriedOn(last?.pending, request, alias, tag) ? last?.pending : undefined;
  if (kept !== undefined && !sameWords(kept.started, request))
    sayOthersWords(world.report, `the rollback of ${kept.at}`);
  const serving =
    kept === undefined
      ? await servingByTags(alias, tag, name, registry)
      : { ...servingBefore(kept.started, undefined), since: undefined };
  const target = await readTarget(serving?.rollback, name, registry, world.report);
  const at = world.now();
  const identity = identityOfKey(about.policy, world.signer.keyId, at);
  const plan = planRollback(
    { ...request, ...(kept !== undefined && wordsOf(kept.started)) },
    {
      model: about.model,
      serving,
      since: serving?.since,
      alias,
      halfDone: undefined,
      endpoint: about.endpoint,
      actor: otherPolicy(about, model, request.environment) ?? identity,
      firstRelease: firstReleaseOf(about.policy, about.project),
      target,
    },
  );
  const words = kept === undefined ? wordsOf(request) : wordsOf(kept.started);
  if (plan.start === undefined || "problem" in identity) return { kind: "refused", plan, words };
  if (dryRun) return { kind: "planned", plan, words, again: false };
  const record: PendingRollback = kept ?? {
    v: 1,
    project: about.project,
    at: at.toISOString(),
    done: false,
    by: identity.address,
    publicKey: world.signer.publicKey,
    started: plan.start,
  };
  writePending(folder, record, world.signer);
  const { from, to } = record.started;
  const version = numberOf(to);
  await moveChampion(registry, name, version, "rollback", world.signal);
  const { endpoint, model: of } = about;
  await takeRequestsBack({ endpoint, model: of, version }, environment, world);
  const moved = {
    from: from.version,
    to: targetOf(to),
    at: record.at,
    by: record.by,
  };
  await moveTag(registry, name, rollbackTagAfter(tag, moved), world);
  const pending = writePending(folder, { ...record, done: true }, world.signer);
  return { kind: "unrecorded", plan, words, at: record.at, pending, resumed: kept !== undefined };
}

/** The newest rollback in an environment that this key made without the ledger and that waits here. */
function lastOf(folder: string, environment: string, publicKey: string): PendingFile | undefined {
  return readPending(folder).findLast(
    ({ pending }) => pending.publicKey === publicKey && pending.started.environment === environment,
  );
}

/** This very rollback was done, and nothing happened since: the command is run again. */
function isDone(
  { done, at, started }: PendingRollback,
  request: RollbackRequest,
  alias: string | undefined,
  tag: RollbackTag | undefined,
): boolean {
  const version = numberOf(started.to);
  const stands = alias === version && (version === undefined || (tag?.of === version && tag.since?.at === at));
  return done && stands && !request.further && sameWords(started, request);
}

/**
 * A rollback that moved the alias and did not come to its end, at the endpoint perhaps, is carried on. So is one after which champion was
 * moved by hand: by the tag nothing else happened, and the command is run again.
 */
function isCarriedOn(
  last: PendingRollback | undefined,
  request: RollbackRequest,
  alias: string | undefined,
  tag: RollbackTag | undefined,
): boolean {
  if (last === undefined) return false;
  const version = numberOf(last.started.to);
  if (!last.done) return alias === version;
  const isLast = version !== undefined && tag?.of === version && tag.since?.at === last.at;
  return isLast && alias !== version && !request.further && sameWords(last.started, request);
}

function again({ path, pending }: PendingFile, dryRun: boolean): UnrecordedRollback {
  const { at, started } = pending;
  const why = "this very rollback was done, in the same words, and waits for the ledger: nothing is left to do";
  const verdicts = dryRun ? [{ rule: "serving", ...yes(why) }] : [];
  const plan = planOf(started, verdicts);
  const words = wordsOf(started);
  if (dryRun) return { kind: "planned", plan, words, again: true };
  return { kind: "unrecorded", plan, words, at, pending: path, resumed: true };
}

/** The file's owners cannot be asked for: it has to be the one under which the registry was last written to. */
function otherPolicy({ policyDigest }: WithoutLedger, model: RegisteredModel | undefined, environment: string) {
  const last = model?.tags[MODEL_TAGS.policy];
  if (last === undefined || last === policyDigest) return undefined;
  return {
    problem: `policy.yaml is not the policy under which ${environment} was last written to (sha256:${last.slice(0, 12)}…)`,
    fix: `give the file as it was then, from the history of its repository: --policy FILE, of which sha256sum says ${last}`,
  };
}

/** A rollback that has happened stands, whatever becomes of the copy of the way back. */
async function moveTag(registry: ModelRegistry, name: string, text: string, world: ReleaseWorld): Promise<void> {
  try {
    await registry.setModelTags(name, { [MODEL_TAGS.rollback]: text });
  } catch (error) {
    if (!(error instanceof FactoryError) || error.exit === EXIT.interrupted || world.signal.aborted) throw error;
    const text = `tag factory.rollback could not be set (${error.message}): only the ledger knows the way further back`;
    world.report({ type: "note", tone: "warning", text });
  }
}

type ServingByTags = NonNullable<RollbackFacts["serving"]> & Pick<RollbackFacts, "since">;

/** Who serves, by alias and the tag that was set with it: only if both speak of the same version. */
async function servingByTags(
  alias: string | undefined,
  tag: RollbackTag | undefined,
  name: string,
  registry: ModelRegistry,
): Promise<ServingByTags | undefined> {
  if (alias === undefined || tag === undefined || tag.of !== alias) return undefined;
  const version = await registry.version(name, alias);
  const digest = version?.tags[VERSION_TAGS.digest] ?? "";
  if (version === undefined || !/^[0-9a-f]{64}$/.test(digest)) return undefined;
  return {
    version: alias,
    digest,
    createdAt: version.createdAt,
    rollback: tag.to,
    released: undefined,
    since: tag.since,
  };
}
