import * as z from "zod";
import { type AclEntry, acls, createAcl, demandLevel, dropAcl, entryOf, levelOf } from "../acl.ts";
import { aclBody, entriesFrom } from "../permissions.ts";
import { principalNamed } from "../principals.ts";
import { type Ask, badValue, bodyOf, flag, ok, pageOf, queryOf, type Route } from "../route.ts";
import { int64 } from "../shapes.ts";
import { checkTasks, type JobSettings, jobSettings } from "./settings.ts";
import { shownJob } from "./shown.ts";
import { isOver, type Job, jobOf, jobs } from "./state.ts";

export const P = "/api/2.2/jobs";
const SDK = "driven by databricks-sdk jobs";
const idBody = z.strictObject({ job_id: int64 });

export const jobRoutes: readonly Route[] = [
  {
    method: "POST",
    path: `${P}/create`,
    cites: `reference 6.1 jobs/create: JobSettings and access_control_list; ${SDK}.create`,
    handle(ask) {
      const { access_control_list, ...settings } = bodyOf(
        ask,
        z.strictObject({ ...jobSettings.shape, access_control_list: aclBody.optional() }),
      );
      const known = jobs.of(ask.state);
      const job: Job = {
        job_id: known.nextJob++,
        settings: checkTasks(settings),
        creator_user_name: ask.principal.name,
        run_as_user_name: runAs(ask, settings),
        created_time: ask.now(),
      };
      const owner = entryOf(ask.principal, "IS_OWNER");
      const entries = access_control_list === undefined ? [owner] : entriesFrom(ask, "jobs", access_control_list);
      known.jobs.set(job.job_id, job);
      createAcl(ask.state, "jobs", String(job.job_id), owner);
      setAcl(ask, job, entries);
      return ok({ job_id: job.job_id });
    },
  },
  {
    method: "POST",
    path: `${P}/reset`,
    cites: `reference 6.1 jobs/reset: full replace, an omitted run_as stays; ${SDK}.reset`,
    handle(ask) {
      const body = bodyOf(ask, z.strictObject({ job_id: int64, new_settings: jobSettings }));
      const job = jobOf(ask, body.job_id, "CAN_MANAGE");
      const settings = checkTasks(body.new_settings);
      const kept = job.settings.run_as;
      if (settings.run_as !== undefined) job.run_as_user_name = runAs(ask, settings);
      job.settings = { ...settings, ...(settings.run_as === undefined && kept !== undefined ? { run_as: kept } : {}) };
      return ok();
    },
  },
  {
    method: "POST",
    path: `${P}/update`,
    cites: `reference 6.1 jobs/update: top-level fields whole, tasks and job_clusters by key; ${SDK}.update`,
    handle: update,
  },
  {
    method: "GET",
    path: `${P}/get`,
    cites: `reference 6.1 jobs/get: 100 tasks per page; ${SDK}.get`,
    handle(ask) {
      const query = queryOf(
        ask,
        z.strictObject({ job_id: int64, page_token: z.string().optional(), include_trigger_state: flag.optional() }),
      );
      const job = jobOf(ask, query.job_id, "CAN_VIEW");
      const { items, next } = pageOf(job.settings.tasks, 100, query.page_token);
      return ok({
        ...shownJob({ ...job, settings: { ...job.settings, tasks: [...items] } }),
        ...(next === undefined ? {} : { next_page_token: next, has_more: true }),
      });
    },
  },
  {
    method: "GET",
    path: `${P}/list`,
    cites: `reference 6.1 jobs/list: name exact without regard to case, limit 1–100; ${SDK}.list`,
    handle(ask) {
      const query = queryOf(
        ask,
        z.strictObject({
          limit: int64.default(20),
          page_token: z.string().optional(),
          name: z.string().optional(),
          expand_tasks: flag.default(false),
          offset: int64.optional(),
        }),
      );
      if (query.limit < 1 || query.limit > 100)
        throw badValue(`Invalid limit ${query.limit}: it must be between 1 and 100.`);
      const all = [...jobs.of(ask.state).jobs.values()]
        .filter((job) => query.name === undefined || job.settings.name.toLowerCase() === query.name.toLowerCase())
        .filter((job) => levelOf(ask.state, "jobs", String(job.job_id), ask.principal) !== undefined)
        .reverse();
      const { items, next } = pageOf(all, query.limit, query.page_token);
      return ok({
        ...(items.length === 0 ? {} : { jobs: items.map((job) => listed(job, query.expand_tasks)) }),
        has_more: next !== undefined,
        ...(next === undefined ? {} : { next_page_token: next }),
      });
    },
  },
  {
    method: "POST",
    path: `${P}/delete`,
    cites: `reference 6.1 jobs/delete: running runs are cancelled; ${SDK}.delete`,
    handle(ask) {
      const job = jobOf(ask, bodyOf(ask, idBody).job_id, "CAN_MANAGE");
      const known = jobs.of(ask.state);
      known.jobs.delete(job.job_id);
      for (const run of known.runs.values()) if (run.job_id === job.job_id && !isOver(run)) run.canceled = true;
      dropAcl(ask.state, "jobs", String(job.job_id));
      return ok();
    },
  },
];

function listed(job: Job, expands: boolean): object {
  const { tasks: _, job_clusters: __, environments: ___, parameters: ____, ...brief } = job.settings;
  const { job_id, creator_user_name, created_time } = job;
  return { job_id, creator_user_name, created_time, settings: expands ? job.settings : brief };
}

const partial = jobSettings.partial();

function update(ask: Ask) {
  const body = bodyOf(
    ask,
    z.strictObject({
      job_id: int64,
      new_settings: z.record(z.string(), z.unknown()).optional(),
      fields_to_remove: z.array(z.string()).default([]),
    }),
  );
  const job = jobOf(ask, body.job_id, "CAN_MANAGE");
  // Held to the schema for its errors, taken as sent: the schema's defaults must not overwrite what is there.
  const held = partial.safeParse(body.new_settings ?? {});
  if (!held.success)
    throw badValue(`Invalid new_settings: ${held.error.issues[0]?.path.join(".")}: ${held.error.issues[0]?.message}`);
  const changed: Record<string, unknown> = { ...job.settings, ...body.new_settings };
  if (body.new_settings?.tasks !== undefined)
    changed.tasks = merged(job.settings.tasks, held.data.tasks ?? [], "task_key");
  if (body.new_settings?.job_clusters !== undefined)
    changed.job_clusters = merged(job.settings.job_clusters ?? [], held.data.job_clusters ?? [], "job_cluster_key");
  for (const field of body.fields_to_remove) {
    const [name = "", key] = field.split("/");
    if (key === undefined) delete changed[name];
    else if (name === "tasks") changed.tasks = job.settings.tasks.filter(({ task_key }) => task_key !== key);
    else throw badValue(`Invalid field to remove: ${field}`);
  }
  const settings = jobSettings.parse(changed);
  job.settings = checkTasks(settings);
  if (body.new_settings?.run_as !== undefined) job.run_as_user_name = runAs(ask, settings);
  return ok();
}

function merged<T extends object>(before: readonly T[], given: readonly T[], key: string): T[] {
  const keyOf = (item: T): unknown => Reflect.get(item, key);
  return [...before.filter((item) => !given.some((one) => keyOf(one) === keyOf(item))), ...given];
}

/** Who a job runs as: somebody the workspace knows. */
function runAs(ask: Ask, { run_as }: JobSettings): string {
  const name = run_as?.user_name ?? run_as?.service_principal_name;
  if (name === undefined) return run_as?.group_name ?? ask.principal.name;
  if (principalNamed(ask.state, name)?.name !== name) throw badValue(`Principal ${name} does not exist.`);
  return name;
}

function setAcl(ask: Ask, job: Job, entries: AclEntry[]): void {
  const id = String(job.job_id);
  const owners = entries.filter(({ level }) => level === "IS_OWNER");
  if (owners.length > 1) throw badValue("A job must have exactly one owner.");
  const owner = owners.length === 1 ? [] : [entryOf(ask.principal, "IS_OWNER")];
  acls.of(ask.state).objects.set(`jobs/${id}`, { direct: [...owner, ...entries], inherited: [] });
  demandLevel(ask, "jobs", id, "CAN_MANAGE");
}
