import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test, vi } from "vitest";
import { hooksOf } from "./hooks.ts";
import { holdJudged } from "./judged.ts";
import { judge } from "./python-judge.ts";
import { type FakeWorkspace, startWorkspace } from "./server.ts";
import { serving } from "./serving/state.ts";
import { statements } from "./sql/statements.ts";
import { addWarehouse } from "./sql/warehouses.ts";

const script = join(dirname(fileURLToPath(import.meta.url)), "judge-platform.py");

vi.setConfig({ testTimeout: 300_000 });

let fake: FakeWorkspace;
afterEach(() => fake?.stop());

test("the official clients drive the workspace registry, serving and jobs", async () => {
  fake = await startWorkspace({ principals: [{ name: "ann@example.com" }] });
  serving.of(fake.state).settings.polls = 2;
  hooksOf(fake.state).task = ({ task, parameters }) =>
    task.task_key === "train" && parameters.seed === "bad"
      ? { result: "FAILED", error: "seed is no number", error_trace: "Traceback" }
      : { result: "SUCCESS", logs: `seed ${parameters.seed}` };
  const { token } = fake.identity("ann@example.com");
  const seen = await judge(script, { url: fake.url, token }, ["registry", "endpoints", "work"]);
  expect(seen).toEqual({
    again: "RESOURCE_ALREADY_EXISTS",
    // The client waits until a version is READY, and gives back what create answered.
    versions: [
      ["1", "PENDING_REGISTRATION"],
      ["2", "PENDING_REGISTRATION"],
    ],
    latest: [
      ["2", "None"],
      ["1", "Production"],
    ],
    weights: "weights",
    alias: "ENDPOINT_NOT_FOUND",
    model: ["triage", "CAN_MANAGE", "team", 2],
    requests: [["Production", "evidence: https://e", "REQUESTED_TRANSITION"]],
    activity: ["APPROVED_REQUEST", "None", "Production", "ok"],
    stages: [
      ["1", "Archived"],
      ["2", "Production"],
    ],
    left: 0,
    moved: ["1", "Staging", "CAN_MANAGE"],
    comment: "seen twice",
    found: ["triage"],
    in_stage: "INVALID_STATE",
    acl: ["admins", "ann@example.com", "users"],
    ready: ["READY", "NOT_UPDATING", 1],
    entity: ["1", "DEPLOYMENT_READY", 100],
    during: ["IN_PROGRESS", "READY", 2],
    busy: "RESOURCE_CONFLICT",
    updated: 2,
    predictions: [0, 0],
    served: "v1",
    listed: ["triage"],
    tags: ["t", "n"],
    running: true,
    logs: true,
    levels: ["CAN_VIEW", "CAN_QUERY", "CAN_MANAGE"],
    gone: "RESOURCE_DOES_NOT_EXIST",
    job: ["Train"],
    same: true,
    first: "PENDING",
    done: ["TERMINATED", "SUCCESS", ["train", "register"]],
    parameter: "2",
    output: "seed 2",
    parent: "INVALID_PARAMETER_VALUE",
    failed: ["INTERNAL_ERROR", "FAILED", "RUN_EXECUTION_ERROR", ["FAILED", "UPSTREAM_FAILED"]],
    error: "seed is no number",
    repaired: ["SUCCESS", 1],
    runs: true,
    canceled: "CANCELED",
    changed: ["Train 2", ["train"]],
    owner: ["IS_OWNER", "CAN_MANAGE_RUN", "CAN_MANAGE"],
    missing: "INVALID_PARAMETER_VALUE",
  });
  await holdJudged("platform", fake.log);
});

test("databricks-sdk drives warehouses, statements, secrets and workspace files", async () => {
  fake = await startWorkspace({ principals: [{ name: "ann@example.com" }, { name: "bob@example.com" }] });
  addWarehouse(fake.state, { state: "STOPPED" });
  statements.of(fake.state).settings.chunkRows = 3;
  hooksOf(fake.state).statement = (text) =>
    text === "SELECT many"
      ? { columns: [{ name: "n", type: "BIGINT" }], rows: [..."123456"].map((n) => [n]) }
      : undefined;
  const seen = await judge(script, { url: fake.url, token: fake.identity("ann@example.com").token }, ["rest"]);
  expect(seen).toEqual({
    warehouse: "STOPPED",
    started: "RUNNING",
    statement: ["SUCCEEDED", "INT", [["1", "a"]]],
    bad: ["FAILED", "BAD_REQUEST"],
    later: ["RUNNING", "SUCCEEDED", "SUCCEEDED"],
    cancelled: "CANCELED",
    chunks: [5, true, 3, 3, [["4"], ["5"]]],
    stop: "PERMISSION_DENIED",
    scope: "RESOURCE_ALREADY_EXISTS",
    secrets: ["key"],
    scopes: ["scope"],
    value: "BAD_REQUEST",
    acls: ["ann@example.com", "users"],
    again_file: "RESOURCE_ALREADY_EXISTS",
    objects: [
      ["/files/a.txt", "FILE"],
      ["/note", "NOTEBOOK"],
    ],
    text: "text",
    note: ["PYTHON", 2],
    elsewhere: "PERMISSION_DENIED",
    deleted: "RESOURCE_DOES_NOT_EXIST",
  });
  await holdJudged("sql-and-secrets", fake.log);
});

test("they drive what is rarely asked as well", async () => {
  fake = await startWorkspace();
  const seen = await judge(script, { url: fake.url, token: fake.admin.token }, ["more"]);
  expect(seen).toEqual({
    experiments: [["/Shared/renamed", "v"]],
    deleted_run: "deleted",
    runs_deleted: 1,
    runs_restored: 1,
    logged: [{ p: "1" }, false],
    model_gone: "RESOURCE_DOES_NOT_EXIST",
    stage: "active",
    uri: true,
    models: [["n", "text"]],
    submitted: "SUCCESS",
    run_gone: "INVALID_PARAMETER_VALUE",
    reset: ["k", 0],
    put: true,
    levels: ["CAN_READ", "CAN_EDIT", "CAN_MANAGE"],
    experiment_acl: ["admin@example.com", "admins", "users"],
    house: ["users", "admins"],
    stopped: "STOPPED",
    acl: "READ",
    scopes: 0,
  });
  await holdJudged("rarely-asked", fake.log);
});
