import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { walkChain } from "../../src/ledger/verify-chain.ts";
import { registered } from "../support/line.ts";
import { SPARK_READY_MS, sparkMissing } from "../support/spark/spark-server.ts";
import { type DeltaWorld, deltaWorld, lineAfter, total } from "./delta-world.ts";

/** Of unequal length, ten on average: without the guard the rest of a longer one would stand behind a shorter one. */
const BATCHES = [8, 12, 10, 6, 14];
const SINGLES = Array.from({ length: 10 }, () => 1);

describe.skipIf(sparkMissing() !== undefined)(
  "many writers on a ledger in a Delta table",
  { timeout: 3_600_000 },
  () => {
    let world: DeltaWorld;
    beforeAll(async () => {
      world = await deltaWorld();
    }, SPARK_READY_MS);
    afterAll(() => world?.end());

    test("8 writers × 5 batches of 10: all in order, no fork, no loss", async () => {
      const { table } = await world.begun();
      const { overtaken } = await world.writers(8, BATCHES, table);
      expect(overtaken).toBeGreaterThan(0);
      await world.demandChain(table, 3 + 8 * total(BATCHES));
    });
    test("4 writers × 10 single entries: all in order, no fork, no loss", async () => {
      const { table } = await world.begun();
      const { overtaken } = await world.writers(4, SINGLES, table);
      expect(overtaken).toBeGreaterThan(0);
      await world.demandChain(table, 3 + 4 * total(SINGLES));
    });
    test("the control: 8 writers × 2 blind INSERTs, and the chain forks", async () => {
      const { table, store } = await world.begun();
      const sessions = await Promise.all(Array.from({ length: 8 }, () => world.session()));
      let model = 100;
      const write = async (session: (typeof sessions)[number]): Promise<void> => {
        const reader = world.open(table, { warehouse: session });
        for (let done = 0; done < 2; done++) {
          const { lines, head } = walkChain((await reader.read()).text);
          const expected = { seq: lines, hash: head.hash };
          const entry = lineAfter(expected, registered(++model)).replace(/\\/g, "\\\\").replace(/'/g, "\\'");
          const row = `'claims-triage', ${lines + 1}, '${expected.hash}', '${entry.slice(-66, -2)}', '${entry}'`;
          await session.run(`INSERT INTO ${table} VALUES (${row})`, { only: [] });
        }
      };
      await Promise.all(sessions.map(write));
      const { lines, problems } = walkChain((await store.read()).text);
      expect(lines).toBe(3 + 8 * 2);
      expect(problems.length).toBeGreaterThan(8);
    });
  },
);
