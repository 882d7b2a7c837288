import * as z from "zod";
import { outsideError } from "../../lib/error.ts";
import { redact, stripControls } from "../../lib/redact.ts";
import type { FoundJob, JobRun, TrainingJobs } from "../../training/job-run.ts";
import type { Workspace } from "./workspace.ts";

const id = z.int().min(1);
const job = z.object({
  job_id: id,
  settings: z
    .object({
      name: z.string().default(""),
      parameters: z.array(z.object({ name: z.string() })).default([]),
      tasks: z
        .array(
          z.object({
            python_wheel_task: z.object({ named_parameters: z.record(z.string(), z.string()).default({}) }).optional(),
          }),
        )
        .default([]),
      deployment: z.object({ kind: z.string().optional() }).optional(),
    })
    .prefault({}),
});
const jobList = z.object({ jobs: z.array(job).default([]), next_page_token: z.string().optional() });
const state = z.object({
  status: z
    .object({
      state: z.string(),
      termination_details: z
        .object({ code: z.string().optional(), type: z.string().optional(), message: z.string().optional() })
        .optional(),
    })
    .optional(),
  state: z
    .object({
      life_cycle_state: z.string().optional(),
      result_state: z.string().optional(),
      state_message: z.string().optional(),
    })
    .optional(),
});
type State = z.infer<typeof state>;
const run = state.extend({
  run_id: id,
  run_page_url: z.string().optional(),
  tasks: z.array(state.extend({ run_id: id, task_key: z.string() })).default([]),
});
const me = z.object({ userName: z.string().optional(), displayName: z.string().optional() });
const MAX_PAGES = 20;
const CANCEL_MS = 10_000;

/** Jobs of a workspace through the Jobs API 2.2. */
export function trainingJobs(workspace: Workspace): TrainingJobs {
  const one = async (query: Record<string, string>): Promise<JobRun> =>
    runOf(await workspace.demand({ method: "GET", path: "/api/2.2/jobs/runs/get", query }, run));
  return {
    host: workspace.host,
    async named(name) {
      const found: FoundJob[] = [];
      let page: string | undefined;
      for (let pages = 0; pages < MAX_PAGES; pages++) {
        const query = { name, limit: "100", ...(page !== undefined && { page_token: page }) };
        const listed = await workspace.demand({ method: "GET", path: "/api/2.2/jobs/list", query }, jobList);
        // The list compares names without case.
        found.push(...listed.jobs.filter(({ settings }) => settings.name === name).map(jobOf));
        page = listed.next_page_token;
        if (page === undefined || page === "") break;
      }
      // A list may leave out what a job's own answer has.
      return Promise.all(found.map(async (each) => (await this.job(each.id)) ?? each));
    },
    async job(number) {
      const query = { job_id: String(number) };
      const found = await workspace.find({ method: "GET", path: "/api/2.2/jobs/get", query }, job);
      return found && jobOf(found);
    },
    async shortName() {
      const who = await workspace.demand({ method: "GET", path: "/api/2.0/preview/scim/v2/Me" }, me);
      return shortName(who.userName ?? "", who.displayName);
    },
    async start(number, parameters, once) {
      const json = {
        job_id: number,
        ...(Object.keys(parameters).length > 0 && { job_parameters: parameters }),
        idempotency_token: once,
      };
      // The token makes it safe to ask again: no second run is begun.
      const started = await workspace.demand(
        { method: "POST", path: "/api/2.2/jobs/run-now", json, idempotent: true },
        z.object({ run_id: id }),
      );
      return started.run_id;
    },
    look: (number) => one({ run_id: String(number) }),
    async failure({ tasks }) {
      const failed = tasks.find((task) => task.over && !/^SUCCESS/.test(task.says));
      if (failed === undefined) return undefined;
      const query = { run_id: String(failed.run) };
      const schema = z.object({ error: z.string().optional() });
      const output = await workspace.find({ method: "GET", path: "/api/2.2/jobs/runs/get-output", query }, schema);
      return output?.error === undefined ? undefined : stripControls(redact(output.error)).trim().slice(0, 2000);
    },
    async cancel(number) {
      await workspace.demand(
        {
          method: "POST",
          path: "/api/2.2/jobs/runs/cancel",
          json: { run_id: number },
          idempotent: true,
          // Asked after Ctrl-C, when everything else is given up.
          signal: AbortSignal.timeout(CANCEL_MS),
        },
        z.object({}),
      );
    },
  };
}

function jobOf({ job_id, settings }: z.infer<typeof job>): FoundJob {
  return {
    id: job_id,
    name: settings.name,
    parameters: settings.parameters.map(({ name }) => name),
    fromBundle: settings.deployment?.kind === "BUNDLE",
    commit: settings.tasks.flatMap((task) => task.python_wheel_task?.named_parameters.commit ?? [])[0],
  };
}

function runOf(said: z.infer<typeof run>): JobRun {
  const tasks = said.tasks.map((task) => ({
    key: task.task_key,
    run: task.run_id,
    says: wordsOf(task),
    over: isOver(task),
  }));
  const url = said.run_page_url !== undefined && URL.canParse(said.run_page_url) ? said.run_page_url : undefined;
  const state = stateOf(said);
  const type = said.status?.termination_details?.type;
  const ownFault = type === "CLOUD_FAILURE" || type === "INTERNAL_ERROR";
  const fault = state !== "failed" ? undefined : ownFault ? ("workspace" as const) : ("training" as const);
  return { id: said.run_id, url, state, fault, says: wordsOf(said), tasks };
}

/**
 * How it stands. `status` is what counts: a run whose task failed has the old life cycle state INTERNAL_ERROR, which is not
 * TERMINATED, and would be waited for without end. Pure.
 */
export function stateOf(said: State): JobRun["state"] {
  const { status, state: old } = said;
  if (!isOver(said))
    return /^(?:RUNNING|TERMINATING)$/.test(status?.state ?? old?.life_cycle_state ?? "") ? "running" : "waiting";
  const code = status?.termination_details?.code ?? "";
  if (/CANCEL/.test(`${code} ${old?.result_state ?? ""}`)) return "cancelled";
  if (status !== undefined) return code === "SUCCESS" ? "succeeded" : "failed";
  return old?.life_cycle_state === "TERMINATED" && old.result_state === "SUCCESS" ? "succeeded" : "failed";
}

function isOver({ status, state: old }: State): boolean {
  if (status !== undefined) return status.state === "TERMINATED";
  const life = old?.life_cycle_state;
  if (life === undefined) throw outsideError("jobs.state", "the workspace tells of a run without saying how it stands");
  return ["TERMINATED", "SKIPPED", "INTERNAL_ERROR"].includes(life);
}

function wordsOf({ status, state: old }: State): string {
  const details = status?.termination_details;
  const code = details?.code ?? status?.state ?? old?.result_state ?? old?.life_cycle_state ?? "";
  const message = details?.message ?? old?.state_message ?? "";
  return stripControls(redact(message === "" ? code : `${code}: ${message}`)).slice(0, 500);
}

/** As bundles of mode development shorten a name: what is before the @, with `_` for all that is neither letter nor digit. Pure. */
export function shortName(userName: string, displayName: string | undefined): string {
  const address = userName.includes("@") ? (userName.split("@")[0] ?? "") : (displayName ?? userName);
  return address
    .replace(/[^\p{L}\p{N}]+/gu, "_")
    .replace(/^_+|_+$/g, "")
    .toLowerCase();
}
