import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { messageOf, outsideError } from "../lib/error.ts";
import { sha256File } from "../lib/hash.ts";
import { type Report, withTask } from "../lib/progress.ts";
import { redact, stripControls } from "../lib/redact.ts";
import { type ProcessResult, runProcess } from "../lib/run-process.ts";
import { makeTemporaryFolder } from "../lib/work-folder.ts";
import { fetchModel } from "../registry/model-files.ts";
import type { DataDigest, TrainingPlan } from "./plan-training.ts";
import type { LoggedModel, Run, Tracking } from "./tracking.ts";

export interface TrainingWorld {
  folder: string;
  tracking: Tracking;
  /** The whole environment of the command, without the tracker's address and run. */
  variables: Readonly<Record<string, string>>;
  report: Report;
  signal: AbortSignal;
  now(): Date;
}

export interface Trained {
  run: Run;
  /** Relative to the project. */
  logFile: string;
  durationMs: number;
  /** Why the run cannot be judged; empty when all is well. */
  problems: readonly string[];
  /** Last lines of the log, when the command failed. */
  lastLines: readonly string[];
  model: { id: string; digest: string; files: number; bytes: number } | undefined;
}

/** A run of the plan's experiment, with the plan's tags on it before anything is trained. */
export async function openRun(plan: TrainingPlan, world: Pick<TrainingWorld, "tracking" | "now">): Promise<Run> {
  const experimentId = await world.tracking.ensureExperiment(plan.experiment);
  return world.tracking.createRun({ experimentId, name: plan.runName, tags: plan.tags, startedAt: world.now() });
}

/**
 * Runs the training command inside a run that factory opened, and looks at what came of it. A failing command, a number of
 * logged models other than one, and data that changed meanwhile are answers (`problems`), not errors.
 */
export async function applyTraining(plan: TrainingPlan, world: TrainingWorld): Promise<Trained> {
  const { tracking } = world;
  const opened = await openRun(plan, world);
  const logFile = join(".factory", "cache", "train", `${opened.id}.log`);
  const { result, until } = await runCommand(plan, world, opened.id, join(world.folder, logFile));
  const failure = commandProblem(plan, result);
  const ended = endedAccess(until, world.now());
  await closeRun(world, opened.id, failure === undefined ? "FINISHED" : "FAILED");
  const run = (await tracking.run(opened.id)) ?? opened;
  const lastLines = failure === undefined ? [] : await tail(join(world.folder, logFile));
  const base = { run, logFile, durationMs: result.durationMs };
  if (failure !== undefined) return { ...base, problems: [failure, ...ended], lastLines, model: undefined };
  const models = await tracking.loggedModels(run);
  const changed = await changedData(world.folder, plan.data);
  const problems = [
    ...runProblems(run),
    ...tagProblems(plan.tags, run.tags),
    ...modelProblems(models),
    ...changed.map((path) => `${path} changed while training ran: its digest would not be that of what was read`),
  ];
  const [model] = models;
  if (model === undefined || problems.length > 0) return { ...base, problems, lastLines, model: undefined };
  return { ...base, problems, lastLines, model: await digestOf(model, world) };
}

/** SHA-256 of the training data, with progress. Throws exit 4 when a file cannot be read. */
export async function digestData(folder: string, paths: readonly string[], report: Report): Promise<DataDigest[]> {
  if (paths.length === 0) return [];
  return withTask(
    report,
    "data.digest",
    "digest of the training data",
    async (advance) => {
      let done = 0;
      const digests: DataDigest[] = [];
      for (const path of paths) {
        try {
          digests.push({
            path,
            sha256: await sha256File(join(folder, path), (bytes) => {
              done += bytes;
              advance(done, path);
            }),
          });
        } catch (error) {
          throw outsideError(
            "train.data",
            `the training data ${path} cannot be read: ${messageOf(error)}`,
            "mend model.data in factory.yaml, or fetch the file",
            error,
          );
        }
      }
      return digests;
    },
    { unit: "bytes" },
  );
}

async function runCommand(
  plan: TrainingPlan,
  world: TrainingWorld,
  runId: string,
  logFile: string,
): Promise<{ result: ProcessResult; until: Date | undefined }> {
  try {
    // As late as can be: what is fresh now holds longest.
    const access = await world.tracking.clientAccess();
    const result = await withTask(world.report, "train", "training", (advance) => {
      let lines = 0;
      return runProcess({
        argv: plan.argv,
        cwd: world.folder,
        env: {
          ...world.variables,
          ...plan.variables,
          ...access.variables,
          MLFLOW_EXPERIMENT_NAME: world.tracking.experimentName(plan.experiment),
          MLFLOW_RUN_ID: runId,
        },
        timeoutMs: plan.timeoutMs,
        signal: world.signal,
        logFile,
        // Training holds the credentials of its tracking server, and may print them.
        mask: (lines) => redact(lines, access.secrets),
        onLine: (line) => advance(++lines, stripControls(redact(line)).slice(0, 120)),
      });
    });
    return { result, until: access.until };
  } catch (error) {
    // Interrupted, or the program does not exist: the run must not stay open for ever.
    await closeRun(world, runId, world.signal.aborted ? "KILLED" : "FAILED").catch(() => {});
    throw error;
  }
}

/** Closes the run if the command left it open; what the command itself said about its run stands, unless it failed after saying so. */
async function closeRun(world: TrainingWorld, runId: string, status: "FINISHED" | "FAILED" | "KILLED"): Promise<void> {
  const before = world.signal.aborted ? undefined : await world.tracking.run(runId);
  const open = before === undefined || before.status === "RUNNING" || before.status === "SCHEDULED";
  if (open || (status === "FAILED" && before.status === "FINISHED"))
    await world.tracking.finishRun(runId, status, world.now());
}

function commandProblem(plan: TrainingPlan, result: ProcessResult): string | undefined {
  if (result.timedOut)
    return `training did not end within ${plan.timeoutMs / 1000} s (model.timeoutSeconds in factory.yaml)`;
  if (result.status === undefined) return "training was ended by a signal";
  return result.status === 0 ? undefined : `training ended with status ${result.status}`;
}

/** A program cannot renew the token that it was started with. */
function endedAccess(until: Date | undefined, now: Date): string[] {
  if (until === undefined || until > now) return [];
  const at = until.toISOString().slice(11, 16);
  return [
    `its token of the workspace ended at ${at} UTC: train longer as a job of the workspace, or with a profile that holds a personal access token`,
  ];
}

function runProblems(run: Run): string[] {
  return run.status === "FINISHED" ? [] : [`the run is ${run.status}: the command itself said so`];
}

/** Training may write to its own run: what factory recorded about code and data there must still be what it recorded. */
export function tagProblems(planned: Readonly<Record<string, string>>, found: Run["tags"]): string[] {
  return Object.entries(planned)
    .filter(([name, value]) => name.startsWith("factory.") && found[name] !== value)
    .map(([name]) => `training changed the tag ${name} of its run, which is factory's own`);
}

/** Exactly one model may come out of a run, for the digest that is tested must be the digest that is released. */
export function modelProblems(models: readonly LoggedModel[]): string[] {
  if (models.length === 0)
    return ["the run logged no model: call mlflow's log_model once, inside the run that MLFLOW_RUN_ID names"];
  if (models.length > 1)
    return [
      `the run logged ${models.length} models, and factory cannot choose: ${models.map((model) => `${model.name} (${model.id})`).join(", ")}`,
    ];
  return models
    .filter((model) => !/READY$/.test(model.status))
    .map((model) => `the logged model ${model.name} (${model.id}) is ${model.status}`);
}

async function changedData(folder: string, before: readonly DataDigest[]): Promise<string[]> {
  const changed: string[] = [];
  for (const { path, sha256 } of before) {
    const full = join(folder, path);
    if (!existsSync(full) || (await sha256File(full)) !== sha256) changed.push(path);
  }
  return changed;
}

async function digestOf(model: LoggedModel, world: TrainingWorld): Promise<NonNullable<Trained["model"]>> {
  const folder = makeTemporaryFolder();
  try {
    const fetched = await fetchModel(world.tracking.filesOf(model), folder.path, world.report);
    return { id: model.id, digest: fetched.digest, files: fetched.files.length, bytes: fetched.bytes };
  } finally {
    folder.remove();
  }
}

async function tail(path: string, lines = 15): Promise<string[]> {
  if (!existsSync(path)) return [];
  const text = stripControls(redact((await readFile(path, "utf8")).slice(-64_000)));
  return text.trimEnd().split("\n").slice(-lines);
}
