import { demandLevel } from "../acl.ts";
import { type Ask, badValue } from "../route.ts";
import { defineSection } from "../state.ts";
import type { JobSettings } from "./settings.ts";

export interface Job {
  job_id: number;
  settings: JobSettings;
  creator_user_name: string;
  run_as_user_name: string;
  created_time: number;
}

export type TaskResult =
  | "SUCCESS"
  | "FAILED"
  | "TIMEDOUT"
  | "CANCELED"
  | "UPSTREAM_FAILED"
  | "UPSTREAM_CANCELED"
  | "EXCLUDED";

/** How a task ended, and what `runs/get-output` says of it. */
export interface TaskEnd {
  result: TaskResult;
  /** Of a failure. */
  error?: string;
  error_trace?: string;
  logs?: string;
  /** Of a notebook task. */
  notebook?: string;
}

export interface TaskRun {
  run_id: number;
  task_key: string;
  attempt_number: number;
  start_time: number;
  end_time?: number;
  end?: TaskEnd;
}

export interface JobRun {
  run_id: number;
  job_id: number;
  number_in_job: number;
  run_name: string;
  /** The job's settings when the run began. */
  settings: JobSettings;
  job_parameters: Record<string, string>;
  creator_user_name: string;
  run_type: "JOB_RUN" | "SUBMIT_RUN";
  trigger: string;
  start_time: number;
  end_time?: number;
  phase: "PENDING" | "RUNNING" | "TERMINATING" | "TERMINATED" | "SKIPPED";
  /** Reads since the phase began. */
  polls: number;
  /** Newest attempt of each task last. */
  tasks: TaskRun[];
  canceled: boolean;
  repairs: { id: number; task_run_ids: number[]; start_time: number }[];
  deleted: boolean;
  /** A version of a model whose deployment job this run is. */
  deploys?: { model: string; version: number };
}

export const jobs = defineSection("jobs", () => ({
  jobs: new Map<number, Job>(),
  runs: new Map<number, JobRun>(),
  /** Idempotency token → run. */
  tokens: new Map<string, number>(),
  nextJob: 620_000_000_000_001,
  nextRun: 910_000_000_000_001,
  /** Settings that tests change. */
  settings: {
    /** Reads of a run that see it PENDING, then RUNNING, then (after a cancel) TERMINATING. */
    pendingPolls: 1,
    runningPolls: 1,
    terminatingPolls: 1,
  },
}));

/** A missing job is 400, not 404; what somebody may not see is 403 even if it is gone (reference 1.6). */
export function jobOf(ask: Ask, id: number, level: "CAN_VIEW" | "CAN_MANAGE_RUN" | "CAN_MANAGE"): Job {
  const job = jobs.of(ask.state).jobs.get(id);
  if (job === undefined) throw badValue(`Job ${id} does not exist.`);
  demandLevel(ask, "jobs", String(id), level, `job ${id}`);
  return job;
}

export function runOf(ask: Ask, id: number, level: "CAN_VIEW" | "CAN_MANAGE_RUN"): JobRun {
  const run = [...jobs.of(ask.state).runs.values()].find(
    (each) => !each.deleted && (each.run_id === id || each.tasks.some((task) => task.run_id === id)),
  );
  if (run === undefined) throw badValue(`Run ${id} does not exist.`);
  if (run.run_type === "JOB_RUN") demandLevel(ask, "jobs", String(run.job_id), level, `run ${id}`);
  return run;
}

/** The newest attempt of each task, in the order of the settings. */
export const newestTasks = (run: JobRun): TaskRun[] =>
  run.settings.tasks.flatMap(({ task_key }) => run.tasks.findLast((each) => each.task_key === task_key) ?? []);

export const isOver = (run: JobRun): boolean => run.phase === "TERMINATED" || run.phase === "SKIPPED";
