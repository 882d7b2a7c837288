import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import { FactoryError, outsideError } from "../../lib/error.ts";
import type { DeploymentRun } from "../../registry/deployment.ts";
import { isUnknownOutcome } from "../databricks/replies.ts";
import type { Workspace } from "../databricks/workspace.ts";
import { isApprovalTask } from "./deployment-tags.ts";
import { keyValues } from "./schemas.ts";
import { plainName, REGISTRY } from "./versions.ts";

const LOOKS = 6;
const LOOK_PAUSE_MS = 1000;

const version = z.object({
  model_version: z.object({
    tags: keyValues,
    deployment_job_state: z
      .object({
        run_id: z.string().max(40).default(""),
        run_state: z.string().max(100).default(""),
        current_task_name: z.string().max(200).default(""),
      })
      .optional(),
  }),
});
const run = z.object({
  run_page_url: z.string().max(1000).optional(),
  repair_history: z.array(z.object({ id: z.int().optional() })).default([]),
});

/** What a version says of the run of its deployment job. */
export interface VersionRun {
  tags: Readonly<Record<string, string>>;
  /** Empty: there is none. */
  run: string;
  /** `RUNNING`, `APPROVAL`, …; empty: there is none. */
  state: string;
  /** The task that it is at. */
  task: string;
}

export async function lookAtRun(workspace: Workspace, model: string, number: string): Promise<VersionRun> {
  const query = { name: plainName(model), version: number };
  const found = await workspace.find({ method: "GET", path: `${REGISTRY}/model-versions/get`, query }, version);
  if (found === undefined)
    throw outsideError("version.missing", `there is no version ${number} of ${model} on ${workspace.label}`);
  const { tags, deployment_job_state: job } = found.model_version;
  return { tags, run: job?.run_id ?? "", state: job?.run_state ?? "", task: job?.current_task_name ?? "" };
}

/** After the tag was set: repairs a run that waits for it. One that has yet to come to its approval finds the tag by itself. */
export async function letGoOn(
  workspace: Workspace,
  model: string,
  number: string,
  signal: AbortSignal,
): Promise<Pick<DeploymentRun, "run" | "why" | "fix">> {
  const found = await pastTheApproval(workspace, model, number, signal);
  switch (found.state) {
    case "APPROVAL":
      return repaired(workspace, model, number, found.run);
    case "PENDING":
    case "RUNNING":
      return isAtApproval(found)
        ? {
            run: "goes on",
            why: `run ${found.run} is at its approval right now`,
            fix: "should it wait there, run the same command again",
          }
        : { run: "goes on" };
    case "SUCCEEDED":
      return { run: "over" };
    case "FAILED":
      return {
        run: "over",
        why: `run ${found.run} failed${found.task === "" ? "" : ` at task ${found.task}`}`,
        fix: "look at the run in the workspace, and repair it there",
      };
    default:
      return {
        run: "none",
        why: "no run was started for this version: it is older than its deployment job, or that job cannot be used",
        fix: "start the job by hand, with the parameters model_name and model_version",
      };
  }
}

/** A run that is at its approval right now may have looked for the tag before it was set: it is waited for, for a moment. */
async function pastTheApproval(
  workspace: Workspace,
  model: string,
  number: string,
  signal: AbortSignal,
): Promise<VersionRun> {
  for (let looks = 1; ; looks++) {
    const found = await lookAtRun(workspace, model, number);
    if (!isAtApproval(found) || looks === LOOKS) return found;
    await sleep(LOOK_PAUSE_MS, undefined, { signal });
  }
}

const isAtApproval = ({ state, task }: VersionRun): boolean => state === "RUNNING" && isApprovalTask(task);

async function repaired(
  workspace: Workspace,
  model: string,
  number: string,
  id: string,
): Promise<Pick<DeploymentRun, "run" | "why" | "fix">> {
  const run_id = Number(id);
  if (!Number.isSafeInteger(run_id) || run_id < 1)
    return { run: "waits", why: `its run has the odd number ${JSON.stringify(id)}`, fix: "repair it in the workspace" };
  const place = `run ${id} on ${workspace.label}`;
  try {
    const query = { run_id: id, include_history: "true" };
    const seen = await workspace.find({ method: "GET", path: "/api/2.2/jobs/runs/get", query }, run);
    const last = seen?.repair_history.findLast((each) => each.id !== undefined)?.id;
    const json = {
      run_id,
      rerun_all_failed_tasks: true,
      rerun_dependent_tasks: true,
      // A repair that somebody else has begun meanwhile makes this one refused: no task runs twice.
      ...(last !== undefined && { latest_repair_id: last }),
    };
    await workspace.demand({ method: "POST", path: "/api/2.2/jobs/runs/repair", json }, z.looseObject({}));
    return { run: "goes on" };
  } catch (error) {
    if (!(error instanceof FactoryError)) throw error;
    if (error.code === "http.403")
      return {
        run: "waits",
        why: `${place} waits, and we may not repair it`,
        fix: "ask for CAN MANAGE RUN on its job and run the same command again; or press Repair run there: the tag is set",
      };
    // A lost reply, or somebody was faster: the version says whether the run goes on.
    const after = await lookAtRun(workspace, model, number);
    if (after.state !== "APPROVAL") return { run: "goes on" };
    if (isUnknownOutcome(error) || error.code.startsWith("http."))
      return {
        run: "waits",
        why: `${place} was not repaired: ${error.message}`,
        fix: "run the same command again; or press Repair run there: the tag is set",
      };
    throw error;
  }
}
