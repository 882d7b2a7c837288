import { afterAll, beforeAll, expect, test } from "vitest";
import { type MlflowServer, startMlflowServer } from "../support/mlflow-server.ts";
import { makeLine, type SmallLine } from "../support/small-line.ts";

let server: MlflowServer;
let line: SmallLine;
beforeAll(async () => {
  server = await startMlflowServer();
  line = makeLine(server);
}, 300_000);
afterAll(async () => {
  line?.remove();
  await server?.stop();
});

test("nothing is released in the first environment, and the ledger goes on", { timeout: 300_000 }, async () => {
  const number = await line.candidate({ text: "weights" });
  const before = line.ledger().length;
  for (const more of [["--dry-run"], []]) {
    const { status, ran } = await line.release(number, "dev", ...more);
    expect(ran.stderr + ran.stdout).toContain("dev is the first environment: what is released was promoted");
    expect(status).toBe(2);
  }
  expect(line.ledger()).toHaveLength(before);
});
