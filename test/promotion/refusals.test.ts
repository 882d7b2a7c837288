import { afterAll, beforeAll, expect, it } from "vitest";
import { type MlflowServer, startMlflowServer } from "../support/mlflow-server.ts";
import { makeLine } from "../support/small-line.ts";

let server: MlflowServer;
beforeAll(async () => {
  server = await startMlflowServer();
});
afterAll(() => server.stop());

it("goes the whole way when nothing is against it", async () => {
  const line = makeLine(server);
  const number = await line.candidate();
  const test = await line.promote(number, "test");
  expect(test.against).toEqual([]);
  expect((await line.approve(number, "prod")).against).toEqual([]);
  expect((await line.promote(number, "prod")).against).toEqual([]);
  expect((await line.release(number, "prod")).against).toEqual([]);
  expect((await line.rollback("prod")).against).toEqual([]);
  line.remove();
});
