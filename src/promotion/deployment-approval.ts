import type { PlacedVersion } from "../ledger/entry.ts";
import { type EntryOf, lineState } from "../ledger/line-state.ts";
import { EXIT, FactoryError } from "../lib/error.ts";
import type { Line } from "../line/line.ts";
import type { LineWorld } from "../line/world.ts";
import { listingIn } from "../policy/listing.ts";
import { membersOf } from "../policy/members.ts";
import type { Environment, Policy } from "../policy/policy.ts";
import { stageOf } from "../policy/stage-of.ts";
import type { DeploymentRun } from "../registry/deployment.ts";
import { type ModelRegistry, registeredName } from "../registry/registry.ts";
import { assignRoles } from "../rules/assign-roles.ts";
import { type DecisionFacts, known } from "../rules/facts.ts";
import { APPROVAL_RULES } from "../rules/rules-approvals.ts";
import { approvalsOf } from "./facts-of-approvals.ts";
import type { Gathered } from "./gather.ts";

/** What the deployment job of a version was told, and how its run stands since; no run: nobody could say. */
export interface DeploymentTold extends Omit<DeploymentRun, "run"> {
  version: string;
  run?: DeploymentRun["run"];
}

/** What of a line says whether a tag in a workspace rests on approvals. */
export type ApprovedLine = Pick<Line, "state" | "project">;

/**
 * Tells the deployment job that a version is approved: only after factory's own decision is in the ledger. Undefined: the
 * target has no such job.
 */
export async function tellDeployment(
  { name, deploymentJob: job }: Pick<Gathered, "name" | "deploymentJob">,
  registry: ModelRegistry,
  version: string,
): Promise<DeploymentTold | undefined> {
  if (job === undefined || registry.deployments === undefined) return undefined;
  return { version, ...(await registry.deployments.approve({ model: name, version, job })) };
}

/**
 * After an approval: tells the deployment job of the version that stands there already, once the approvals are as many as the rules
 * ask for. Who approves may have no right to set a tag, so that a failure is told and undoes nothing: the next promotion of the
 * same version sets it.
 */
export async function tellAfterApproval(
  { facts, target, ...gathered }: Gathered,
  line: Line,
  entry: EntryOf<"approved">,
  world: Pick<LineWorld, "registry">,
): Promise<DeploymentTold | undefined> {
  const version = promotedVersion(line, target.name, facts.digest);
  if (version === undefined || gathered.deploymentJob === undefined) return undefined;
  if (!isEnough(facts, [...line.view.entries, entry])) return undefined;
  return told(version, "factory promote sets it, by whoever promotes there", async () =>
    tellDeployment(gathered, await world.registry(target), version),
  );
}

/** Whether the approvals of a chain are those that the rules ask for. Pure. */
function isEnough(facts: DecisionFacts, entries: Line["view"]["entries"]): boolean {
  if (!facts.policy.known) return false;
  const approvals = known(approvalsOf({ state: lineState(entries) }, facts.policy.value.inForce.policy));
  const rule = APPROVAL_RULES.find((each) => each.name === "approvals");
  return rule?.judge({ ...facts, approvals }).verdict === "yes";
}

/**
 * After a withdrawal: takes the tags away from the version that stands there, unless enough other approvals remain. Undefined:
 * there was nothing to take away.
 */
export async function untellAfterWithdrawal(
  line: Line,
  candidate: { digest: string; environment: string },
  withdrawn: readonly EntryOf<"approval.withdrawn">[],
  registryOf: (environment: Environment) => Promise<ModelRegistry>,
): Promise<DeploymentTold | undefined> {
  if (!line.policy.known) return undefined;
  const { policy } = line.policy.value.inForce;
  const environment = policy.environments.find((each) => each.name === candidate.environment);
  const after = { state: lineState([...line.view.entries, ...withdrawn]), project: line.project };
  const last = line.state
    .environment(candidate.environment)
    .promoted.findLast((each) => each.entry.body.digest === candidate.digest)?.entry.body;
  if (environment === undefined || last === undefined) return undefined;
  if (isCovered(after, policy, environment.name, last)) return undefined;
  const byHand = "take the tags named approval… of this version away in the workspace; factory verify names them";
  return told(last.version, byHand, async () => {
    const registry = await registryOf(environment);
    const model = registeredName(environment.catalog, line.model);
    if (registry.deployments === undefined || (await registry.model(model))?.deploymentJob === undefined)
      return undefined;
    const tasks = await registry.deployments.withdraw({ model, version: last.version });
    return tasks.length === 0 ? undefined : { version: last.version, tasks };
  });
}

/** What could not be done in the registry is told beside what the ledger holds already. */
async function told(
  version: string,
  fix: string,
  work: () => Promise<DeploymentTold | undefined>,
): Promise<DeploymentTold | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof FactoryError) || error.exit !== EXIT.outside) throw error;
    return {
      version,
      tasks: [],
      why: error.message,
      fix: error.hint === undefined ? fix : `${error.hint}; or ${fix}`,
    };
  }
}

function promotedVersion({ state }: ApprovedLine, environment: string, digest: string): string | undefined {
  return state.environment(environment).promoted.findLast((each) => each.entry.body.digest === digest)?.entry.body
    .version;
}

/**
 * Whether a tag that says `Approved` on a version rests on the ledger: the version came by a promotion none of whose approvals was
 * taken back since; else approvals of these bytes for this environment fill the roles that are asked for. One that ended, or was
 * used up by a rollback, leaves the tag that it allowed: nobody can tell when a tag was set. Pure.
 */
export function isCovered(
  { state, project }: ApprovedLine,
  policy: Policy,
  environment: string,
  { version, createdAt }: Pick<PlacedVersion, "version" | "createdAt">,
): boolean {
  const promotion = state
    .environment(environment)
    .promoted.findLast(({ entry: { body } }) => body.version === version && body.createdAt === createdAt);
  if (promotion === undefined) return false;
  const named = new Set(promotion.started.body.approvals);
  const isTakenBack = state.approvals.some(({ entry, withdrawn }) => withdrawn !== undefined && named.has(entry.hash));
  if (!isTakenBack) return true;
  const { digest } = promotion.entry.body;
  const asked = stageOf(policy, listingIn(policy, project)?.riskTier ?? "", environment).approvals ?? [];
  const left = approvalsOf({ state }, policy).filter(
    (each) => !each.withdrawn && each.model === digest && each.approval.environment === environment,
  );
  const used = assignRoles(asked, left, ({ by, approval: { role } }) =>
    "problem" in by || by.kind !== "person" || !membersOf(policy, role, project).includes(by.address)
      ? undefined
      : { person: by.address, role },
  );
  return asked.every(({ count }, i) => (used[i]?.length ?? 0) >= count);
}
