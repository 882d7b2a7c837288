import { badValue } from "../route.ts";
import type { State } from "../state.ts";
import { fullNameOf } from "../unity/store.ts";
import { whenReady } from "../unity/versions.ts";
import { begin } from "./play.ts";
import { type JobSettings, jobSettings } from "./settings.ts";
import { isOver, type Job, type JobRun, jobs } from "./state.ts";

interface Start {
  /** Absent: a one-off run of the settings. */
  job?: Job;
  settings?: JobSettings;
  name?: string;
  parameters: Record<string, string>;
  by: string;
  trigger: string;
  now: number;
  /** Only these tasks. */
  only?: readonly string[];
  /** Waits when the job runs as often as it may; else the run is skipped. */
  queues: boolean;
}

export function startRun(state: State, start: Start): JobRun {
  const known = jobs.of(state);
  const settings = start.job?.settings ?? start.settings ?? jobSettings.parse({});
  const own =
    start.job === undefined ? [] : [...known.runs.values()].filter(({ job_id }) => job_id === start.job?.job_id);
  const tasks =
    start.only === undefined ? settings.tasks : settings.tasks.filter(({ task_key }) => start.only?.includes(task_key));
  for (const key of start.only ?? [])
    if (!tasks.some(({ task_key }) => task_key === key)) throw badValue(`Task ${key} does not exist in the job.`);
  const isFull = own.filter((run) => !isOver(run)).length >= settings.max_concurrent_runs && start.job !== undefined;
  const run: JobRun = {
    run_id: known.nextRun++,
    job_id: start.job?.job_id ?? known.nextJob++,
    number_in_job: own.length + 1,
    run_name: start.name ?? settings.name,
    settings: {
      ...settings,
      tasks: tasks.map((task) => ({
        ...task,
        depends_on: task.depends_on?.filter((each) => tasks.some((one) => one.task_key === each.task_key)),
      })),
    },
    job_parameters: start.parameters,
    creator_user_name: start.by,
    run_type: start.job === undefined ? "SUBMIT_RUN" : "JOB_RUN",
    trigger: start.trigger,
    start_time: start.now,
    phase: isFull && !start.queues ? "SKIPPED" : "PENDING",
    polls: 0,
    tasks: [],
    canceled: false,
    repairs: [],
    deleted: false,
  };
  if (run.phase === "SKIPPED") run.end_time = start.now;
  else
    run.tasks = tasks.map(({ task_key }) => ({
      run_id: known.nextRun++,
      task_key,
      attempt_number: 0,
      start_time: start.now,
    }));
  known.runs.set(run.run_id, run);
  return run;
}

/** A new version of a model that is connected to a job starts a run of it (reference 4.5). */
whenReady.push((ask, { model, version }) => {
  const job = jobs.of(ask.state).jobs.get(Number(model.deploymentJobId));
  if (model.deploymentJobId === "") return;
  if (job === undefined) {
    version.deployment = {
      job_id: model.deploymentJobId,
      run_id: "",
      run_state: "NO_VALID_DEPLOYMENT_JOB_FOUND",
      current_task_name: "",
    };
    return;
  }
  const run = startRun(ask.state, {
    job,
    parameters: { model_name: fullNameOf(model), model_version: String(version.version) },
    by: job.run_as_user_name,
    trigger: "MODEL",
    now: ask.now(),
    queues: true,
  });
  run.deploys = { model: fullNameOf(model), version: version.version };
  begin(ask.state, run, ask.now);
});
