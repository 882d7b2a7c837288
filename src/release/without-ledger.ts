import * as z from "zod";
import { type RollbackTarget, rollbackTarget } from "../ledger/entry.ts";
import { usageError } from "../lib/error.ts";
import type { Signer } from "../lib/signing.ts";
import { identityOfKey } from "../policy/identity.ts";
import { firstReleaseOf } from "../policy/listing.ts";
import type { Policy } from "../policy/policy.ts";
import { unknownEnvironment } from "../policy/unknown-environment.ts";
import { policyAround, projectAround } from "../project/policy-around.ts";
import { endpointIn } from "../project/rules.ts";
import { changed } from "../promotion/append.ts";
import { moveAlias } from "../registry/move-alias.ts";
import {
  MODEL_TAGS,
  type ModelRegistry,
  type RegisteredModel,
  registeredName,
  VERSION_TAGS,
} from "../registry/registry.ts";
import { type PendingRollback, pendingFolder, readPending, writePending } from "./pending.ts";
import { planRollback, type RollbackFacts, type RollbackPlan, type RollbackRequest } from "./plan-rollback.ts";
import { readTarget } from "./read-target.ts";
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
      "the ledger cannot be read, or is empty, and without it a rollback needs the project's folder and its policy",
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

export type UnrecordedRollback =
  | { kind: "refused" | "planned"; plan: RollbackPlan }
  | { kind: "unrecorded"; plan: RollbackPlan /** The file that waits. */; pending: string };

/**
 * A rollback while the ledger cannot be reached: the target is the copy in the registry, and counts only if its bytes have the
 * digest that was fixed. What was done waits, signed, in `.factory/pending/`.
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
  const folder = pendingFolder(about.folder);
  const cutOff = cutOffAfterAlias(folder, request.environment, alias, world.signer);
  const serving = cutOff === undefined ? await servingByTags(model, name, registry) : servedBefore(cutOff);
  const at = world.now();
  const actor = identityOfKey(about.policy, world.signer.keyId, at);
  const lastPolicy = model?.tags[MODEL_TAGS.policy];
  const plan = planRollback(request, {
    model: about.model,
    serving,
    since: serving?.since,
    alias,
    halfDone: undefined,
    endpoint: about.endpoint,
    // The file's owners cannot be asked for: it has to be the one under which the registry was last written to.
    actor:
      lastPolicy === undefined || lastPolicy === about.policyDigest
        ? actor
        : {
            problem: `policy.yaml is not the policy under which ${request.environment} was last written to (sha256:${lastPolicy.slice(0, 12)}…)`,
          },
    firstRelease: firstReleaseOf(about.policy, about.project),
    target: await readTarget(serving?.rollback, name, registry, world.report),
  });
  if (plan.start === undefined || "problem" in actor) return { kind: "refused", plan };
  if (dryRun) return { kind: "planned", plan };
  const record: PendingRollback = cutOff ?? {
    v: 1,
    project: about.project,
    at: at.toISOString(),
    done: false,
    by: actor.address,
    publicKey: world.signer.publicKey,
    started: plan.start,
  };
  writePending(folder, record, world.signer);
  const { to } = record.started;
  const version = to === "none" ? undefined : to.version;
  const read = await moveAlias(registry, name, "champion", version, world.signal);
  if (read?.aliases.champion !== version)
    throw changed(
      "rollback.alias",
      `champion of ${name} did not stay where it was put: somebody else moves it`,
      "run it again",
    );
  const { endpoint, model: of } = about;
  await takeRequestsBack({ endpoint, model: of, version }, environment, world);
  return { kind: "unrecorded", plan, pending: writePending(folder, { ...record, done: true }, world.signer) };
}

/** A rollback of this signer that moved the alias and did not come to its end, at the endpoint perhaps: it is carried on. */
function cutOffAfterAlias(
  folder: string,
  environment: string,
  alias: string | undefined,
  { publicKey }: Signer,
): PendingRollback | undefined {
  return readPending(folder).findLast(({ pending }) => {
    const { environment: where, to } = pending.started;
    const moved = alias === (to === "none" ? undefined : to.version);
    return !pending.done && pending.publicKey === publicKey && where === environment && moved;
  })?.pending;
}

function servedBefore({ started: { from, to } }: PendingRollback): ServingByTags {
  const rollback: RollbackTarget = to === "none" ? to : { ...to, signature: "not stated" };
  return { ...from, rollback, released: undefined, since: undefined };
}

type ServingByTags = NonNullable<RollbackFacts["serving"]> & Pick<RollbackFacts, "since">;

const rollbackTag = z.object({
  of: z.string(),
  to: rollbackTarget,
  /** Where it serves since a rollback. */
  since: z.object({ seq: z.int(), at: z.string(), by: z.string() }).optional(),
});

/** Who serves, by alias and the tag that the release set: only if both speak of the same version. */
async function servingByTags(
  model: RegisteredModel | undefined,
  name: string,
  registry: ModelRegistry,
): Promise<ServingByTags | undefined> {
  const alias = model?.aliases.champion;
  const text = model?.tags[MODEL_TAGS.rollback];
  if (alias === undefined || text === undefined) return undefined;
  const tag = parseTag(text);
  const version = await registry.version(name, alias);
  if (tag === undefined || version === undefined || tag.of !== alias) return undefined;
  const digest = version.tags[VERSION_TAGS.digest] ?? "";
  if (!/^[0-9a-f]{64}$/.test(digest)) return undefined;
  return {
    version: alias,
    digest,
    createdAt: version.createdAt,
    rollback: tag.to,
    released: undefined,
    since: tag.since,
  };
}

function parseTag(text: string): z.infer<typeof rollbackTag> | undefined {
  try {
    return rollbackTag.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
