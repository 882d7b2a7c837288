import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkAnswer } from "../../support/project.ts";
import { SPARK_READY_MS, type SparkServer, sparkMissing, sparkServer } from "../../support/spark/spark-server.ts";
import { type WarehouseProject, warehouseProject } from "./project.ts";

const missing = sparkMissing();
let spark: SparkServer;
let world: WarehouseProject;

beforeAll(async () => {
  if (missing !== undefined) return;
  spark = await sparkServer({ own: true });
  world = await warehouseProject(spark);
  // A query that no machine ends.
  world.project.edit(
    "contracts/claims.odcs.yaml",
    "      - type: sql\n        name: at most one self-rating\n",
    "      - { type: sql, name: endless, query: 'select count(*) from claims a join claims b on a.mdvis <> b.idp join claims c on c.mdvis <> a.idp join claims d on d.mdvis <> c.lpi', mustBe: 0 }\n      - type: sql\n        name: at most one self-rating\n",
  );
}, SPARK_READY_MS + 600_000);
afterAll(async () => {
  await world?.remove();
  await spark?.stop();
});

/** Once the statement that counts, the third, is at work on the server. */
async function whenCounting(): Promise<void> {
  const third = spark.shim.statements.length + 3;
  while (spark.shim.running < third) await pause(20);
}

describe.skipIf(missing !== undefined)("a check whose statement does not come to its end", { timeout: 600_000 }, () => {
  test("Ctrl-C cancels it on the warehouse, which was awaited before, and the check ends with 130", async () => {
    spark.warehouse.states = ["STOPPED", "STARTING", "RUNNING"];
    let interruptedAt = 0;
    const ran = await world.project.run(["check", "--only", "data", "--project-only"], {
      started: (child) =>
        void whenCounting().then(() => {
          interruptedAt = Date.now();
          child.kill("SIGINT");
        }),
      timeoutMs: 500_000,
    });
    expect([ran.status, ran.stderr]).toEqual([130, expect.stringContaining("interrupted")]);
    expect(ran.stderr).toContain("stopped: waiting for it");
    expect(Date.now() - interruptedAt).toBeLessThan(30_000);
    // Its tasks are no measure: a join of this kind looks for its end once a row only.
    const cancelled = [{ before: "running", after: "cancelled" }];
    await expect.poll(() => spark.shim.cancelled, { timeout: 60_000, interval: 100 }).toEqual(cancelled);
  });
  test("a server that is killed in its middle is exit 4 and says so, never a pass", async () => {
    const ran = await world.project.run(["check", "--only", "data", "--project-only", "--json"], {
      started: () => void whenCounting().then(() => spark.kill()),
      timeoutMs: 500_000,
    });
    const { status, error } = checkAnswer(ran);
    expect([status, error]).toMatchObject([4, { exit: 4, code: "check.could-not-tell" }]);
    expect(error?.problems).toEqual([
      {
        message: expect.stringMatching(/^data: SQL warehouse \w+ of .* (?:did not answer: |answered with HTTP 5)/),
      },
    ]);
  });
});
