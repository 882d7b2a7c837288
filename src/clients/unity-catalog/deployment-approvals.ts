import * as z from "zod";
import { EXIT, FactoryError } from "../../lib/error.ts";
import type { DeploymentApprovals, DeploymentRun } from "../../registry/deployment.ts";
import { withGrants } from "../databricks/grants.ts";
import type { Workspace } from "../databricks/workspace.ts";
import { letGoOn, lookAtRun, type VersionRun } from "./deployment-run.ts";
import { APPROVED, approvalTags, isApprovalTask } from "./deployment-tags.ts";
import { nothing } from "./schemas.ts";
import { ownTags } from "./tags.ts";
import { plainName, REGISTRY } from "./versions.ts";

const job = z.object({
  settings: z.object({ tasks: z.array(z.object({ task_key: z.string().max(200) })).default([]) }).prefault({}),
});
/** What a tag's key may not hold, though a task's may. */
const NO_TAG = /[.,\-=/:]/;

/** The approval tasks of MLflow's deployment jobs, which wait for a tag on the version. */
export function deploymentApprovals(workspace: Workspace, signal: AbortSignal): DeploymentApprovals {
  return {
    async approve({ model, version, job: id }) {
      const before = await lookAtRun(workspace, model, version);
      const { tasks, why, fix } = await approvalTasks(workspace, id, before);
      if (why !== undefined) return { tasks: [], run: "waits", why, ...(fix !== undefined && { fix }) };
      if (tasks.length === 0) return { tasks: [], run: "none", why: `job ${id} has no task that asks for an approval` };
      for (const key of tasks) await setTag(workspace, model, version, key);
      return { tasks, ...(await letGoOn(workspace, model, version, signal)) };
    },
    async withdraw({ model, version }) {
      const { tags } = await lookAtRun(workspace, model, version);
      const keys = approvalTags(ownTags(tags));
      for (const key of keys)
        await tagging(workspace, model, () =>
          workspace.find(
            { method: "DELETE", path: `${REGISTRY}/model-versions/delete-tag`, json: { name: model, version, key } },
            nothing,
          ),
        );
      return keys;
    },
    approved: approvalTags,
  };
}

interface Asking extends Pick<DeploymentRun, "tasks" | "why" | "fix"> {}

/** The tasks of the job that ask for an approval; where the job may not be read, the one that a run waits at. */
async function approvalTasks(workspace: Workspace, id: string, { state, task }: VersionRun): Promise<Asking> {
  const waitsAt = state === "APPROVAL" && isApprovalTask(task) ? [task] : [];
  const found = await tasksOf(workspace, id);
  if (found === "gone")
    return {
      tasks: [],
      why: `job ${id} is not there any more`,
      fix: "connect the registered model to another deployment job, or to none",
    };
  if (found === "hidden" && waitsAt.length === 0)
    return {
      tasks: [],
      why: `the tasks of job ${id} may not be read, so that it is not known which tag its approval waits for`,
      fix: `ask for CAN VIEW on job ${id}; then run the same command again`,
    };
  const tasks = found === "hidden" ? waitsAt : found.filter(isApprovalTask);
  const odd = tasks.find((key) => NO_TAG.test(key));
  if (odd === undefined) return { tasks };
  return {
    tasks: [],
    why: `task ${JSON.stringify(odd)} of job ${id} waits for a tag that Unity Catalog does not take: , . - = / : are refused in its key`,
    fix: "name the task with letters, digits and _ only",
  };
}

async function tasksOf(workspace: Workspace, id: string): Promise<readonly string[] | "hidden" | "gone"> {
  const query = { job_id: id };
  try {
    const found = await workspace.find({ method: "GET", path: "/api/2.2/jobs/get", query }, job);
    return found === undefined ? "gone" : found.settings.tasks.map((each) => each.task_key);
  } catch (error) {
    if (error instanceof FactoryError && error.exit === EXIT.outside && error.code === "http.403") return "hidden";
    throw error;
  }
}

async function setTag(workspace: Workspace, model: string, version: string, key: string): Promise<void> {
  const json = { name: model, version, key, value: APPROVED };
  await tagging(workspace, model, () =>
    workspace.demand({ method: "POST", path: `${REGISTRY}/model-versions/set-tag`, json, idempotent: true }, nothing),
  );
}

function tagging<T>(workspace: Workspace, model: string, work: () => Promise<T>): Promise<T> {
  return withGrants(workspace, [["APPLY TAG", "FUNCTION", plainName(model)]], work);
}
