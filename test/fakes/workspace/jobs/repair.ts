import * as z from "zod";
import { type Ask, badValue, bodyOf, ok, queryOf, type Reply, refuse } from "../route.ts";
import { int64 } from "../shapes.ts";
import { begin } from "./play.ts";
import { shownRun, shownTask } from "./shown.ts";
import { isOver, jobs, newestTasks, runOf } from "./state.ts";

/** Parameters by kind of task, from before jobs had parameters of their own. */
export const legacyParameters = {
  notebook_params: z.record(z.string(), z.string()).optional(),
  python_params: z.array(z.string()).optional(),
  python_named_params: z.record(z.string(), z.string()).optional(),
  jar_params: z.array(z.string()).optional(),
  sql_params: z.record(z.string(), z.string()).optional(),
  dbt_commands: z.array(z.string()).optional(),
  pipeline_params: z.record(z.string(), z.unknown()).optional(),
};

/** Of one task's run: what it printed, and why it failed. */
export function output(ask: Ask): Reply {
  const { run_id } = queryOf(ask, z.strictObject({ run_id: int64 }));
  const run = runOf(ask, run_id, "CAN_VIEW");
  const own = run.tasks.find((each) => each.run_id === run_id);
  if (own === undefined && run.settings.tasks.length > 1)
    throw badValue(
      "Retrieving the output of runs with multiple tasks is not supported. Please retrieve the output of each individual task run instead.",
    );
  const task = own ?? newestTasks(run)[0];
  const end = task?.end;
  return ok({
    metadata:
      task === undefined
        ? shownRun(ask, run, undefined)
        : { ...shownRun(ask, run, undefined), ...shownTask(ask, run, task) },
    ...(end?.notebook === undefined ? {} : { notebook_output: { result: end.notebook, truncated: false } }),
    ...(end?.logs === undefined ? {} : { logs: end.logs, logs_truncated: false }),
    ...(end?.error === undefined ? {} : { error: end.error }),
    ...(end?.error_trace === undefined ? {} : { error_trace: end.error_trace }),
  });
}

/** Runs failed tasks again, in the same run. */
export function repair(ask: Ask): Reply {
  const body = bodyOf(
    ask,
    z.strictObject({
      run_id: int64,
      rerun_tasks: z.array(z.string()).optional(),
      rerun_all_failed_tasks: z.boolean().optional(),
      rerun_dependent_tasks: z.boolean().optional(),
      latest_repair_id: int64.optional(),
      job_parameters: z.record(z.string(), z.string()).optional(),
      performance_target: z.string().optional(),
      ...legacyParameters,
    }),
  );
  const run = runOf(ask, body.run_id, "CAN_MANAGE_RUN");
  if (!isOver(run))
    throw refuse(400, "INVALID_STATE", `Run ${run.run_id} is still active; only a finished run can be repaired.`);
  if (run.repairs.at(-1)?.id !== body.latest_repair_id)
    throw badValue(`latest_repair_id must be ${run.repairs.at(-1)?.id ?? "absent"} for this repair.`);
  const newest = newestTasks(run);
  const again = new Set(body.rerun_tasks ?? []);
  if (body.rerun_all_failed_tasks === true)
    for (const { task_key, end } of newest) if (end?.result !== "SUCCESS") again.add(task_key);
  for (const key of again)
    if (!newest.some(({ task_key }) => task_key === key)) throw badValue(`Task ${key} does not exist in the run.`);
  if (again.size === 0) throw badValue("No tasks to rerun: give rerun_tasks or rerun_all_failed_tasks.");
  const known = jobs.of(ask.state);
  const attempts = newest
    .filter(({ task_key }) => again.has(task_key))
    .map((each) => ({
      run_id: known.nextRun++,
      task_key: each.task_key,
      attempt_number: each.attempt_number + 1,
      start_time: ask.now(),
    }));
  const id = known.nextRun++;
  run.tasks.push(...attempts);
  run.repairs.push({ id, task_run_ids: attempts.map((each) => each.run_id), start_time: ask.now() });
  run.job_parameters = { ...run.job_parameters, ...body.job_parameters };
  run.canceled = false;
  run.phase = "PENDING";
  run.polls = 0;
  delete run.end_time;
  if (run.deploys !== undefined) begin(ask.state, run, ask.now);
  return ok({ repair_id: id });
}
