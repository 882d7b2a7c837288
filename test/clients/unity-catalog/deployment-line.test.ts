import { afterAll, beforeAll, expect, test } from "vitest";
import * as z from "zod";
import { caller } from "../../fakes/workspace/calls.ts";
import { hooksOf } from "../../fakes/workspace/hooks.ts";
import type { FakeWorkspace } from "../../fakes/workspace/server.ts";
import { type MlflowServer, startMlflowServer } from "../../support/mlflow-server.ts";
import type { LineAnswer, SmallLine } from "../../support/small-line.ts";
import { connect, deploymentJob, official, settled, tagsOf } from "./deployment-parts.ts";
import { startCatalogs, unityLine } from "./line-parts.ts";

let server: MlflowServer;
let fake: FakeWorkspace;
let line: SmallLine;

beforeAll(async () => {
  [server, fake] = await Promise.all([startMlflowServer(), startCatalogs()]);
  line = await unityLine(server, fake, fake.url, {
    policy(policy) {
      const stage = policy.riskTiers.medium?.prod;
      if (typeof stage === "object") stage.approvals = [{ role: "model-risk", count: 2 }];
    },
  });
}, 300_000);
afterAll(async () => {
  line?.remove();
  await fake?.stop();
  await server?.stop();
});

const told = (answer: LineAnswer) =>
  z.object({ deployment: z.looseObject({}).optional() }).parse(answer.data ?? {}).deployment;
const findings = (answer: LineAnswer) =>
  z
    .object({ findings: z.array(z.object({ verdict: z.string(), message: z.string(), fix: z.string().optional() })) })
    .parse(answer.data)
    .findings.filter((each) => each.verdict === "no");
const differences = (answer: LineAnswer) =>
  z
    .object({ environments: z.array(z.object({ environment: z.string(), differences: z.array(z.string()) })) })
    .parse(answer.data)
    .environments.flatMap((each) => each.differences);

async function good(answer: Promise<LineAnswer>): Promise<LineAnswer> {
  const said = await answer;
  expect(said.status, `${said.against.join("; ")}${said.ran.stdout}${said.ran.stderr}`).toBe(0);
  return said;
}

test("the job of prod goes on after factory's own approvals, and never for one that is given by hand", {
  timeout: 900_000,
}, async () => {
  const model = `acme_prod.${line.model}`;
  const job = await deploymentJob(fake, { "factory-prod": "CAN_MANAGE_RUN", "reader@example.com": "CAN_VIEW" });
  const { token } = fake.identity("factory-prod");
  const path = "/api/2.0/mlflow/unity-catalog/registered-models/create";
  expect((await caller(fake.url, token)("POST", path, { name: model })).status).toBe(200);
  await connect(fake, "factory-prod", model, job);
  /** What the ledger held when the approval task passed. */
  const kinds: string[][] = [];
  hooksOf(fake.state).task = ({ task, attempt }) => {
    if (task.task_key === "deploy" && attempt > 0) kinds.push(line.ledger().map((each) => each.kind));
    return undefined;
  };

  const number = await line.candidate({ text: "one" });
  expect(told(await good(line.promote(number, "test")))).toBeUndefined();
  expect(told(await good(line.approve(number, "prod", "approver")))).toBeUndefined();
  const early = await line.promote(number, "prod");
  expect(early.against.join()).toContain("approvals: 1 of 2 of role model-risk");
  await good(line.approve(number, "prod", "second"));
  const promoted = await good(line.promote(number, "prod"));
  expect(told(promoted)).toEqual({ version: "1", tasks: ["approval"], run: "goes on" });
  expect(await settled(fake, model, "1")).toBe("SUCCEEDED deploy");
  expect(kinds).toHaveLength(1);
  expect(kinds[0]).toContain("promoted");
  expect(await official(fake, "factory-prod", "look", model, "1")).toMatchObject({
    tags: { approval: "Approved" },
    run_state: "SUCCEEDED",
    result: "SUCCESS",
  });
  // The job moved nothing: nothing serves, and what comes next is what factory said.
  const status = await good(line.run("approver", ["status"]));
  expect(differences(status)).toEqual([]);
  expect(JSON.stringify(status.data)).toContain('"champion":null');
  await good(line.run("approver", ["verify"]));
  expect(told(await good(line.promote(number, "prod")))).toEqual({ version: "1", tasks: ["approval"], run: "over" });

  // Who approves reads only: what could not be done in the workspace is said, and found.
  const withdraw = (who: "approver" | "second") =>
    line.run(who, ["approve", "withdraw", number, "--to", "prod", "--reason", "a complaint came in", "--yes"]);
  const taken = await good(withdraw("approver"));
  expect(told(taken)).toMatchObject({ version: "1", tasks: [], why: expect.any(String), fix: expect.any(String) });
  await byHand("approver");
  // Given again, it counts again, whoever set the tag.
  expect(told(await good(line.approve(number, "prod", "approver")))).toMatchObject({
    tasks: [],
    why: expect.any(String),
  });
  await good(line.run("approver", ["verify"]));

  // With the right to set tags, the tag goes and comes with the approvals.
  fake.grant({ on: `function ${model}`, to: "reader@example.com", privileges: ["APPLY_TAG"] });
  expect(told(await good(withdraw("second")))).toEqual({ version: "1", tasks: ["approval"] });
  expect(tagsOf(fake, model, "1")).toEqual({});
  await good(line.run("approver", ["verify"]));
  expect(told(await good(withdraw("approver")))).toBeUndefined();
  expect(told(await good(line.approve(number, "prod", "approver"))), "one of two").toBeUndefined();
  expect(tagsOf(fake, model, "1")).toEqual({});

  // Approved in the workspace, by MLflow's own client: found, and good for nothing.
  await official(fake, "factory-prod", "approve", model, "1", "approval");
  await byHand("approver");
  const released = await line.release(number, "prod");
  expect(released.status).toBe(3);
  expect(released.against.join()).toContain("approvals: 1 of 2 of role model-risk");
  expect(told(await good(line.approve(number, "prod", "second")))).toMatchObject({ tasks: ["approval"], run: "over" });
  await good(line.run("approver", ["verify"]));
  await good(line.release(number, "prod"));
  await good(line.rollback("prod"));
  await good(line.run("approver", ["verify"]));

  async function byHand(who: "approver"): Promise<void> {
    const message = "prod v1 is approved in the workspace (approval), and no approval of the ledger counts for it";
    expect(differences(await good(line.run(who, ["status"])))).toEqual([message]);
    const verified = await line.run(who, ["verify"]);
    expect(verified.status).toBe(3);
    expect(findings(verified)).toEqual([
      {
        verdict: "no",
        message,
        fix: expect.stringContaining(`factory approve ${number} --to prod; or take the tag away`),
      },
    ]);
  }
});
