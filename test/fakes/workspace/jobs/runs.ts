import * as z from "zod";
import { levelOf } from "../acl.ts";
import { type Ask, badValue, bodyOf, flag, ok, pageOf, queryOf, type Reply, type Route, refuse } from "../route.ts";
import { int64 } from "../shapes.ts";
import { P } from "./jobs.ts";
import { progress } from "./play.ts";
import { legacyParameters, output, repair } from "./repair.ts";
import { checkTasks, jobSettings } from "./settings.ts";
import { shownRun, shownTask } from "./shown.ts";
import { startRun } from "./start.ts";
import { isOver, type JobRun, jobOf, jobs, newestTasks, runOf } from "./state.ts";

const SDK = "driven by databricks-sdk jobs";

export const runRoutes: readonly Route[] = [
  {
    method: "POST",
    path: `${P}/run-now`,
    cites: `reference 6.1 jobs/run-now: idempotency_token ≤64; ${SDK}.run_now`,
    handle: runNow,
  },
  {
    method: "POST",
    path: `${P}/runs/submit`,
    cites: `reference 6.1 jobs/runs/submit: no job object; ${SDK}.submit`,
    handle: submit,
  },
  {
    method: "GET",
    path: `${P}/runs/get`,
    cites: `reference 6.1 jobs/runs/get: 100 tasks per page; ${SDK}.get_run`,
    handle(ask) {
      const query = queryOf(
        ask,
        z.strictObject({
          run_id: int64,
          include_history: flag.optional(),
          include_resolved_values: flag.optional(),
          page_token: z.string().optional(),
        }),
      );
      const run = runOf(ask, query.run_id, "CAN_VIEW");
      if (!isOver(run)) progress(ask.state, run, ask.now);
      const task = run.tasks.find(({ run_id }) => run_id === query.run_id);
      if (task !== undefined) return ok({ ...shownRun(ask, run, undefined), ...shownTask(ask, run, task) });
      const { items, next } = pageOf(newestTasks(run), 100, query.page_token);
      return ok({
        ...shownRun(ask, run, items),
        ...(query.include_history === true && run.repairs.length > 0
          ? {
              repair_history: run.repairs.map(({ id, task_run_ids, start_time }) => ({
                id,
                task_run_ids,
                start_time,
                type: "REPAIR",
              })),
            }
          : {}),
        ...(next === undefined ? {} : { next_page_token: next }),
      });
    },
  },
  {
    method: "GET",
    path: `${P}/runs/list`,
    cites: `reference 6.1 jobs/runs/list: newest first, limit ≤25; ${SDK}.list_runs`,
    handle: list,
  },
  {
    method: "GET",
    path: `${P}/runs/get-output`,
    cites: `reference 6.1 jobs/runs/get-output: of a task's run; ${SDK}.get_run_output`,
    handle: output,
  },
  {
    method: "POST",
    path: `${P}/runs/cancel`,
    cites: `reference 6.1 jobs/runs/cancel: asynchronous; ${SDK}.cancel_run`,
    handle(ask) {
      const run = runOf(ask, bodyOf(ask, z.strictObject({ run_id: int64 })).run_id, "CAN_MANAGE_RUN");
      if (!isOver(run)) cancel(run);
      return ok();
    },
  },
  {
    method: "POST",
    path: `${P}/runs/cancel-all`,
    cites: `reference 6.1 jobs/runs/cancel-all; ${SDK}.cancel_all_runs`,
    handle(ask) {
      const body = bodyOf(ask, z.strictObject({ job_id: int64, all_queued_runs: z.boolean().optional() }));
      const job = jobOf(ask, body.job_id, "CAN_MANAGE_RUN");
      for (const run of jobs.of(ask.state).runs.values()) if (run.job_id === job.job_id && !isOver(run)) cancel(run);
      return ok();
    },
  },
  {
    method: "POST",
    path: `${P}/runs/delete`,
    cites: `reference 6.1 jobs/runs/delete: needs a finished run; ${SDK}.delete_run`,
    handle(ask) {
      const run = runOf(ask, bodyOf(ask, z.strictObject({ run_id: int64 })).run_id, "CAN_MANAGE_RUN");
      if (!isOver(run)) throw refuse(400, "INVALID_STATE", `Run ${run.run_id} is still active.`);
      run.deleted = true;
      return ok();
    },
  },
  {
    method: "POST",
    path: `${P}/runs/repair`,
    cites: `reference 6.1 jobs/runs/repair: latest_repair_id from the second on; ${SDK}.repair_run`,
    handle: repair,
  },
];

function cancel(run: JobRun): void {
  run.canceled = true;
  run.phase = "TERMINATING";
  run.polls = 0;
}

function runNow(ask: Ask): Reply {
  const body = bodyOf(
    ask,
    z.strictObject({
      job_id: int64,
      job_parameters: z.record(z.string(), z.string()).optional(),
      only: z.array(z.string()).optional(),
      idempotency_token: z.string().optional(),
      queue: z.strictObject({ enabled: z.boolean() }).optional(),
      performance_target: z.string().optional(),
      ...legacyParameters,
    }),
  );
  const job = jobOf(ask, body.job_id, "CAN_MANAGE_RUN");
  const before = sameToken(ask, body.idempotency_token);
  if (before !== undefined) return ok({ run_id: before.run_id, number_in_job: before.number_in_job });
  const legacy = Object.keys(legacyParameters).filter((key) => Reflect.get(body, key) !== undefined);
  if (body.job_parameters !== undefined && legacy.length > 0)
    throw badValue(`job_parameters cannot be combined with ${legacy.join(", ")}.`);
  const run = startRun(ask.state, {
    job,
    parameters: body.job_parameters ?? {},
    by: ask.principal.name,
    trigger: "ONE_TIME",
    now: ask.now(),
    ...(body.only === undefined ? {} : { only: body.only }),
    queues: body.queue?.enabled ?? job.settings.queue?.enabled ?? false,
  });
  if (body.idempotency_token !== undefined) jobs.of(ask.state).tokens.set(body.idempotency_token, run.run_id);
  return ok({ run_id: run.run_id, number_in_job: run.number_in_job });
}

function sameToken(ask: Ask, token: string | undefined): JobRun | undefined {
  if (token === undefined || token === "") return undefined;
  if (token.length > 64) throw badValue("The idempotency_token must be at most 64 characters.");
  const known = jobs.of(ask.state);
  const id = known.tokens.get(token);
  const run = id === undefined ? undefined : known.runs.get(id);
  if (run?.deleted === true) throw badValue(`The run with idempotency_token ${token} was deleted.`);
  return run;
}

function submit(ask: Ask): Reply {
  const body = bodyOf(
    ask,
    z.strictObject({
      tasks: jobSettings.shape.tasks,
      environments: jobSettings.shape.environments,
      git_source: z.unknown().optional(),
      timeout_seconds: jobSettings.shape.timeout_seconds,
      tags: jobSettings.shape.tags,
      run_as: jobSettings.shape.run_as,
      queue: jobSettings.shape.queue,
      run_name: z.string().default("Untitled"),
      idempotency_token: z.string().optional(),
      access_control_list: z.unknown().optional(),
    }),
  );
  const before = sameToken(ask, body.idempotency_token);
  if (before !== undefined) return ok({ run_id: before.run_id });
  const { run_name, idempotency_token, access_control_list: _, ...rest } = body;
  const settings = checkTasks({ ...jobSettings.parse({ name: run_name }), ...rest });
  const run = startRun(ask.state, {
    settings,
    name: run_name,
    parameters: {},
    by: ask.principal.name,
    trigger: "ONE_TIME",
    now: ask.now(),
    queues: false,
  });
  if (idempotency_token !== undefined) jobs.of(ask.state).tokens.set(idempotency_token, run.run_id);
  return ok({ run_id: run.run_id });
}

function list(ask: Ask): Reply {
  const query = queryOf(
    ask,
    z.strictObject({
      job_id: int64.optional(),
      active_only: flag.optional(),
      completed_only: flag.optional(),
      run_type: z.enum(["JOB_RUN", "SUBMIT_RUN", "WORKFLOW_RUN"]).optional(),
      start_time_from: int64.optional(),
      start_time_to: int64.optional(),
      limit: int64.default(20),
      offset: int64.optional(),
      expand_tasks: flag.optional(),
      page_token: z.string().optional(),
    }),
  );
  if (query.active_only === true && query.completed_only === true)
    throw badValue("active_only and completed_only cannot both be true.");
  if (query.limit < 1 || query.limit > 25) throw badValue(`Invalid limit ${query.limit}: it must be between 1 and 25.`);
  const all = [...jobs.of(ask.state).runs.values()]
    .filter((run) => !run.deleted && (query.job_id === undefined || run.job_id === query.job_id))
    .filter((run) => query.run_type === undefined || run.run_type === query.run_type)
    .filter((run) => (query.active_only !== true || !isOver(run)) && (query.completed_only !== true || isOver(run)))
    .filter(
      (run) =>
        run.start_time >= (query.start_time_from ?? 0) &&
        run.start_time <= (query.start_time_to ?? Number.POSITIVE_INFINITY),
    )
    .filter(
      (run) =>
        run.run_type === "SUBMIT_RUN" || levelOf(ask.state, "jobs", String(run.job_id), ask.principal) !== undefined,
    )
    .reverse();
  const { items, next } = pageOf(all, query.limit, query.page_token);
  return ok({
    ...(items.length === 0
      ? {}
      : { runs: items.map((run) => shownRun(ask, run, query.expand_tasks === true ? newestTasks(run) : undefined)) }),
    has_more: next !== undefined,
    ...(next === undefined ? {} : { next_page_token: next }),
  });
}
