import type { BundleFinding } from "../bundle/finding.ts";
import type { EntryBody } from "../ledger/entry.ts";
import type { Gathered, Question } from "../promotion/gather.ts";
import { countingApprovals } from "../promotion/plan-promotion.ts";
import { decide, outcomeOf, RULES } from "../rules/decide.ts";
import { cannotTell, no, type Verdict, yes } from "../rules/rule.ts";
import type { JudgedMaterial } from "./judge-material.ts";
import { filesDigest, type Material } from "./material.ts";
import type { TreeDifference } from "./working-tree.ts";

/** What a deployment would do, and whether it may. */
export interface DeployPlan {
  verdicts: readonly Verdict[];
  outcome: Verdict["verdict"];
  model: string;
  digest: string;
  evidence: string;
  environment: string;
  name: string;
  version: string;
  /** Origin of the workspace. */
  workspace: string;
  tool: string;
  /** Everything that is deployed, the wheel where the bundle looks for it. */
  files: readonly { path: string; sha256: string }[];
  filesDigest: string;
  variables: Readonly<Record<string, string>>;
  /** Warnings of the check without a workspace, and its errors. */
  findings: readonly BundleFinding[];
  start: EntryBody<"deploy.started"> | undefined;
}

export interface DeployParts {
  material: Material | { problem: string; fix: string } | undefined;
  judged: JudgedMaterial | undefined;
  /** Undefined: not in the project's folder. */
  tree: readonly TreeDifference[] | undefined;
  workspace: string;
  tool: string;
}

/** Strategies are about traffic; a deployment has none. */
const DEPLOY_RULES = RULES.filter((rule) => rule.name !== "strategy");

/** Decides again, by the rules of a release and by those of what is deployed. Pure. */
export function planDeploy(question: Question, gathered: Gathered, parts: DeployParts): DeployPlan {
  const { facts, name } = gathered;
  const { material, judged, tree, workspace, tool } = parts;
  const standing = facts.standing.known ? facts.standing.value.at : undefined;
  const version = standing?.version.version ?? "?";
  const verdicts: Verdict[] = [
    ...decide(facts, DEPLOY_RULES),
    { rule: "code", ...judgeCode(material) },
    ...(judged?.verdicts ?? []),
    { rule: "working tree", ...judgeTree(tree) },
  ];
  const outcome = outcomeOf(verdicts);
  const whole = material !== undefined && "wheel" in material ? material : undefined;
  const files =
    whole === undefined || judged === undefined
      ? []
      : [
          ...whole.files.map(({ path, sha256 }) => ({ path, sha256 })),
          ...judged.wheelPaths.map((path) => ({ path, sha256: whole.wheel.sha256 })),
        ].sort((a, b) => (a.path < b.path ? -1 : 1));
  const digest = filesDigest(files);
  return {
    verdicts,
    outcome,
    model: facts.model,
    digest: facts.digest,
    evidence: question.candidate.evidence,
    environment: facts.environment.name,
    name,
    version,
    workspace,
    tool,
    files,
    filesDigest: digest,
    variables: judged?.variables ?? {},
    findings: judged?.findings ?? [],
    start:
      outcome === "yes" && facts.rules.known && facts.policy.known && whole !== undefined
        ? {
            model: facts.model,
            digest: facts.digest,
            environment: facts.environment.name,
            version,
            evidence: question.candidate.evidence,
            rules: facts.rules.value.digest,
            policy: facts.policy.value.inForce.digest,
            ...(question.ticket !== undefined && { ticket: question.ticket }),
            approvals: countingApprovals(facts),
            files: digest,
            wheel: whole.wheel.sha256,
            workspace,
            tool,
            verdicts: verdicts.map(({ rule, verdict, why }) => ({ rule, verdict, why })),
          }
        : undefined,
  };
}

function judgeCode(material: DeployParts["material"]) {
  if (material === undefined) return cannotTell("the evidence could not be read");
  if ("problem" in material) return no(material.problem, material.fix);
  return yes(`${material.files.length} bundle files and ${material.wheel.path}, by the digests of the evidence`);
}

function judgeTree(tree: readonly TreeDifference[] | undefined) {
  if (tree === undefined) return yes("not in the project's folder: what was checked comes from the evidence store");
  if (tree.length === 0) return yes("its bundle files are those that were checked");
  return no(
    `its bundle files are not those that were checked: ${tree.map(({ path, how }) => `${path} ${how}`).join(", ")}`,
    "check out the commit that was checked, or bring the change through train, check and promote",
  );
}
