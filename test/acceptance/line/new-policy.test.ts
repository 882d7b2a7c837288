import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openMlflow } from "../../../src/clients/mlflow/open-mlflow.ts";
import { type MlflowServer, startMlflowServer } from "../../support/mlflow-server.ts";
import { makeLine, type SmallLine } from "../../support/small-line.ts";

let server: MlflowServer;
let line: SmallLine;
beforeAll(async () => {
  server = await startMlflowServer();
  line = makeLine(server, {
    policy: (policy) => {
      policy.roles = { ...policy.roles, "model-risk": ["approver@example.com"] };
      delete policy.people?.["second@example.com"];
    },
  });
  const number = await line.candidate();
  for (const step of [
    () => line.promote(number, "test"),
    () => line.approve(number, "prod"),
    () => line.promote(number, "prod"),
    () => line.release(number, "prod"),
  ]) {
    const said = await step();
    if (said.status !== 0) throw new Error(said.ran.stdout + said.ran.stderr);
  }
});
afterAll(async () => {
  line?.remove();
  await server?.stop();
});

const tail = (count: number) =>
  line
    .ledger()
    .slice(-count)
    .map(({ kind, by }) => `${kind} ${by}`);

describe("a policy that its owners signed, adopted by whatever writes first", () => {
  it("lets somebody whom it adds roll back at once", async () => {
    const back = () => line.run("second", ["rollback", "--env", "prod", "--reason", "escalations doubled", "--yes"]);
    expect((await back()).status).toBe(3);
    line.writePolicy((policy) => {
      policy.version = 2;
      policy.people = {
        ...policy.people,
        "second@example.com": { keys: [{ key: line.people.second.signer.publicKey, from: "2026-01-01" }] },
      };
    });
    const said = await back();
    expect(said.status, said.ran.stdout).toBe(0);
    expect(tail(3)).toEqual([
      "policy.adopted second@example.com",
      "rollback.started second@example.com",
      "rolledback second@example.com",
    ]);
    expect((await openMlflow(server.uri, { variables: {} }).registry.model(`prod.${line.model}`))?.aliases).toEqual({});
  });

  it("lets an owner whom it names take back somebody's approval at once", async () => {
    line.writePolicy((policy) => {
      policy.version = 3;
      policy.roles = { ...policy.roles, "policy-owner": ["owner@example.com", "second@example.com"] };
    });
    const said = await line.run("second", [
      "approve",
      "withdraw",
      "1",
      "--to",
      "prod",
      "--reason",
      "a complaint came in",
    ]);
    expect(said.status, said.ran.stdout).toBe(0);
    expect(tail(2)).toEqual(["policy.adopted second@example.com", "approval.withdrawn second@example.com"]);
    const verified = await line.run("second", ["verify"]);
    expect(verified.status, verified.ran.stdout).toBe(0);
  });
});
