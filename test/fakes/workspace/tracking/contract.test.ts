import { afterAll, beforeAll, expect, test } from "vitest";
import { type MlflowServer, startMlflowServer } from "../../../support/mlflow-server.ts";
import { type Caller, caller, shapeOf } from "../calls.ts";
import { type FakeWorkspace, startWorkspace } from "../server.ts";
import { CALLS, type Known } from "./contract-calls.ts";

// Where MLflow's own server offers a call of the workspace, both are asked the same and must answer alike.

let real: MlflowServer;
let fake: FakeWorkspace;
let sides: { name: string; call: Caller; known: Known }[];

beforeAll(async () => {
  fake = await startWorkspace();
  real = await startMlflowServer();
  sides = [
    { name: "mlflow", call: caller(real.uri), known: {} },
    { name: "fake", call: caller(fake.url, fake.admin.token), known: {} },
  ];
});

afterAll(async () => {
  await fake?.stop();
  await real?.stop();
});

test("the fake answers tracking calls as MLflow's own server does: status, error code, shape", async () => {
  const differences: string[] = [];
  for (const step of CALLS) {
    const answers: { status: number; code: unknown; shape: unknown }[] = [];
    for (const { call, known } of sides) {
      const reply = await call(step.method, step.path(known), step.body?.(known));
      step.learn?.(reply.json, known);
      answers.push({
        status: reply.status,
        code: reply.json.error_code,
        shape: reply.status === 200 ? shapeOf(reply.json, step.ignore) : undefined,
      });
    }
    const [left, right] = answers.map((each) => JSON.stringify(each));
    if (step.stricter === undefined && left !== right)
      differences.push(`${step.name}\n  mlflow ${left}\n  fake   ${right}`);
    if (step.stricter !== undefined && left === right) differences.push(`${step.name}: no longer ${step.stricter}`);
  }
  expect(differences.join("\n")).toBe("");
  expect(CALLS.length).toBeGreaterThan(60);
});
