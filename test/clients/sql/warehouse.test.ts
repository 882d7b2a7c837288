import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SqlWarehouse } from "../../../src/clients/sql/warehouse.ts";
import type { TaskEvent } from "../../../src/lib/progress.ts";
import { DEEP } from "../../support/sample.ts";
import { SPARK_READY_MS, type SparkServer, sparkMissing, sparkServer } from "../../support/spark/spark-server.ts";
import { sqlWorld } from "./world.ts";

/** Whoever cancels waits three seconds for an answer; on a busy machine it comes later. */
const AWAITED = { timeout: 60_000, interval: 100 };

describe.skipIf(sparkMissing() !== undefined)("a SQL warehouse", { timeout: 300_000 }, () => {
  let spark: SparkServer;
  let world: ReturnType<typeof sqlWorld>;
  let sql: SqlWarehouse;
  beforeAll(async () => {
    spark = await sparkServer();
    world = sqlWorld(spark);
    sql = await world.warehouse();
  }, SPARK_READY_MS);
  afterAll(async () => {
    await world?.end();
    await spark?.stop();
  });

  test("plain columns come as they are, in UTC; a statement has an id", async () => {
    const { rows, statement } = await sql.run(
      "SELECT 'a\\\\b\\'\\n\u{1d11e}' AS s, 2147483647 AS i, true AS b, CAST(0.1 AS DOUBLE) AS d, CAST(NULL AS STRING) AS n, " +
        "CAST(9007199254740993 AS STRING) AS big, current_timezone() AS zone",
    );
    expect(rows).toEqual([
      { s: "a\\b'\n\u{1d11e}", i: 2147483647, b: true, d: 0.1, n: null, big: "9007199254740993", zone: "UTC" },
    ]);
    expect(statement).toMatch(/^[0-9a-f-]{36}$/);
  });

  test.each([
    "CAST(1 AS BIGINT)",
    "CAST(1 AS DECIMAL(10, 2))",
    "DATE '2026-01-01'",
    "TIMESTAMP '2026-01-01 00:00:00'",
    "named_struct('a', 'say \"x\"')",
    "array(1)",
    "map('a', 1)",
    "X'00'",
  ])("a column that the driver would bend is refused: %s", async (value) => {
    await expect(sql.run(`SELECT ${value} AS v`)).rejects.toMatchObject({
      code: "sql.column",
      exit: 4,
      message: expect.stringContaining("column v"),
    });
  });

  test("what the warehouse refuses says so in a line: state and class, no stack", async () => {
    const refused = await sql.run("SELECT * FROM nowhere").catch((thrown: unknown) => thrown);
    expect(refused).toMatchObject({
      code: "data.query",
      exit: 4,
      sqlState: "42P01",
      errorClass: "TABLE_OR_VIEW_NOT_FOUND",
      answered: true,
    });
    expect(String(refused)).not.toMatch(/\n|\tat |org\.apache|java\./);
    await expect(sql.run("SELEC 1")).rejects.toMatchObject({ sqlState: "42601" });
    await expect(sql.run("SELECT CAST('x' AS INT) AS v")).rejects.toMatchObject({ sqlState: "22018" });
  });

  test("an abort cancels the statement on the warehouse", async () => {
    const abort = new AbortController();
    const session = await world.warehouse();
    await session.run("SELECT 1 AS a");
    const long = session.run(
      "SELECT CAST(count(*) AS STRING) AS n FROM range(0, 100000000000, 1, 2) WHERE sha2(CAST(id AS STRING), 512) = 'x'",
      {
        signal: abort.signal,
      },
    );
    // Needs a place among the workers of the server, of which the long statement has taken all.
    const probing = await world.warehouse();
    const probe = "SELECT CAST(count(*) AS STRING) AS n FROM range(0, 64, 1, 2) WHERE id >= 0";
    let waiting: Promise<unknown> | undefined;
    while (waiting === undefined) {
      const asked = probing.run(probe).then(({ rows }) => rows);
      if ((await Promise.race([asked, pause(8000)])) === undefined) waiting = asked;
    }
    abort.abort(new Error("interrupted"));
    const started = Date.now();
    await expect(long).rejects.toThrow("interrupted");
    expect(Date.now() - started).toBeLessThan(15_000);
    await expect.poll(() => spark.shim.cancelled, AWAITED).toEqual([{ before: "running", after: "cancelled" }]);
    // It got nothing as long as the statement ran.
    expect(await Promise.race([waiting, pause(60_000)])).toEqual([{ n: "64" }]);
    expect((await session.run("SELECT 2 AS a")).rows).toEqual([{ a: 2 }]);
  });

  test("a stopped warehouse is awaited with a message, never for longer than the limit; one that is not there is named", async () => {
    const told: TaskEvent[] = [];
    spark.warehouse.states = ["STOPPED", "STARTING", "RUNNING"];
    const session = await world.warehouse({ report: (event) => told.push(event), pollMs: 20 });
    expect((await session.run("SELECT 1 AS a")).rows).toEqual([{ a: 1 }]);
    expect(told[0]).toMatchObject({ type: "task.started", label: expect.stringContaining("is stopped") });
    expect(told.at(-1)).toMatchObject({ type: "task.finished", outcome: "done" });
    spark.warehouse.states = ["STARTING"];
    const slow = await world.warehouse({ pollMs: 20, startLimitMs: 100 });
    await expect(slow.run("SELECT 1 AS a")).rejects.toMatchObject({ code: "sql.warehouse", exit: 4 });
    spark.warehouse.states = ["RUNNING"];
    const none = await world.warehouse({ id: "ffff" });
    await expect(none.run("SELECT 1 AS a")).rejects.toMatchObject({ code: "sql.warehouse" });
  });

  // It takes a server of its own; that the program ends with 4 then is tested with the data gate each time.
  test.runIf(DEEP)("a server that is killed in the middle of a statement is an error", async () => {
    const own = await sparkServer({ own: true });
    const other = sqlWorld(own);
    const session = await other.warehouse();
    await session.run("SELECT 1 AS a");
    const long = session.run(
      "SELECT CAST(count(*) AS STRING) AS n FROM range(100000000000) WHERE sha2(CAST(id AS STRING), 512) = 'x'",
    );
    setTimeout(() => own.kill(), 1500);
    await expect(long).rejects.toMatchObject({ code: "sql.unreachable", exit: 4, answered: false });
    await other.end();
    await own.stop();
  });
});
