import { join } from "node:path";
import * as z from "zod";
import { checkBundle } from "../bundle/check-bundle.ts";
import { readBundleFiles } from "../bundle/read-bundle.ts";
import { buildWheel } from "../check/attachments.ts";
import { defineCommand } from "../cli/command.ts";
import type { Context } from "../cli/context.ts";
import { deployOutput, planData, renderDeploy } from "../cli/deploy-lines.ts";
import { KEY_OPTION, LINE_OPTIONS, withLineWorld } from "../cli/line-world.ts";
import { couldNotTell, recordedData } from "../cli/verdict-lines.ts";
import { deploy, deployable } from "../deploy/deploy.ts";
import { deployTree } from "../deploy/deploy-tree.ts";
import { usageError } from "../lib/error.ts";
import { makeWorkFolder } from "../lib/work-folder.ts";
import { candidateOf, parseVersionName } from "../line/find-candidate.ts";
import { signerOn } from "../line/listed-keys.ts";
import { projectAround } from "../project/policy-around.ts";
import { openProject } from "../project/read-project.ts";
import { openForWriting } from "../release/open-for-writing.ts";
import { promotedTicket } from "../release/release.ts";
import { ticketsOf } from "../tickets/file-register.ts";
import { warnOfKeys } from "../training/child-environment.ts";
import { workingTreeEnvironment } from "../training/plan-training.ts";
import { projectEnvironment } from "../training/project-environment.ts";

/** What factory can say of a deployment; a bundle declares what it wants to know. */
const GIVEN = { model_version: "0", commit: "0" };

export const command = defineCommand({
  name: "deploy",
  summary: "deploy the jobs of a promoted version: the wheel and the bundle files that were checked",
  description:
    "Checks the whole bundle without a workspace, decides again by the rules of a release, and has the official Databricks CLI validate " +
    "and deploy the very wheel and bundle files that the evidence is about, from a folder that holds nothing else. A working tree whose " +
    "bundle files differ is refused. --working-tree deploys what you are working on, to the first environment only. Exit 3: a rule says no.",
  arguments: [
    {
      name: "version",
      description:
        "its number in the first environment: 7, or claims.triage/7; default: the newest that was promoted there",
      required: false,
    },
  ],
  options: [
    { flags: "--env <environment>", description: "where; the bundle has a target of this name" },
    { flags: "--working-tree", description: "deploy the project as it lies here, unchecked; first environment only" },
    { flags: "--check-only", description: "check the bundle without a workspace, and do nothing else" },
    ...LINE_OPTIONS,
    KEY_OPTION,
  ],
  examples: [
    "factory deploy --env test",
    "factory deploy 7 --env prod --dry-run",
    "factory deploy --env dev --working-tree",
    "factory deploy --check-only",
  ],
  writes: true,
  input: z.object({
    version: z.string().min(1).optional(),
    env: z.string().min(1).optional(),
    workingTree: z.boolean().default(false),
    checkOnly: z.boolean().default(false),
    policy: z.string().min(1).optional(),
    project: z.string().min(1).optional(),
    key: z.string().min(1).optional(),
  }),
  output: deployOutput,
  async run(input, context) {
    if (input.checkOnly) return checkOnly(context);
    const { env } = input;
    if (env === undefined) throw usageError("deploy.env", "to which environment: --env NAME");
    if (input.workingTree) {
      if (input.version !== undefined)
        throw usageError("deploy.what", "--working-tree deploys no version: leave one of them out");
      return workingTree(env, context);
    }
    const named = input.version === undefined ? undefined : parseVersionName(input.version);
    const where = { cwd: context.cwd, policy: input.policy, project: input.project, model: named?.model };
    const signer = await signerOn(where, input.key, context);
    const { line, policyFile, folder, recorded } = await openForWriting(where, signer, context);
    const candidate = candidateOf(line, named?.number ?? deployable(line, env));
    const tickets = policyFile && ticketsOf(policyFile.policy, policyFile.path);
    const asked = { action: "release" as const, candidate, environment: env, ticket: undefined };
    const question = { ...asked, ticket: promotedTicket(asked, line) };
    const { bundleCli } = context.clients;
    const result = await withLineWorld(context, { signer, tickets }, (world) =>
      deploy(question, line, { ...world, bundleCli, tree: folder }, context.dryRun),
    );
    const data = { ...planData(result.plan, candidate.number), ...recordedData(recorded) };
    if (result.kind === "deployed")
      return { ok: true, data: { outcome: "deployed" as const, ...data, entry: result.entry.seq } };
    if (result.kind === "cannot tell")
      return {
        ok: false,
        data: { outcome: "cannot tell" as const, ...data },
        failure: couldNotTell(result.plan.verdicts, "Could not tell whether it may be deployed"),
      };
    return { ok: result.kind === "planned", data: { outcome: result.kind, ...data } };
  },
  render: renderDeploy,
});

/** The bundle around here, checked without a workspace. */
function checkOnly(context: Context) {
  const folder = projectAround(context.cwd)?.folder ?? context.cwd;
  const { findings, documents } = checkBundle(readBundleFiles(folder), GIVEN);
  const ok = !findings.some((each) => each.severity === "error");
  return {
    ok,
    data: { outcome: "checked" as const, files: documents.map(({ file }) => file), findings: [...findings] },
  };
}

/** What one is working on, to the first environment. */
async function workingTree(env: string, context: Context) {
  warnOfKeys(context.keysGiven, context.report);
  const open = openProject(context.cwd);
  const environment = workingTreeEnvironment(open, env);
  const cli = await context.clients.bundleCli(environment);
  const state = await (await context.clients.history(open.folder)).state();
  const work = makeWorkFolder(join(context.places.cache, "work"));
  try {
    const done = await deployTree(
      open.folder,
      environment.name,
      state,
      {
        cli,
        workFolder: work.path,
        report: context.report,
        async buildWheel() {
          const { variables, report, signal } = context;
          const python = await projectEnvironment(
            open.folder,
            () => context.clients.uv(report),
            variables,
            report,
            signal,
          );
          return buildWheel(open.folder, join(work.path, "wheel"), python.variables, signal);
        },
      },
      context.dryRun,
    );
    return {
      ok: done.kind !== "refused",
      data: {
        outcome: done.kind,
        environment: environment.name,
        workspace: cli.host,
        tool: cli.tool,
        workingTree: true,
        variables: { ...done.judged.variables },
        findings: [...done.judged.findings],
        verdicts: [...done.judged.verdicts],
        ...(done.filesDigest !== undefined && { filesDigest: done.filesDigest }),
      },
    };
  } finally {
    work.remove();
  }
}
