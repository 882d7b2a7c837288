import { setTimeout as wait } from "node:timers/promises";
import { checkBundle } from "../bundle/check-bundle.ts";
import { at, entriesOf, textOf } from "../bundle/node.ts";
import { readBundleFiles } from "../bundle/read-bundle.ts";
import { resolveBundle } from "../bundle/resolve.ts";
import { isCommitId } from "../lib/commit-id.ts";
import { outsideError, usageError } from "../lib/error.ts";
import { sha256 } from "../lib/hash.ts";
import { type Report, withTask } from "../lib/progress.ts";
import { makeTemporaryFolder } from "../lib/work-folder.ts";
import { fetchModel } from "../registry/model-files.ts";
import type { FoundJob, JobRun, TrainingJobs } from "./job-run.ts";
import type { TrainingPlan } from "./plan-training.ts";
import type { Tracking } from "./tracking.ts";
import { modelProblems, openRun, type Trained, tagProblems } from "./train.ts";

/** The name of the job's parameter that takes the MLflow run which factory opened. */
const RUN_PARAMETER = "run";
const KEYS = ["training", "train"];
const POLL_MS = { first: 1000, longest: 15_000 } as const;

/** The training job of a project's bundle, as the target of an environment names it; undefined: the bundle has none. Pure but for reading. */
export function bundledJob(folder: string, environment: string): { name: string; development: boolean } | undefined {
  const { documents } = checkBundle(readBundleFiles(folder));
  const resolved = resolveBundle(documents, environment, {});
  const jobs = entriesOf(at(resolved?.config, "resources", "jobs"));
  const job = KEYS.flatMap((key) => jobs.filter(([name]) => name === key))[0]?.[1];
  const name = textOf(at(job, "name"));
  return name === undefined ? undefined : { name, development: resolved?.mode === "development" };
}

/** The one job that is meant. Throws exit 2 when it is not deployed, or there are several. */
export async function findJob(
  jobs: TrainingJobs,
  wanted: { name: string; development: boolean },
  environment: string,
): Promise<FoundJob> {
  const name = wanted.development ? `[dev ${await jobs.shortName()}] ${wanted.name}` : wanted.name;
  const all = await jobs.named(name);
  const bundled = all.filter((each) => each.fromBundle);
  const [job, ...others] = bundled.length > 0 ? bundled : all;
  if (job === undefined)
    throw usageError(
      "train.job",
      `${jobs.host} has no job ${JSON.stringify(name)} that you may see`,
      `deploy it: factory deploy --env ${environment} --working-tree; or train on this machine: factory train`,
    );
  if (others.length > 0)
    throw usageError(
      "train.jobs",
      `${jobs.host} has ${others.length + 1} jobs called ${JSON.stringify(name)}: ${[job, ...others].map(({ id }) => id).join(", ")}`,
      "delete those that are not the bundle's",
    );
  if (!job.parameters.includes(RUN_PARAMETER))
    throw usageError(
      "train.parameter",
      `job ${job.id} has no parameter ${RUN_PARAMETER}: its training could not log to the run that factory opens`,
      `give it one in the bundle (parameters: [{ name: ${RUN_PARAMETER}, default: "" }]), have the training take it, and deploy`,
    );
  return job;
}

/** Whether the code that the job was deployed with is what lies here. Throws exit 2 for the code of another commit. Pure. */
export function codeOfJob(
  job: FoundJob,
  commit: string | undefined,
  dirty: boolean,
  environment: string,
): { dirty: boolean } {
  const [deployed = "", mark] = (job.commit ?? "").split("-");
  if (job.commit !== undefined && isCommitId(deployed) && deployed !== commit)
    throw usageError(
      "train.commit",
      `job ${job.id} was deployed from commit ${deployed.slice(0, 12)}, and this is ${commit?.slice(0, 12) ?? "no commit"}`,
      `factory deploy --env ${environment} --working-tree`,
    );
  return { dirty: dirty || deployed !== commit || mark !== undefined };
}

export interface JobWorld {
  jobs: TrainingJobs;
  tracking: Tracking;
  report: Report;
  signal: AbortSignal;
  now(): Date;
}

export interface TrainedOnJob extends Trained {
  job: { id: number; run: number; url: string | undefined };
}

/**
 * Opens an MLflow run, has the job train into it, and follows it to its end. A failed training is an answer (`problems`); a
 * workspace that fails by its own word is exit 4. Ctrl-C cancels the job's run: nobody would look at what it makes.
 */
export async function trainOnJob(plan: TrainingPlan, job: FoundJob, world: JobWorld): Promise<TrainedOnJob> {
  const { jobs, tracking } = world;
  const started = performance.now();
  const opened = await openRun(plan, world);
  const close = (status: "FAILED" | "KILLED") => tracking.finishRun(opened.id, status, world.now()).catch(() => {});
  let ended: JobRun;
  try {
    const run = await jobs.start(job.id, { [RUN_PARAMETER]: opened.id }, sha256(opened.id).slice(0, 64));
    ended = await follow(run, plan.timeoutMs, world);
  } catch (error) {
    await close(world.signal.aborted ? "KILLED" : "FAILED");
    throw error;
  }
  const base = {
    job: { id: job.id, run: ended.id, url: ended.url },
    logFile: ended.url ?? `run ${ended.id} at ${jobs.host}`,
    durationMs: performance.now() - started,
    model: undefined,
  };
  if (ended.state !== "succeeded") {
    const said = await jobs.failure(ended).catch(() => undefined);
    await close(ended.state === "cancelled" ? "KILLED" : "FAILED");
    if (ended.fault === "workspace" || ended.state === "cancelled")
      throw outsideError(
        "train.job-run",
        `the job's run ${ended.id} ${ended.state === "cancelled" ? "was cancelled" : "failed in the workspace"}: ${ended.says}`,
        ended.url,
      );
    const run = (await tracking.run(opened.id)) ?? opened;
    return {
      ...base,
      run,
      problems: [`the job's run ${ended.id} failed: ${ended.says}`],
      lastLines: said?.split("\n").slice(-15) ?? [],
    };
  }
  const before = await tracking.run(opened.id);
  if (before?.status === "RUNNING" || before?.status === "SCHEDULED")
    await tracking.finishRun(opened.id, "FINISHED", world.now());
  const run = (await tracking.run(opened.id)) ?? opened;
  const models = await tracking.loggedModels(run);
  const problems = [
    ...(run.status === "FINISHED" ? [] : [`the run is ${run.status}: the training itself said so`]),
    ...tagProblems(plan.tags, run.tags),
    ...modelProblems(models),
  ];
  const [model] = models;
  if (model === undefined || problems.length > 0) return { ...base, run, problems, lastLines: [] };
  const folder = makeTemporaryFolder();
  try {
    const fetched = await fetchModel(tracking.filesOf(model), folder.path, world.report);
    const digested = { id: model.id, digest: fetched.digest, files: fetched.files.length, bytes: fetched.bytes };
    return { ...base, run, problems, lastLines: [], model: digested };
  } finally {
    folder.remove();
  }
}

async function follow(id: number, timeoutMs: number, { jobs, report, signal }: JobWorld): Promise<JobRun> {
  const deadline = performance.now() + timeoutMs;
  let told = false;
  const cancel = () => jobs.cancel(id).catch(() => {});
  return withTask(report, "train.job", "training on a job", async (advance) => {
    for (let pauseMs: number = POLL_MS.first; ; pauseMs = Math.min(pauseMs * 1.5, POLL_MS.longest)) {
      try {
        signal.throwIfAborted();
        const run = await jobs.look(id);
        if (!told && run.url !== undefined) report({ type: "note", tone: "info", text: `the job's run: ${run.url}` });
        told ||= run.url !== undefined;
        const done = run.tasks.filter((task) => task.over).length;
        advance(done, `${run.says}${run.tasks.length > 1 ? `, ${done} of ${run.tasks.length} tasks done` : ""}`);
        if (!["waiting", "running"].includes(run.state)) return run;
        await wait(pauseMs, undefined, { signal });
      } catch (error) {
        if (signal.aborted) await cancel();
        throw error;
      }
      if (performance.now() > deadline) {
        await cancel();
        throw outsideError(
          "train.timeout",
          `the job's run ${id} did not end within ${Math.round(timeoutMs / 1000)} s: it was cancelled`,
          "model.timeoutSeconds in factory.yaml",
        );
      }
    }
  });
}
