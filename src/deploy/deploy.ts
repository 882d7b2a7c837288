import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { EntryOf } from "../ledger/line-state.ts";
import { changedError, outsideError, usageError } from "../lib/error.ts";
import { withTask } from "../lib/progress.ts";
import { actorOf, momentIn } from "../line/actor-and-moment.ts";
import { appendOn, appendOnLine } from "../line/append.ts";
import type { Line } from "../line/line.ts";
import { takeTurn } from "../line/turn.ts";
import type { LineWorld } from "../line/world.ts";
import type { Environment } from "../policy/policy.ts";
import { type Gathered, gatherFacts, type Question } from "../promotion/gather.ts";
import { assemble } from "./assemble.ts";
import type { BundleCli, BundleRun } from "./bundle-cli.ts";
import { judgeMaterial } from "./judge-material.ts";
import { type Material, materialOf } from "./material.ts";
import { type DeployPlan, planDeploy } from "./plan-deploy.ts";
import { compareTree, treeFiles } from "./working-tree.ts";

export interface DeployWorld extends LineWorld {
  bundleCli(environment: Environment): Promise<BundleCli>;
  /** The project's folder; undefined outside of it. */
  tree: string | undefined;
}

export type DeployResult =
  | { kind: "refused" | "cannot tell" | "planned"; plan: DeployPlan }
  | { kind: "deployed"; plan: DeployPlan; entry: EntryOf<"deployed"> };

/** The candidate that an environment would be deployed with when none is named: the newest that was promoted there. Throws exit 2. */
export function deployable(line: Line, environment: string): string {
  if (!line.policy.known) throw usageError("policy.none", line.policy.why, line.policy.fix);
  const [first] = line.policy.value.inForce.policy.environments;
  const newest = line.state.environment(environment).promoted.at(-1)?.entry.body.digest;
  const registered =
    environment === first?.name
      ? line.state.registered.at(-1)
      : line.state.registered.findLast((each) => each.body.digest === newest);
  if (registered === undefined)
    throw usageError(
      "deploy.none",
      environment === first?.name ? "nothing is registered yet" : `nothing was promoted to ${environment}`,
      environment === first?.name
        ? "factory register; to deploy what you are working on: --working-tree"
        : `factory promote VERSION --to ${environment}`,
    );
  return registered.body.version;
}

/**
 * Deploys the wheel and the bundle files that a candidate was checked with, and nothing else: decides again, lays them into a folder
 * of its own, has the official program validate and deploy them, and writes both ends into the ledger.
 */
export async function deploy(
  question: Question,
  line: Line,
  world: DeployWorld,
  dryRun: boolean,
): Promise<DeployResult> {
  const turn = await takeTurn(line, question.environment, world, dryRun);
  try {
    return await deployInTurn(question, line, world, dryRun);
  } finally {
    // It begins nothing that is carried on: what another command began stays as it is.
    turn.end(false);
  }
}

async function deployInTurn(
  question: Question,
  line: Line,
  world: DeployWorld,
  dryRun: boolean,
): Promise<DeployResult> {
  const gathered = await gatherFacts(question, line, world);
  const cli = await world.bundleCli(gathered.target);
  const { material, plan } = await planOf(question, gathered, cli, world);
  if (plan.start === undefined) return { kind: plan.outcome === "no" ? "refused" : "cannot tell", plan };
  if (dryRun || material === undefined) return { kind: "planned", plan };
  const folder = join(world.workFolder, "bundle");
  mkdirSync(folder, { mode: 0o700 });
  const wheelPaths = plan.files
    .map(({ path }) => path)
    .filter((path) => !material.files.some((file) => file.path === path));
  assemble(material, wheelPaths, folder);
  const run: BundleRun = { folder, target: plan.environment, variables: plan.variables };
  await withTask(world.report, "deploy.validate", "the workspace looks at the bundle", () => cli.validate(run));
  const actor = actorOf(gathered.facts, world);
  const fact = { kind: "deploy.started" as const, body: plan.start };
  const entries = await appendOnLine(line, [fact], actor, momentIn(gathered.facts), world.report);
  const started = entries?.at(-1);
  if (started?.kind !== "deploy.started")
    throw changedError("ledger.moved", "the ledger moved while this was planned", "plan again: run the same command");
  await withTask(world.report, "deploy.deploy", `deploying to ${plan.workspace}`, () => cli.deploy(run));
  return { kind: "deployed", plan, entry: await finish(started, line, world) };
}

async function planOf(
  question: Question,
  gathered: Gathered,
  cli: BundleCli,
  world: DeployWorld,
): Promise<{ material: Material | undefined; plan: DeployPlan }> {
  const material = gathered.evidence && (await materialOf(gathered.evidence));
  const whole = material !== undefined && "wheel" in material ? material : undefined;
  const { standing, policy, environment } = gathered.facts;
  const version = standing.known ? standing.value.at?.version.version : undefined;
  const [first] = policy.known ? policy.value.inForce.policy.environments : [];
  const judged =
    whole &&
    judgeMaterial(whole, {
      target: environment.name,
      isFirst: environment.name === first?.name,
      host: cli.host,
      known: { model_version: version ?? "none", commit: gathered.evidence?.facts.commit ?? "none" },
    });
  const tree = whole && world.tree !== undefined ? compareTree(await treeFiles(world.tree), whole.files) : undefined;
  return {
    material: whole,
    plan: planDeploy(question, gathered, { material, judged, tree, workspace: cli.host, tool: cli.tool }),
  };
}

const TRIES = 20;

/** It is deployed: the entry that says so goes on whatever head there is now. */
async function finish(
  started: EntryOf<"deploy.started">,
  line: Line,
  world: DeployWorld,
): Promise<EntryOf<"deployed">> {
  const { model, digest, environment, version, files, wheel, tool } = started.body;
  const fact = {
    kind: "deployed" as const,
    body: { model, digest, environment, started: started.seq, version, files, wheel, tool },
  };
  let head = { seq: started.seq, hash: started.hash };
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const entry = (
      await appendOn(line.ledger, [fact], { by: started.by, signer: world.signer }, head, world.now())
    )?.[0];
    if (entry?.kind === "deployed") return entry;
    ({ head } = await line.ledger.view());
  }
  throw outsideError(
    "ledger.busy",
    `it is deployed, but the ledger moved ${TRIES} times in a row and does not say so`,
    "run the same command again: it deploys the same",
  );
}
