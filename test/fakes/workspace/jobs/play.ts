import { hooksOf } from "../hooks.ts";
import type { State } from "../state.ts";
import { unity } from "../unity/store.ts";
import { inOrder, type JobTask } from "./settings.ts";
import { isOver, type JobRun, jobs, newestTasks, type TaskEnd, type TaskRun } from "./state.ts";

/** Runs whose tasks are being played in this process; after a restart they are played again. */
const playing = new WeakSet<JobRun>();

/** A task that is to be played, with what it is given. */
export interface PlayedTask {
  run: JobRun;
  task: JobTask;
  /** The job's parameters, those of the run over the defaults. */
  parameters: Readonly<Record<string, string>>;
  attempt: number;
}

/** Moves a run on by one read: PENDING, RUNNING while its tasks are played, TERMINATED. */
export function progress(state: State, run: JobRun, now: () => number): void {
  const { settings } = jobs.of(state);
  run.polls++;
  if (run.phase === "PENDING" && run.polls > settings.pendingPolls) begin(state, run, now);
  else if (run.phase === "RUNNING") {
    if (run.canceled) enter(run, "TERMINATING");
    else if (!playing.has(run) && newestTasks(run).some(({ end }) => end === undefined)) play(state, run, now);
    else finish(state, run, now);
  } else if (run.phase === "TERMINATING" && run.polls > settings.terminatingPolls) {
    for (const task of newestTasks(run)) if (task.end === undefined) endTask(task, { result: "CANCELED" }, now);
    over(state, run, now);
  }
}

export function begin(state: State, run: JobRun, now: () => number): void {
  enter(run, run.canceled ? "TERMINATING" : "RUNNING");
  if (!run.canceled) play(state, run, now);
}

const enter = (run: JobRun, phase: JobRun["phase"]): void => {
  run.phase = phase;
  run.polls = 0;
};

function finish(state: State, run: JobRun, now: () => number): void {
  const isDone = newestTasks(run).every(({ end }) => end !== undefined);
  if (isDone && !playing.has(run) && run.polls > jobs.of(state).settings.runningPolls) over(state, run, now);
}

function over(state: State, run: JobRun, now: () => number): void {
  enter(run, "TERMINATED");
  run.end_time = now();
  tellVersion(state, run);
}

function play(state: State, run: JobRun, now: () => number): void {
  playing.add(run);
  tellVersion(state, run);
  const done = playAll(state, run, now).finally(() => {
    playing.delete(run);
    // Nobody polls the run of a deployment job: it ends by itself.
    if (run.deploys !== undefined && !isOver(run)) over(state, run, now);
  });
  done.catch(() => {});
}

async function playAll(state: State, run: JobRun, now: () => number): Promise<void> {
  for (const task of inOrder(run.settings.tasks)) {
    const attempt = newestTasks(run).find(({ task_key }) => task_key === task.task_key);
    if (attempt === undefined || attempt.end !== undefined || run.canceled) continue;
    const before = (task.depends_on ?? []).map(
      ({ task_key }) => newestTasks(run).find((each) => each.task_key === task_key)?.end?.result,
    );
    if (!mayRun(task.run_if ?? "ALL_SUCCESS", before)) {
      endTask(attempt, { result: before.includes("CANCELED") ? "UPSTREAM_CANCELED" : "UPSTREAM_FAILED" }, now);
      continue;
    }
    attempt.start_time = now();
    tellVersion(state, run, task.task_key);
    endTask(attempt, await outcome(state, run, task, attempt), now);
  }
}

async function outcome(state: State, run: JobRun, task: JobTask, attempt: TaskRun): Promise<TaskEnd> {
  const parameters = {
    ...Object.fromEntries(run.settings.parameters?.map((each) => [each.name, each.default]) ?? []),
    ...run.job_parameters,
  };
  try {
    const end = await hooksOf(state).task?.({ run, task, parameters, attempt: attempt.attempt_number }, state);
    return end ?? approval(state, task.task_key, parameters) ?? { result: "SUCCESS" };
  } catch (error) {
    return { result: "FAILED", error: error instanceof Error ? error.message : String(error) };
  }
}

/** A task whose key starts with `approval` passes when the version's tag of that name says Approved (reference 4.5). */
function approval(state: State, key: string, parameters: Readonly<Record<string, string>>): TaskEnd | undefined {
  if (!key.toLowerCase().startsWith("approval")) return undefined;
  const model = unity.of(state).models.get((parameters.model_name ?? "").toLowerCase());
  const tag = model?.versions.get(Number(parameters.model_version))?.tags.get(key);
  if (tag?.toLowerCase() === "approved") return { result: "SUCCESS" };
  return {
    result: "FAILED",
    error: `Model version is not approved for deployment: tag '${key}' is ${tag ?? "not set"}.`,
  };
}

function mayRun(condition: string, before: readonly (string | undefined)[]): boolean {
  const good = before.filter((each) => each === "SUCCESS").length;
  switch (condition) {
    case "ALL_DONE":
      return true;
    case "AT_LEAST_ONE_SUCCESS":
      return good > 0;
    case "AT_LEAST_ONE_FAILED":
      return before.includes("FAILED");
    case "ALL_FAILED":
      return before.every((each) => each === "FAILED");
    case "NONE_FAILED":
      return !before.some((each) => each === "FAILED" || each === "UPSTREAM_FAILED");
    default:
      return good === before.length;
  }
}

function endTask(task: TaskRun, end: TaskEnd, now: () => number): void {
  task.end = end;
  task.end_time = now();
}

/** What the version of a model says of its deployment job's run (reference 4.5). */
function tellVersion(state: State, run: JobRun, current?: string): void {
  if (run.deploys === undefined) return;
  const version = unity.of(state).models.get(run.deploys.model)?.versions.get(run.deploys.version);
  if (version === undefined) return;
  const failed = newestTasks(run).find(({ end }) => end?.result === "FAILED");
  const waits = failed?.task_key.toLowerCase().startsWith("approval") ?? false;
  const run_state = !isOver(run)
    ? run.phase === "PENDING"
      ? "PENDING"
      : "RUNNING"
    : failed === undefined
      ? "SUCCEEDED"
      : waits
        ? "APPROVAL"
        : "FAILED";
  version.deployment = {
    job_id: String(run.job_id),
    run_id: String(run.run_id),
    run_state,
    current_task_name: current ?? failed?.task_key ?? run.settings.tasks.at(-1)?.task_key ?? "",
  };
}
