import { join } from "node:path";
import { expect } from "vitest";
import { runProcess } from "../../../src/lib/run-process.ts";
import { caller, textAt } from "../../fakes/workspace/calls.ts";
import type { Hooks } from "../../fakes/workspace/hooks.ts";
import { judge } from "../../fakes/workspace/python-judge.ts";
import type { FakeWorkspace } from "../../fakes/workspace/server.ts";
import { unity } from "../../fakes/workspace/unity/store.ts";
import { processVariables, testPython } from "../../support/mlflow-server.ts";
import { root } from "../../support/paths.ts";

const task = (task_key: string, ...after: string[]): object => ({
  task_key,
  depends_on: after.map((each) => ({ task_key: each })),
  max_retries: 0,
  notebook_task: { notebook_path: "/x" },
});

export const CHAIN = [task("evaluate"), task("approval", "evaluate"), task("deploy", "approval")];
/** Two approvals of one job, as its author likes to spell them. */
export const TWO = [task("Approval_Risk"), task("approval_owner", "Approval_Risk"), task("deploy", "approval_owner")];

/** A job of the workspace's administrator, and what others may do with it. */
export async function deploymentJob(
  fake: FakeWorkspace,
  levels: Readonly<Record<string, string>>,
  tasks: readonly object[] = CHAIN,
): Promise<string> {
  const admin = caller(fake.url, fake.admin.token);
  const made = await admin("POST", "/api/2.2/jobs/create", {
    name: "deployment",
    max_concurrent_runs: 1,
    tasks,
    parameters: ["model_name", "model_version"].map((name) => ({ name, default: "" })),
  });
  const id = textAt(made.json, "job_id");
  const access_control_list = Object.entries(levels).map(([name, permission_level]) => ({
    [name.includes("@") ? "user_name" : "service_principal_name"]: fake.identity(name).name,
    permission_level,
  }));
  const given = await admin("PATCH", `/api/2.0/permissions/jobs/${id}`, { access_control_list });
  expect(given.status, JSON.stringify(given.json)).toBe(200);
  return id;
}

/** By the official clients, as one identity. */
export function official(fake: FakeWorkspace, as: string, ...argv: string[]): Promise<unknown> {
  const { token } = fake.identity(as);
  return judge(join(import.meta.dirname, "deployment-judge.py"), { url: fake.url, token }, argv);
}

/** The approval task of the template, played by its own Python and MLflow's client. */
export function templateApproval(fake: FakeWorkspace, as: string): NonNullable<Hooks["task"]> {
  const script = join(root, "templates/batch-scoring/files/src/{{ package }}.liquid/approval.py");
  return async ({ task: { task_key }, parameters }) => {
    if (task_key !== "approval") return undefined;
    const { bin } = await testPython();
    const { model_name = "", model_version = "" } = parameters;
    const ran = await runProcess({
      argv: [join(bin, "python"), script, `--model=${model_name}`, `--version=${model_version}`, `--task=${task_key}`],
      cwd: root,
      env: {
        ...processVariables(),
        HOME: "/nowhere",
        DATABRICKS_HOST: fake.url,
        DATABRICKS_TOKEN: fake.identity(as).token,
        MLFLOW_TRACKING_URI: "databricks",
        MLFLOW_DISABLE_TELEMETRY: "true",
      },
      timeoutMs: 120_000,
    });
    return ran.status === 0 ? { result: "SUCCESS", logs: ran.stdout } : { result: "FAILED", error: ran.stderr };
  };
}

/** Connects a registered model to a job, as its owner does. */
export async function connect(fake: FakeWorkspace, as: string, model: string, job: string): Promise<void> {
  const { token } = fake.identity(as);
  const body = { name: model, deployment_job_id: job };
  const said = await caller(fake.url, token)("PATCH", "/api/2.0/mlflow/unity-catalog/registered-models/update", body);
  expect(said.status, JSON.stringify(said.json)).toBe(200);
}

/** Where the run of a version has come to, once it moves no more: `APPROVAL approval`. */
export async function settled(fake: FakeWorkspace, model: string, version: string): Promise<string> {
  const state = () => unity.of(fake.state).models.get(model)?.versions.get(Number(version))?.deployment;
  await expect.poll(() => state()?.run_state, { timeout: 90_000 }).toMatch(/^(?!RUNNING|PENDING)./);
  return `${state()?.run_state} ${state()?.current_task_name}`;
}

export function tagsOf(fake: FakeWorkspace, model: string, version: string): Record<string, string> {
  const tags = unity.of(fake.state).models.get(model)?.versions.get(Number(version))?.tags ?? new Map();
  return Object.fromEntries([...tags].filter(([key]) => /^approval/i.test(key)));
}
