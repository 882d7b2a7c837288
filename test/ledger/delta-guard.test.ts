import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  appendLines,
  createTable,
  type DeltaTable,
  NO_ENTRY,
  readAfter,
} from "../../src/clients/ledger-delta/statements.ts";
import type { SqlWarehouse } from "../../src/clients/sql/warehouse.ts";
import type { Head } from "../../src/ledger/entry.ts";
import { formatEntry } from "../../src/ledger/entry-line.ts";
import { walkChain } from "../../src/ledger/verify-chain.ts";
import { sqlWorld } from "../clients/sql/world.ts";
import { makePerson, registered } from "../support/line.ts";
import { DEEP } from "../support/sample.ts";
import { SPARK_READY_MS, type SparkServer, sparkMissing, sparkServer } from "../support/spark/spark-server.ts";

const ROUNDS = DEEP ? 40 : 4;
const WRITERS = DEEP ? 8 : 5;
const owner = makePerson("owner@example.com");
/** The condition that holds a chain together. */
const GUARD = / WHERE head\.hash = '[0-9a-f]{64}'(?=\) s ON )/;

describe.skipIf(sparkMissing() !== undefined)("the statement that appends", { timeout: 1_800_000 }, () => {
  let spark: SparkServer;
  let world: ReturnType<typeof sqlWorld>;
  let sql: SqlWarehouse;
  let schema = "";
  let n = 0;
  let run = 0;

  beforeAll(async () => {
    spark = await sparkServer();
    world = sqlWorld(spark);
    sql = await world.warehouse();
    schema = await spark.newSchema();
  }, SPARK_READY_MS);
  afterAll(async () => {
    await world?.end();
    await spark?.stop();
  });

  /** Lines that follow each other from this end of a chain on, which nobody else has. */
  function linesAfter(head: Head, count: number): string[] {
    const lines: string[] = [];
    for (let { seq, hash } = head; lines.length < count; seq++, hash = String(lines.at(-1)).slice(-66, -2)) {
      const place = { seq: seq + 1, at: new Date(Date.UTC(2026, 10, 25, 8, seq)), by: owner.address, prev: hash };
      lines.push(formatEntry(registered(++run), place, owner.signer));
    }
    return lines;
  }
  const written = async (statement: string, session = sql): Promise<number | string | undefined> => {
    try {
      return Number((await session.run(statement, { counts: true })).rows[0]?.num_inserted_rows);
    } catch (thrown) {
      return Object(thrown).sqlState;
    }
  };
  const chainIn = async (table: DeltaTable) => {
    const { rows } = await sql.run(readAfter(table, 0));
    const lines = [...rows].sort((a, b) => Number(a.seq) - Number(b.seq)).map(({ entry }) => String(entry));
    return { ...walkChain(Buffer.from(lines.map((line) => `${line}\n`).join(""))), lines };
  };
  const begun = async (count: number): Promise<{ table: DeltaTable; lines: string[]; head: Head }> => {
    const table = { name: `spark_catalog.${schema}.g${++n}`, project: "claims-triage" };
    await sql.run(createTable(table));
    const lines = linesAfter(NO_ENTRY, count);
    expect(await written(appendLines(table, lines, NO_ENTRY))).toBe(count);
    return { table, lines, head: (await chainIn(table)).head };
  };

  test("on an end that is none any more it writes nothing, however long the batch; without its guard it writes the rest", async () => {
    const { table, lines, head } = await begun(2);
    const first = linesAfter(head, 2);
    expect(await written(appendLines(table, first, head))).toBe(2);
    for (const count of [1, 2, 3, 9]) expect(await written(appendLines(table, linesAfter(head, count), head))).toBe(0);
    // Neither is there anything to write behind an end that never was, nor for a project that has not begun.
    const never = { seq: 4, hash: "f".repeat(64) };
    expect(await written(appendLines(table, linesAfter(never, 2), never))).toBe(0);
    expect(await written(appendLines({ ...table, project: "other" }, linesAfter(head, 2), head))).toBe(0);
    expect(await chainIn(table)).toMatchObject({ lines: [...lines, ...first], problems: [] });

    const statement = appendLines(table, linesAfter(head, 3), head);
    expect(statement).toMatch(GUARD);
    expect(await written(statement.replace(GUARD, ""))).toBe(1);
    expect((await chainIn(table)).problems.length).toBeGreaterThan(0);
  });

  test("what it read of the table is what it is committed on: one that was overtaken in between is refused", async () => {
    for (const [slow, fast] of [
      [4, 2],
      [1, 3],
    ] as const) {
      const { table, lines, head } = await begun(2);
      // It reads the end of the chain, then sleeps, then commits.
      const late = appendLines(table, linesAfter(head, slow), head).replace(
        " head WHERE ",
        " head CROSS JOIN (SELECT reflect('java.lang.Thread', 'sleep', CAST(12000 AS BIGINT)) AS slept) nap WHERE coalesce(nap.slept, '') <> 'x' AND ",
      );
      const other = await world.warehouse();
      await other.run("SELECT 1 AS a");
      const sleeping = written(late, other);
      await pause(4000);
      const quick = linesAfter(head, fast);
      expect(await written(appendLines(table, quick, head))).toBe(fast);
      expect(await sleeping).toBe("2D521");
      expect(await chainIn(table)).toMatchObject({ lines: [...lines, ...quick], problems: [] });
    }
  });

  test(`${WRITERS} at once on the same end, ${ROUNDS} times: one of them, whole, or nobody`, async () => {
    const { table, lines } = await begun(1);
    const sessions = await Promise.all(Array.from({ length: WRITERS }, () => world.warehouse()));
    await Promise.all(sessions.map((session) => session.run("SELECT 1 AS a")));
    for (let round = 0; round < ROUNDS; round++) {
      const { head } = walkChain(Buffer.from(lines.map((line) => `${line}\n`).join("")));
      const batches = sessions.map((_, k) => linesAfter(head, 1 + ((round + 3 * k) % 7)));
      const told = await Promise.all(batches.map((batch, k) => written(appendLines(table, batch, head), sessions[k])));
      const winners = batches.filter((batch, k) => told[k] === batch.length);
      expect(told.filter((each) => each !== 0 && each !== "2D521")).toHaveLength(winners.length);
      expect(winners.length).toBeLessThanOrEqual(1);
      lines.push(...winners.flat());
      expect(await chainIn(table)).toMatchObject({ lines, problems: [] });
    }
    expect(lines.length).toBeGreaterThan(ROUNDS / 2);
  });
});
