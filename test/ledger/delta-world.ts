import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { expect } from "vitest";
import { type DeltaLedger, openLedgerDelta } from "../../src/clients/ledger-delta.ts";
import type { SqlWarehouse } from "../../src/clients/sql/warehouse.ts";
import type { Fact, Head } from "../../src/ledger/entry.ts";
import { formatEntry } from "../../src/ledger/entry-line.ts";
import { walkChain } from "../../src/ledger/verify-chain.ts";
import { viewOf } from "../../src/ledger/view.ts";
import { sqlWorld } from "../clients/sql/world.ts";
import { chainOf, makePerson, opened, registered, signedPolicy } from "../support/line.ts";
import { type SparkServer, sparkServer } from "../support/spark/spark-server.ts";

export const owner = makePerson("owner@example.com");
export const policy = signedPolicy({ people: [owner] });
/** A chain of three. */
export const chain = chainOf([opened(policy), registered(1), registered(2)].map((fact) => ({ fact, by: owner })));
export const minute = (n: number) => new Date(Date.UTC(2026, 10, 25, 8, n));
export const headOf = (text: Buffer): Head => walkChain(text).head;

/** The line of a fact behind an end of a chain. */
export function lineAfter(head: Head, fact: Fact): string {
  return formatEntry(fact, { seq: head.seq + 1, at: minute(10), by: owner.address, prev: head.hash }, owner.signer);
}

export interface DeltaWorld {
  spark: SparkServer;
  /** The folder of this file's homes and caches. */
  folder: string;
  /** One session on the warehouse. */
  sql: SqlWarehouse;
  session(): Promise<SqlWarehouse>;
  freshTable(): string;
  /** A ledger with a memory of its own, if `cache` names no other. */
  open(table: string, more?: { cache?: string; project?: string; warehouse?: SqlWarehouse }): DeltaLedger;
  /** Statements whose answers nobody looks at. */
  run(...statements: string[]): Promise<void>;
  /** A chain of three in a table of its own, by a writer with a memory of its own. */
  begun(): Promise<{ table: string; store: DeltaLedger; head: Head }>;
  /** As many writers at once, each with batches of these sizes: all are in the table when it returns, none twice. Tells how often one was overtaken. */
  writers(count: number, sizes: readonly number[], table: string): Promise<{ overtaken: number }>;
  /** The table's chain holds and has so many lines. */
  demandChain(table: string, lines: number): Promise<void>;
  end(): Promise<void>;
}

export const total = (sizes: readonly number[]): number => sizes.reduce((sum, size) => sum + size, 0);

export async function deltaWorld(): Promise<DeltaWorld> {
  const spark = await sparkServer();
  const world = sqlWorld(spark);
  const sql = await world.warehouse();
  const schema = await spark.newSchema();
  let n = 0;
  const self: DeltaWorld = {
    spark,
    folder: world.folder,
    sql,
    session: () => world.warehouse(),
    freshTable: () => `spark_catalog.${schema}.l${++n}`,
    open: (table, more = {}) =>
      openLedgerDelta({
        warehouse: more.warehouse ?? sql,
        table,
        project: more.project ?? "claims-triage",
        host: spark.url,
        walk: walkChain,
        cache: join(world.folder, "cache", more.cache ?? `c${++n}`),
      }),
    async run(...statements) {
      for (const statement of statements) await sql.run(statement, { only: [] });
    },
    async begun() {
      const table = self.freshTable();
      const store = self.open(table);
      expect(await store.begin(chain.text)).toBe(true);
      return { table, store, head: headOf(chain.text) };
    },
    async writers(count, sizes, table) {
      const told: string[] = [];
      let overtaken = 0;
      let model = 0;
      const work = async (k: number): Promise<void> => {
        const store = self.open(table, { warehouse: await self.session() });
        for (let done = 0; done < sizes.length; ) {
          const expected = headOf((await store.read()).text);
          let head = expected;
          const lines: string[] = [];
          for (let i = 0; i < (sizes[done] ?? 0); i++) {
            lines.push(lineAfter(head, registered(1000 * k + ++model)));
            head = { seq: head.seq + 1, hash: lines.at(-1)?.slice(-66, -2) ?? "" };
          }
          if (!(await store.appendAll(lines, expected))) {
            overtaken++;
            // As a person who runs the command again.
            await pause(Math.random() * 500 * count);
            continue;
          }
          done++;
          told.push(...lines);
        }
      };
      await Promise.all(Array.from({ length: count }, (_, k) => work(k + 1)));
      const text = (await self.open(table).read()).text.toString("utf8").split("\n");
      expect(told).toHaveLength(count * total(sizes));
      expect(told.filter((each) => !text.includes(each))).toEqual([]);
      return { overtaken };
    },
    async demandChain(table, lines) {
      const { text } = await self.open(table).read();
      expect(walkChain(text)).toMatchObject({ lines, problems: [] });
      expect(viewOf(text)).toMatchObject({ head: { seq: lines }, problems: [] });
    },
    async end() {
      await world.end();
      await spark.stop();
    },
  };
  return self;
}
