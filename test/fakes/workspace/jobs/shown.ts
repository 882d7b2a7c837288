import type { Ask } from "../route.ts";
import { isOver, type Job, type JobRun, newestTasks, type TaskEnd, type TaskRun } from "./state.ts";

/** The three ways in which a run tells its state (reference 6.1): both of `state`, and `status`. */
export function runState(run: JobRun): object {
  if (!isOver(run))
    return {
      state: { life_cycle_state: run.phase, state_message: "" },
      status: { state: run.phase },
    };
  if (run.phase === "SKIPPED")
    return {
      state: {
        life_cycle_state: "SKIPPED",
        result_state: "MAXIMUM_CONCURRENT_RUNS_REACHED",
        state_message: "Maximum concurrent runs reached.",
      },
      status: ended("MAX_CONCURRENT_RUNS_EXCEEDED", "CLIENT_ERROR", "Maximum concurrent runs reached."),
    };
  if (run.canceled)
    return {
      state: { life_cycle_state: "TERMINATED", result_state: "CANCELED", state_message: "Run cancelled." },
      status: ended("USER_CANCELED", "CLIENT_ERROR", "Run cancelled."),
    };
  const failed = newestTasks(run).find(({ end }) => end?.result === "FAILED" || end?.result === "TIMEDOUT");
  if (failed === undefined)
    return {
      state: { life_cycle_state: "TERMINATED", result_state: "SUCCESS", state_message: "" },
      status: ended("SUCCESS", "SUCCESS", ""),
    };
  const message = `Task ${failed.task_key} failed with message: ${failed.end?.error ?? "Workload failed, see run output for details."}`;
  // A failed run is INTERNAL_ERROR in the old field and TERMINATED in the new one.
  return {
    state: { life_cycle_state: "INTERNAL_ERROR", result_state: failed.end?.result, state_message: message },
    status: ended("RUN_EXECUTION_ERROR", "CLIENT_ERROR", message),
  };
}

const ended = (code: string, type: string, message: string): object => ({
  state: "TERMINATED",
  termination_details: { code, type, message },
});

function taskState(run: JobRun, { end }: TaskRun): object {
  if (end === undefined) {
    const phase = run.phase === "RUNNING" ? "RUNNING" : run.phase;
    return { state: { life_cycle_state: phase, state_message: "" }, status: { state: phase } };
  }
  const life =
    end.result === "FAILED" ? "INTERNAL_ERROR" : end.result.startsWith("UPSTREAM") ? "SKIPPED" : "TERMINATED";
  const [code, type] = CODES[end.result];
  return {
    state: { life_cycle_state: life, result_state: end.result, state_message: end.error ?? "" },
    status: ended(code, type, end.error ?? ""),
  };
}

const CODES: Record<TaskEnd["result"], [string, string]> = {
  SUCCESS: ["SUCCESS", "SUCCESS"],
  FAILED: ["RUN_EXECUTION_ERROR", "CLIENT_ERROR"],
  TIMEDOUT: ["RUN_EXECUTION_ERROR", "CLIENT_ERROR"],
  CANCELED: ["USER_CANCELED", "CLIENT_ERROR"],
  UPSTREAM_FAILED: ["SKIPPED", "CLIENT_ERROR"],
  UPSTREAM_CANCELED: ["SKIPPED", "CLIENT_ERROR"],
  EXCLUDED: ["SKIPPED", "CLIENT_ERROR"],
};

const times = (each: { start_time: number; end_time?: number }): object => ({
  start_time: each.start_time,
  end_time: each.end_time ?? 0,
  setup_duration: 0,
  execution_duration: each.end_time === undefined ? 0 : each.end_time - each.start_time,
  cleanup_duration: 0,
});

export function shownTask(ask: Ask, run: JobRun, task: TaskRun): object {
  const settings = run.settings.tasks.find(({ task_key }) => task_key === task.task_key);
  return {
    ...settings,
    run_id: task.run_id,
    task_key: task.task_key,
    attempt_number: task.attempt_number,
    run_page_url: pageUrl(ask, run, task.run_id),
    ...taskState(run, task),
    ...times(task),
  };
}

const pageUrl = (ask: Ask, run: JobRun, id: number): string => `${ask.url}/?o=${ask.orgId}#job/${run.job_id}/run/${id}`;

export function shownRun(ask: Ask, run: JobRun, tasks: readonly TaskRun[] | undefined): object {
  return {
    job_id: run.job_id,
    run_id: run.run_id,
    number_in_job: run.number_in_job,
    original_attempt_run_id: run.run_id,
    job_run_id: run.run_id,
    creator_user_name: run.creator_user_name,
    run_name: run.run_name,
    run_type: run.run_type,
    run_page_url: pageUrl(ask, run, run.run_id),
    trigger: run.trigger,
    format: "MULTI_TASK",
    ...runState(run),
    ...times(run),
    job_parameters: (run.settings.parameters ?? []).map((each) => ({
      name: each.name,
      default: each.default,
      ...(run.job_parameters[each.name] === undefined ? {} : { value: run.job_parameters[each.name] }),
    })),
    ...(tasks === undefined ? {} : { tasks: tasks.map((each) => shownTask(ask, run, each)) }),
  };
}

export const shownJob = ({ job_id, settings, creator_user_name, run_as_user_name, created_time }: Job): object => ({
  job_id,
  creator_user_name,
  run_as_user_name,
  created_time,
  settings,
});
