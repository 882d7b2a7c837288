import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { defineCommand } from "../cli/command.ts";
import { MARK, seconds } from "../cli/style.ts";
import { refuseOthersServer } from "../local/others-server.ts";
import { commandFiles } from "../project/project.ts";
import { openProject } from "../project/read-project.ts";
import { warnOfKeys } from "../training/child-environment.ts";
import { rememberRun } from "../training/last-run.ts";
import { dataPaths, experimentName, planTraining, trainingEnvironment } from "../training/plan-training.ts";
import { lockDigestOf, projectEnvironment } from "../training/project-environment.ts";
import { applyTraining, digestData } from "../training/train.ts";
import { bundledJob, codeOfJob, findJob, trainOnJob } from "../training/train-job.ts";

const plan = {
  environment: z.string(),
  experiment: z.string(),
  command: z.array(z.string()),
  tags: z.record(z.string(), z.string()),
};

export const command = defineCommand({
  name: "train",
  summary: "run the project's training and record the run",
  description:
    "Runs the command model.train of factory.yaml in the project's own Python environment, inside a run of the first environment's " +
    "MLflow server that carries commit, data digests, lock digest and seed as tags. The run must log exactly one model. The command " +
    "finds MLFLOW_TRACKING_URI, MLFLOW_EXPERIMENT_NAME and MLFLOW_RUN_ID in its environment, and FACTORY_SEED when model.seed is set. " +
    "With --env, in an environment that is a Databricks workspace, the bundle's training job is run there and followed instead; Ctrl-C " +
    "cancels its run.",
  options: [
    { flags: "--env <name>", description: "the environment to train in; only the first one takes runs" },
    { flags: "--here", description: "train on this machine, also where --env names a workspace" },
  ],
  examples: ["factory train", "factory train --env dev --json"],
  writes: true,
  input: z.object({ env: z.string().min(1).optional(), here: z.boolean().default(false) }),
  output: z.discriminatedUnion("outcome", [
    z.object({ outcome: z.literal("planned"), ...plan }),
    z.object({
      outcome: z.enum(["trained", "failed"]),
      ...plan,
      run: z.string(),
      status: z.string(),
      metrics: z.record(z.string(), z.number().nullable()),
      durationMs: z.number(),
      logFile: z.string(),
      dirty: z.boolean(),
      commit: z.string().optional(),
      model: z.object({ id: z.string(), digest: z.string(), files: z.int(), bytes: z.int() }).optional(),
      job: z
        .object({ id: z.int(), run: z.int(), url: z.string().optional() })
        .optional()
        .describe("it trained on a job"),
      problems: z.array(z.string()),
      lastLines: z.array(z.string()),
    }),
  ]),
  async run(input, context) {
    const { report, signal, variables } = context;
    warnOfKeys(context.keysGiven, context.report);
    const open = openProject(context.cwd);
    const { project, folder } = open;
    const environment = trainingEnvironment(open, input.env);
    await refuseOthersServer(open, context.clients.localHost);
    const isFile = (path: string): boolean => existsSync(join(folder, path)) && statSync(join(folder, path)).isFile();
    const tracking = await context.clients.tracking(environment);
    const atWorkspace = input.env !== undefined && !input.here && environment.registry.kind !== "mlflow";
    const bundled = atWorkspace ? bundledJob(folder, environment.name) : undefined;
    const jobs = bundled && (await context.clients.trainingJobs(environment));
    const job = bundled && jobs && (await findJob(jobs, bundled, environment.name));
    const history = await context.clients.history(folder);
    // Asked first: that nobody answers should be known before packages are installed for minutes.
    if (!context.dryRun) await tracking.ensureExperiment(experimentName(project));
    const python =
      context.dryRun || job !== undefined
        ? undefined
        : await projectEnvironment(folder, () => context.clients.uv(report), variables, report, signal);
    // A job reads a table: files here say nothing about what it learns from.
    const paths = job === undefined ? dataPaths(project, isFile) : [];
    const [state, data] = await Promise.all([
      history.state(commandFiles(open.project)),
      digestData(folder, paths, report),
    ]);
    const here = { dirty: state?.dirty ?? true };
    const { dirty } = job === undefined ? here : codeOfJob(job, state?.commit, here.dirty, environment.name);
    const facts = { commit: state?.commit, dirty, lock: await lockDigestOf(folder), data, job: job?.name };
    const plan = planTraining(project, environment, facts, context.now());
    const shown = {
      environment: environment.name,
      experiment: tracking.experimentName(plan.experiment),
      command: [...plan.argv],
      tags: { ...plan.tags },
    };
    if (context.dryRun) return { ok: true, data: { outcome: "planned" as const, ...shown } };
    const world = { tracking, report, signal, now: context.now };
    const onJob = job && jobs && (await trainOnJob(plan, job, { ...world, jobs }));
    const trained = onJob ?? (await applyTraining(plan, { ...world, folder, variables: python?.variables ?? {} }));
    const { run, model, problems } = trained;
    if (model !== undefined) {
      rememberRun(folder, {
        v: 1,
        run: run.id,
        experiment: shown.experiment,
        environment: environment.name,
        tracking: tracking.uri,
        modelId: model.id,
        modelDigest: model.digest,
        finishedAt: context.now().toISOString(),
      });
    }
    return {
      ok: model !== undefined,
      data: {
        outcome: model === undefined ? ("failed" as const) : ("trained" as const),
        ...shown,
        run: run.id,
        status: run.status,
        metrics: Object.fromEntries(
          Object.entries(run.metrics).map(([name, value]) => [name, Number.isFinite(value) ? value : null]),
        ),
        durationMs: trained.durationMs,
        logFile: trained.logFile,
        dirty: facts.dirty,
        ...(facts.commit !== undefined && { commit: facts.commit }),
        ...(model !== undefined && { model }),
        ...(onJob !== undefined && {
          job: { id: onJob.job.id, run: onJob.job.run, ...(onJob.job.url !== undefined && { url: onJob.job.url }) },
        }),
        problems: [...problems],
        lastLines: [...trained.lastLines],
      },
    };
  },
  render(data, style) {
    if (data.outcome === "planned") {
      const tags = Object.entries(data.tags).map(([key, value]) => style.dim(`    ${key} = ${value}`));
      return [
        `Would run in ${data.environment}, experiment ${data.experiment}:`,
        `  ${data.command.join(" ")}`,
        "  with the tags",
        ...tags,
      ].join("\n");
    }
    const metrics = Object.entries(data.metrics)
      .slice(0, 6)
      .map(([name, value]) => `${name} ${value === null ? "not a number" : Number(value.toPrecision(4))}`);
    const head = `run ${data.run}${metrics.length === 0 ? "" : `  ${metrics.join("  ")}`}  ${style.dim(seconds(data.durationMs))}`;
    if (data.model === undefined) {
      return [
        `${style.bad(MARK.fail)} ${head}`,
        ...data.problems.map((problem) => `  ${problem}`),
        ...data.lastLines.map((line) => style.dim(`  │ ${line}`)),
        style.dim(`  whole log: ${data.logFile}`),
      ].join("\n");
    }
    const source =
      data.commit === undefined
        ? "not in git"
        : `commit ${data.commit.slice(0, 12)}${data.dirty ? " with uncommitted changes" : ""}`;
    return [
      `${style.ok(MARK.pass)} ${head}`,
      `  model sha256:${data.model.digest}  ${style.dim(`${data.model.files} files`)}`,
      style.dim(`  ${source}; log: ${data.logFile}`),
      ...(data.dirty
        ? [
            `${style.warn(MARK.note)} trained ${data.commit === undefined ? "without a commit" : "on uncommitted changes"}: this run cannot be registered`,
          ]
        : []),
      "",
      data.dirty
        ? `Next:  ${data.commit === undefined ? "git init, " : ""}git add --all && git commit, then factory train again`
        : "Next:  factory check",
    ].join("\n");
  },
});
