import { afterEach, expect, test } from "vitest";
import { type Caller, caller, textAt } from "../calls.ts";
import { hooksOf } from "../hooks.ts";
import { type FakeWorkspace, startWorkspace } from "../server.ts";
import { born, unity } from "../unity/store.ts";
import { whenReady } from "../unity/versions.ts";
import { jobs } from "./state.ts";

const P = "/api/2.2/jobs";

let fake: FakeWorkspace;
afterEach(() => fake?.stop());

async function start(): Promise<{ ann: Caller; bob: Caller }> {
  fake = await startWorkspace({ principals: [{ name: "ann@example.com" }, { name: "bob@example.com" }] });
  return {
    ann: caller(fake.url, fake.identity("ann@example.com").token),
    bob: caller(fake.url, fake.identity("bob@example.com").token),
  };
}

const task = (task_key: string, ...after: string[]): object => ({
  task_key,
  depends_on: after.map((each) => ({ task_key: each })),
  notebook_task: { notebook_path: "/x" },
});
const create = async (call: Caller, settings: object): Promise<number> =>
  Number(
    textAt((await call("POST", `${P}/create`, { name: "j", tasks: [task("train")], ...settings })).json, "job_id"),
  );
const run = async (call: Caller, body: object): Promise<number> =>
  Number(textAt((await call("POST", `${P}/run-now`, body)).json, "run_id"));

async function ended(call: Caller, run_id: number): Promise<Record<string, unknown>> {
  for (let i = 0; i < 20; i++) {
    const { json } = await call("GET", `${P}/runs/get?run_id=${run_id}`);
    if (textAt(json, "status", "state") === "TERMINATED") return json;
  }
  throw new Error("the run does not end");
}

test("a run's task may do real work, such as tracking a run of MLflow", async () => {
  const { ann } = await start();
  const experiment = textAt(
    (await ann("POST", "/api/2.0/mlflow/experiments/create", { name: "/Shared/e" })).json,
    "experiment_id",
  );
  hooksOf(fake.state).task = async ({ parameters }) => {
    const made = await ann("POST", "/api/2.0/mlflow/runs/create", {
      experiment_id: experiment,
      run_name: parameters.name,
    });
    return { result: "SUCCESS", logs: textAt(made.json, "run", "info", "run_id") };
  };
  const job_id = await create(ann, { parameters: [{ name: "name", default: "nightly" }] });
  const done = await ended(ann, await run(ann, { job_id }));
  expect(done.state).toMatchObject({ life_cycle_state: "TERMINATED", result_state: "SUCCESS" });
  const output = await ann("GET", `${P}/runs/get-output?run_id=${textAt(done, "tasks", 0, "run_id")}`);
  const tracked = await ann("GET", `/api/2.0/mlflow/runs/get?run_id=${textAt(output.json, "logs")}`);
  expect(textAt(tracked.json, "run", "info", "run_name")).toBe("nightly");
});

test("states by reads: PENDING, RUNNING, TERMINATED; a run is refused when the job is full", async () => {
  const { ann } = await start();
  jobs.of(fake.state).settings.pendingPolls = 2;
  jobs.of(fake.state).settings.runningPolls = 2;
  const job_id = await create(ann, {});
  const first = await run(ann, { job_id });
  const skipped = await run(ann, { job_id });
  expect((await ended(ann, skipped)).state).toMatchObject({
    life_cycle_state: "SKIPPED",
    result_state: "MAXIMUM_CONCURRENT_RUNS_REACHED",
  });
  const states = [];
  for (let i = 0; i < 6; i++)
    states.push(textAt((await ann("GET", `${P}/runs/get?run_id=${first}`)).json, "state", "life_cycle_state"));
  expect(states).toEqual(["PENDING", "PENDING", "RUNNING", "RUNNING", "RUNNING", "TERMINATED"]);
});

test("what is refused, and how", async () => {
  const { ann, bob } = await start();
  const job_id = await create(ann, { tasks: [task("a"), task("b", "a")] });
  const code = async (call: Caller, path: string, body?: object): Promise<string> => {
    const { status, json } = await call(body === undefined ? "GET" : "POST", `${P}/${path}`, body);
    return `${status} ${json.error_code ?? ""}`.trim();
  };
  const bad = "400 INVALID_PARAMETER_VALUE";
  expect(await code(ann, "get?job_id=1")).toBe(bad);
  expect(await code(ann, "runs/get?run_id=1")).toBe(bad);
  expect(await code(bob, `get?job_id=${job_id}`)).toBe("403 PERMISSION_DENIED");
  expect(await code(ann, "create", { name: "j", colour: 1 })).toBe("400 MALFORMED_REQUEST");
  expect(await code(ann, "create", { tasks: [task("a"), task("a")] })).toBe(bad);
  expect(await code(ann, "create", { tasks: [task("a", "b")] })).toBe(bad);
  expect(await code(ann, "create", { tasks: [task("a", "b"), task("b", "a")] })).toBe(bad);
  expect(await code(ann, "create", { tasks: [{ task_key: "a" }] })).toBe(bad);
  expect(await code(ann, "create", { tasks: [{ ...task("a"), job_cluster_key: "none" }] })).toBe(bad);
  expect(await code(ann, "create", { run_as: { user_name: "nobody@example.com" } })).toBe(bad);
  expect(await code(ann, "run-now", { job_id, job_parameters: { a: "1" }, notebook_params: { a: "1" } })).toBe(bad);
  expect(await code(ann, "run-now", { job_id, idempotency_token: "x".repeat(65) })).toBe(bad);
  expect(await code(bob, "run-now", { job_id })).toBe("403 PERMISSION_DENIED");
  expect(await code(ann, "list?limit=101")).toBe(bad);
  expect(await code(ann, "runs/list?active_only=true&completed_only=true")).toBe(bad);
  const run_id = await run(ann, { job_id });
  expect(await code(ann, "runs/delete", { run_id })).toBe("400 INVALID_STATE");
  await ended(ann, run_id);
  expect(await code(ann, "runs/repair", { run_id, rerun_tasks: ["b"], latest_repair_id: 3 })).toBe(bad);
  expect(await code(ann, "runs/repair", { run_id, rerun_tasks: ["b"] })).toBe("200");
  await ended(ann, run_id);
  expect(await code(ann, "runs/repair", { run_id, rerun_tasks: ["b"] })).toBe(bad);
  const acl = (...levels: [string, string][]): object => ({
    access_control_list: levels.map(([user_name, permission_level]) => ({ user_name, permission_level })),
  });
  const put = async (body: object): Promise<number> =>
    (await ann("PUT", `/api/2.0/permissions/jobs/${job_id}`, body)).status;
  expect(await put(acl(["bob@example.com", "CAN_VIEW"]))).toBe(400);
  expect(await put(acl(["ann@example.com", "IS_OWNER"], ["bob@example.com", "CAN_VIEW"]))).toBe(200);
  expect(await code(bob, `get?job_id=${job_id}`)).toBe("200");
  expect(await code(bob, "run-now", { job_id })).toBe("403 PERMISSION_DENIED");
});

test("a version's deployment job waits for the tag of its approval task, and goes on by a repair", async () => {
  const { ann } = await start();
  const job_id = await create(ann, {
    tasks: [task("evaluate"), task("Approval_Check", "evaluate"), task("deploy", "Approval_Check")],
    parameters: [
      { name: "model_name", default: "" },
      { name: "model_version", default: "" },
    ],
  });
  const tags = new Map<string, string>();
  const owner = born("ann@example.com", 1, undefined);
  const version = {
    version: 1,
    id: "v",
    status: "READY" as const,
    status_message: "",
    source: "s",
    run_id: undefined,
    run_tracking_server_id: undefined,
    model_id: undefined,
    comment: undefined,
    dependencies: [],
    tags,
    storage_location: "s3://x",
    created_at: 1,
    created_by: "ann@example.com",
    updated_at: 1,
    updated_by: "ann@example.com",
    deployment: undefined as
      | { run_id: string; job_id: string; run_state: string; current_task_name: string }
      | undefined,
  };
  const model = {
    ...owner,
    name: "triage",
    catalog_name: "acme",
    schema_name: "claims",
    id: "m",
    tags: new Map(),
    aliases: new Map(),
    versions: new Map([[1, version]]),
    nextVersion: 2,
    deploymentJobId: String(job_id),
  };
  unity.of(fake.state).models.set("acme.claims.triage", model);
  const ask = {
    method: "POST",
    path: "/",
    params: {},
    query: new URLSearchParams(),
    headers: {},
    body: Buffer.alloc(0),
    principal: fake.admin,
    state: fake.state,
    url: fake.url,
    orgId: fake.orgId,
    requestId: "r",
    now: Date.now,
  };
  for (const tell of whenReady) tell(ask, { model, version });
  const settled = async (): Promise<string> => {
    await expect.poll(() => version.deployment?.run_state).not.toMatch(/RUNNING|PENDING/);
    return `${version.deployment?.run_state} ${version.deployment?.current_task_name}`;
  };
  expect(await settled()).toBe("APPROVAL Approval_Check");
  const run_id = Number(version.deployment?.run_id);
  tags.set("Approval_Check", "Approved");
  expect(
    (await ann("POST", `${P}/runs/repair`, { run_id, rerun_all_failed_tasks: true, rerun_dependent_tasks: true }))
      .status,
  ).toBe(200);
  await expect.poll(() => version.deployment?.run_state).toBe("SUCCEEDED");
  expect((await ended(ann, run_id)).state).toMatchObject({ result_state: "SUCCESS" });
});
