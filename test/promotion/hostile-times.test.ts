import { afterAll, beforeAll, expect, it } from "vitest";
import { moment } from "../../src/clients/moment.ts";
import { type MlflowServer, startMlflowServer } from "../support/mlflow-server.ts";
import { makeLine, type SmallLine } from "../support/small-line.ts";

// Whoever can write to a server can make runs there, and a server can say any number.

let server: MlflowServer;
let line: SmallLine;
beforeAll(async () => {
  server = await startMlflowServer();
  line = makeLine(server);
});
afterAll(async () => {
  line?.remove();
  await server?.stop();
});

it("a run of the project that was made in no year at all keeps nobody from registering", async () => {
  await line.check(await line.train());
  const post = async (path: string, body: object) => {
    const url = `${server.uri}/api/2.0/mlflow/${path}`;
    const reply = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    expect(reply.status, await reply.clone().text()).toBe(200);
    return reply.json();
  };
  const found = await fetch(`${server.uri}/api/2.0/mlflow/experiments/get-by-name?experiment_name=${line.project}`);
  const { experiment } = JSON.parse(await found.text());
  const tags = [{ key: "factory.project", value: line.project }];
  await post("runs/create", { experiment_id: experiment.experiment_id, start_time: -9e15, tags });
  const said = await line.register();
  expect(said.status, said.ran.stdout).toBe(0);
  expect(line.ledger().map(({ kind }) => kind)).toEqual(["opened", "registered"]);
});

it.each([0, "0", 1_764_057_600_000, "1764057600000", 253_402_300_799_999])("%j is a time", (value) =>
  expect(moment.parse(value)).toBe(Number(value)),
);
it.each(["", "abc", "0x10", "1e3", " 1", "-1", -1, 1.5, 1e300, Number.NaN, 253_402_300_800_000, null])(
  "%j is none",
  (value) => expect(moment.safeParse(value).success).toBe(false),
);
