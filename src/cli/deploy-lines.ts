import * as z from "zod";
import { MARK, type Style } from "./style.ts";
import {
  nothingWritten,
  recordedShape,
  shortDigest,
  verdictCount,
  verdictLines,
  verdictShape,
} from "./verdict-lines.ts";

const finding = z.object({
  severity: z.enum(["error", "warning"]),
  message: z.string(),
  file: z.string(),
  line: z.int().optional(),
  path: z.string(),
  hint: z.string().optional(),
});

export const deployOutput = z.discriminatedUnion("outcome", [
  z.object({ outcome: z.literal("checked"), files: z.array(z.string()), findings: z.array(finding) }),
  z.object({
    outcome: z.enum(["deployed", "planned", "refused", "cannot tell"]),
    environment: z.string(),
    workspace: z.string(),
    tool: z.string().describe("the official program and its version"),
    workingTree: z.boolean().describe("what lay there was deployed, unchecked"),
    variables: z.record(z.string(), z.string()),
    findings: z.array(finding),
    verdicts: z.array(verdictShape),
    files: z.array(z.object({ path: z.string(), sha256: z.string() })).optional(),
    filesDigest: z.string().optional().describe("SHA-256 of the manifest of what is deployed"),
    model: z.string().optional(),
    number: z.string().optional(),
    name: z.string().optional(),
    version: z.string().optional(),
    digest: z.string().optional(),
    evidence: z.string().optional(),
    entry: z.int().optional(),
    recorded: recordedShape,
  }),
]);
export type DeployOutput = z.infer<typeof deployOutput>;
type Finding = z.infer<typeof finding>;
type Deployed = Exclude<DeployOutput, { outcome: "checked" }>;

interface Plan {
  environment: string;
  workspace: string;
  tool: string;
  variables: Readonly<Record<string, string>>;
  findings: readonly Finding[];
  verdicts: readonly z.infer<typeof verdictShape>[];
  files: readonly { path: string; sha256: string }[];
  filesDigest: string;
  model: string;
  name: string;
  version: string;
  digest: string;
  evidence: string;
}

/** A plan as `--json` shows it. */
export function planData(plan: Plan, number: string): Omit<Deployed, "outcome"> {
  return {
    environment: plan.environment,
    workspace: plan.workspace,
    tool: plan.tool,
    workingTree: false,
    variables: { ...plan.variables },
    findings: [...plan.findings],
    verdicts: [...plan.verdicts],
    files: [...plan.files],
    filesDigest: plan.filesDigest,
    model: plan.model,
    number,
    name: plan.name,
    version: plan.version,
    digest: plan.digest,
    evidence: plan.evidence,
  };
}

export function renderDeploy(data: DeployOutput, style: Style): string {
  if (data.outcome === "checked") return renderChecked(data, style);
  const warnings = findingLines(
    data.findings.filter((each) => each.severity === "warning" || data.outcome === "refused"),
    style,
  );
  const what = data.workingTree ? "the working tree" : `${data.name} v${data.version}`;
  if (data.outcome === "deployed")
    return [
      `${style.ok(`${MARK.pass} ${what}`)} deployed to ${data.environment} at ${data.workspace}${data.filesDigest === undefined ? "" : `   files ${shortDigest(data.filesDigest)}`}${data.entry === undefined ? "" : `   ledger entry ${data.entry}`}`,
      ...warnings,
      data.workingTree
        ? style.dim(
            "  unchecked, and not in the ledger; next: factory train --env ENVIRONMENT".replace(
              "ENVIRONMENT",
              data.environment,
            ),
          )
        : style.dim(`  by ${data.tool}; ${verdictCount(data.verdicts)}`),
    ].join("\n");
  const all = data.outcome === "planned";
  return [
    style.bold(
      `Deploy ${data.workingTree ? what : `${data.model} ${data.number}`} to ${data.environment}: ${data.workspace}, by ${data.tool}`,
    ),
    ...(all ? (data.files ?? []).map(({ path, sha256 }) => style.dim(`  ${sha256.slice(0, 12)}…  ${path}`)) : []),
    ...(all ? Object.entries(data.variables).map(([name, value]) => `  --var ${name}=${value}`) : []),
    ...verdictLines(data.verdicts, style, all),
    ...warnings,
    all
      ? `${style.ok(MARK.pass)} would deploy. Nothing was written.`
      : `${data.outcome === "refused" ? style.bad(`${MARK.fail} Not allowed`) : style.warn(`${MARK.error} Could not tell`)}: ${verdictCount(data.verdicts)}. ${nothingWritten(data.recorded)}`,
  ].join("\n");
}

function renderChecked({ files, findings }: Extract<DeployOutput, { outcome: "checked" }>, style: Style): string {
  const errors = findings.filter((each) => each.severity === "error").length;
  const head =
    errors === 0
      ? `${style.ok(MARK.pass)} ${files.length} files of the bundle, no error`
      : `${style.bad(MARK.fail)} ${errors === 1 ? "1 error" : `${errors} errors`} in the bundle`;
  return [
    head,
    ...findingLines(findings, style),
    style.dim("  checked for form, without a workspace: what Databricks takes, only Databricks can say"),
  ].join("\n");
}

function findingLines(findings: readonly Finding[], style: Style): string[] {
  return findings.flatMap(({ severity, file, line, message, hint }) => [
    `  ${severity === "error" ? style.bad(MARK.fail) : style.warn(MARK.note)} ${file}${line === undefined ? "" : `:${line}`}  ${message}`,
    ...(hint === undefined ? [] : [`    ${style.dim("→")} ${hint}`]),
  ]);
}
