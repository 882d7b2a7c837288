import { afterAll, beforeAll, expect, test } from "vitest";
import { statusShape } from "../../src/cli/status-lines.ts";
import { type MlflowServer, startMlflowServer } from "../support/mlflow-server.ts";
import { makeLine, type SmallLine } from "../support/small-line.ts";
import { registryOf, screen, seen } from "./world.ts";

let server: MlflowServer;
let line: SmallLine;
beforeAll(async () => {
  server = await startMlflowServer();
  line = makeLine(server, {
    policy: (draft) => {
      draft.projects = {};
    },
  });
  await line.candidate({ text: "pilot" });
}, 180_000);
afterAll(async () => {
  line.remove();
  await server.stop();
});

const verify = async (...args: string[]) => seen(await line.run("second", ["verify", ...args]));

test("a pilot that was registered has nothing to verify, and hears how it gets on", async () => {
  const { status, data, against } = await verify();
  expect({ status, against }).toEqual({ status: 0, against: [] });
  expect(data?.ledger).toMatchObject({ entries: 0, pilot: true });
  expect(data?.findings).toEqual([
    expect.objectContaining({ verdict: "note", message: expect.stringContaining("nothing to verify") }),
  ]);
  expect(data?.findings[0]?.fix).toContain("a policy owner lists it");
  const { stdout } = await screen(line, "verify");
  expect(stdout).toContain("ledger     none: a pilot is registered outside of the ledger");
  expect(stdout).not.toContain("what the ledger says");
});

test("status accuses nobody, and promises no policy that a pilot never puts in force", async () => {
  const answer = await line.run("second", ["status"]);
  const data = statusShape.parse(answer.data);
  expect(data).toMatchObject({ pilot: true, policy: { next: false } });
  expect(data.environments.flatMap((each) => each.differences)).toEqual([]);
  const { stdout } = await screen(line, "status");
  expect(stdout).toContain("a pilot: its versions are registered outside of the ledger");
  expect(stdout).toContain("a policy owner lists it");
  expect(stdout).not.toContain("puts it in force");
});

test.each([
  ["promote", "1", "--to", "test"],
  ["approve", "1", "--to", "test", "--yes"],
  ["release", "1", "--env", "test"],
  ["deploy", "1", "--env", "test"],
])("%s says what is the matter: the policy does not list it", async (...args) => {
  const { status, error, ran } = await line.run("second", args);
  expect([status, error?.code]).toEqual([2, "project.pilot"]);
  expect(error?.message).toContain("is a pilot: the policy does not list it");
  expect(ran.stdout).toContain("a policy owner lists it");
  expect(ran.stdout).not.toContain("restore");
});

test("a pilot beyond the first environment, and a ledger that somebody was told of, are no pilot's", async () => {
  const told = await verify("--policy-digest", "0".repeat(64));
  expect(told.status).toBe(3);
  expect(told.against.join()).toContain("the ledger holds no entry");
  const registry = registryOf(line);
  const trained = await line.train("by hand");
  await registry.ensureModel(`prod.${line.model}`);
  await registry.createFromRun({
    model: `prod.${line.model}`,
    tags: { "factory.digest": trained.digest },
    above: 0,
    environment: "prod",
    runId: trained.run,
    loggedModelId: trained.loggedModel,
  });
  const { status, against } = await verify();
  expect({ status, against }).toEqual({
    status: 3,
    against: ["prod v1 was made by hand: the ledger does not know it"],
  });
});

test("a ledger that is gone is no pilot's either: the anchor tells", async () => {
  const anchor = { "factory.ledger.head": `9:${"a".repeat(64)}` };
  await registryOf(line).setModelTags(`dev.${line.model}`, anchor);
  const { against } = await verify();
  expect(against.join()).toContain("entries are missing");
});
