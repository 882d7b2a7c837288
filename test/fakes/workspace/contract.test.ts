import { afterAll, beforeAll, expect, test } from "vitest";
import { type MlflowServer, startMlflowServer } from "../../support/mlflow-server.ts";
import { caller } from "./calls.ts";
import { differences, type Side } from "./contract.ts";
import { REGISTRY_CALLS } from "./legacy/contract-calls.ts";
import { type FakeWorkspace, startWorkspace } from "./server.ts";
import { TRACKING_CALLS } from "./tracking/contract-calls.ts";

// Where MLflow's own server offers a call of the workspace, both are asked the same and must answer alike.

let real: MlflowServer;
let fake: FakeWorkspace;

beforeAll(async () => {
  fake = await startWorkspace();
  real = await startMlflowServer();
});

afterAll(async () => {
  await fake?.stop();
  await real?.stop();
});

const sides = (): [Side, Side] => [
  { call: caller(real.uri), known: {} },
  { call: caller(fake.url, fake.admin.token), known: {} },
];

test("the fake answers tracking calls as MLflow's own server does: status, error code, shape", async () => {
  expect((await differences(TRACKING_CALLS, ...sides())).join("\n")).toBe("");
  expect(TRACKING_CALLS.length).toBeGreaterThan(60);
});

test("the fake's workspace registry answers as MLflow's own registry does", async () => {
  // MLflow's server knows no users, and its versions say which run's parameters and metrics they have.
  const ignore = ["user_id", "params", "metrics", "model_id"];
  expect((await differences(REGISTRY_CALLS, ...sides(), ignore)).join("\n")).toBe("");
  expect(REGISTRY_CALLS.length).toBeGreaterThan(30);
});
