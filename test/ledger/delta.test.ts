import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type DeltaLedger, openLedgerDelta } from "../../src/clients/ledger-delta.ts";
import type { SqlWarehouse } from "../../src/clients/sql/warehouse.ts";
import { EMPTY_HEAD, type Head } from "../../src/ledger/entry.ts";
import { formatEntry } from "../../src/ledger/line.ts";
import { openLedger } from "../../src/ledger/open-ledger.ts";
import { walkChain } from "../../src/ledger/verify-chain.ts";
import { viewOf } from "../../src/ledger/view.ts";
import { sqlWorld } from "../clients/sql/world.ts";
import { chainOf, makePerson, opened, registered, signedPolicy } from "../support/line.ts";
import { SPARK_READY_MS, type SparkServer, sparkMissing, sparkServer } from "../support/spark/spark-server.ts";

const owner = makePerson("owner@example.com");
const actor = { by: owner.address, signer: owner.signer };
const policy = signedPolicy({ people: [owner] });
const chain = chainOf([opened(policy), registered(1), registered(2)].map((fact) => ({ fact, by: owner })));
/**
 * Batches are of ten on average, and of unequal length: without the guard the rest of a longer one would stand behind a shorter one.
 * All that writers do to each other is in the small load too; the great one takes minutes.
 */
const LOAD =
  process.env.FACTORY_TEST_DEEP === "1"
    ? {
        batches: { writers: 8, sizes: [8, 12, 10, 6, 14] },
        singles: { writers: 4, sizes: Array.from({ length: 10 }, () => 1) },
      }
    : { batches: { writers: 4, sizes: [8, 12] }, singles: { writers: 3, sizes: [1, 1, 1] } };
const total = (sizes: readonly number[]): number => sizes.reduce((sum, size) => sum + size, 0);
const at = (minute: number) => new Date(Date.UTC(2026, 10, 25, 8, minute));

describe.skipIf(sparkMissing() !== undefined)("a ledger in a Delta table", { timeout: 1_800_000 }, () => {
  let spark: SparkServer;
  let world: ReturnType<typeof sqlWorld>;
  let sql: SqlWarehouse;
  let schema = "";
  let n = 0;
  const freshTable = () => `spark_catalog.${schema}.l${++n}`;
  const open = async (table: string, more: { cache?: string; project?: string; warehouse?: SqlWarehouse } = {}) =>
    openLedgerDelta({
      warehouse: more.warehouse ?? sql,
      table,
      project: more.project ?? "claims-triage",
      host: spark.url,
      walk: walkChain,
      cache: join(world.folder, "cache", more.cache ?? `c${++n}`),
    });
  const run = async (...statements: string[]) => {
    for (const statement of statements) await sql.run(statement, { only: [] });
  };
  /** A chain of three in a table of its own, by a writer whose memory is in the folder `writer`. */
  const begun = async () => {
    const table = freshTable();
    const store = await open(table, { cache: `writer${n}` });
    expect(await store.begin(chain.text)).toBe(true);
    return { table, store, head: headOf(chain.text) };
  };

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

  test("the first entry makes the table; an entry is taken only on the head that was expected", async () => {
    const table = freshTable();
    const ledger = openLedger(await open(table), "claims-triage");
    expect(await ledger.view()).toMatchObject({ entries: [], head: EMPTY_HEAD, problems: [], policy: undefined });
    expect(await ledger.append(opened(policy), actor, EMPTY_HEAD, at(0))).toMatchObject({ seq: 1 });
    const { head } = await ledger.view();
    expect(await ledger.append(registered(1), actor, EMPTY_HEAD, at(1))).toBeUndefined();
    expect(await ledger.append(registered(1), actor, head, at(1))).toMatchObject({ seq: 2 });
    const other = await open(table);
    expect(await other.append(line(registered(2), head), head)).toBe(false);
    expect(viewOf((await other.read()).text)).toMatchObject({ head: { seq: 2 }, problems: [] });
    const { rows } = await sql.run(`SHOW TBLPROPERTIES ${table}`);
    expect(rows).toEqual(
      expect.arrayContaining([
        { key: "delta.appendOnly", value: "true" },
        { key: "delta.isolationLevel", value: "Serializable" },
      ]),
    );
  });

  test("bytes of every kind come back as they were; projects do not see each other", async () => {
    const table = freshTable();
    const text =
      "quote ' and '' backslash \\ and \\n, $ {x} %s {{y}} -- /* */ ; \u00e4 \u{1d11e} \u2028 \u00a0 `t` \"q\"";
    const body = { ...registered(1).body, commit: text };
    const odd = chainOf([opened(policy), { kind: "registered" as const, body }].map((fact) => ({ fact, by: owner })));
    expect(await (await open(table)).begin(odd.text)).toBe(true);
    expect(await (await open(table, { project: "other" })).begin(chain.text)).toBe(true);
    expect((await (await open(table)).read()).text).toEqual(odd.text);
    expect((await (await open(table, { project: "other" })).read()).text).toEqual(chain.text);
    expect((await (await open(table, { project: "none" })).read()).text).toHaveLength(0);
  });

  test("only new entries are read again, and the table proves the others", async () => {
    const { table, store, head } = await begun();
    const reader = await open(table, { cache: "reader" });
    expect((await reader.read()).text).toEqual(chain.text);
    expect(await store.append(line(registered(3), head), head)).toBe(true);
    const before = spark.shim.statements.length;
    const again = await open(table, { cache: "reader" });
    const { text } = await again.read();
    expect(text.length).toBeGreaterThan(chain.text.length);
    expect(spark.shim.statements.slice(before)).toHaveLength(1);
    expect(spark.shim.statements.at(-1)).toContain("seq > 3");
    // A memory that was changed is none.
    const folder = join(world.folder, "cache", "reader");
    const [name = ""] = readdirSync(folder).filter((each) => each.endsWith(".jsonl"));
    writeFileSync(join(folder, name), readFileSync(join(folder, name), "utf8").replace("claims", "clains"));
    expect((await (await open(table, { cache: "reader" })).read()).text).toEqual(text);
  });

  test("UPDATE and DELETE are refused by the table itself", async () => {
    const { table } = await begun();
    for (const statement of [
      `UPDATE ${table} SET entry = 'x' WHERE seq = 2`,
      `DELETE FROM ${table} WHERE seq = 3`,
      `INSERT OVERWRITE ${table} SELECT * FROM ${table} WHERE seq = 1`,
      `TRUNCATE TABLE ${table}`,
    ])
      await expect(sql.run(statement, { only: [] })).rejects.toMatchObject({ sqlState: "42809", answered: true });
    expect(await (await open(table)).inspect()).toEqual([]);
  });

  test("RESTORE, DROP, and a guard that was taken away are found", async () => {
    const { table, store, head } = await begun();
    expect(await store.append(line(registered(3), head), head)).toBe(true);
    expect(await store.inspect()).toEqual([]);
    await run(`RESTORE TABLE ${table} TO VERSION AS OF 1`);
    // Whoever saw the entries misses them; whoever never did is told by the table's history.
    await expect(store.read()).rejects.toMatchObject({ code: "ledger.rewritten", exit: 4 });
    const stranger = await open(table);
    expect((await stranger.read()).text).toEqual(chain.text);
    expect(await stranger.inspect()).toEqual([
      expect.objectContaining({ verdict: "no", message: expect.stringContaining("is no append: RESTORE") }),
    ]);

    await run(
      `ALTER TABLE ${table} SET TBLPROPERTIES ('delta.appendOnly' = 'false')`,
      `DELETE FROM ${table} WHERE seq = 3`,
    );
    expect((await stranger.inspect()).map(({ message }) => message)).toEqual([
      expect.stringContaining("RESTORE"),
      expect.stringContaining("SET TBLPROPERTIES"),
      expect.stringContaining("DELETE"),
    ]);
    const shorter = headOf(Buffer.from(`${chain.lines[0]}\n${chain.lines[1]}\n`));
    const careful = await open(table);
    await expect(careful.append(line(registered(9), shorter), shorter)).rejects.toMatchObject({
      code: "ledger.table",
      message: expect.stringContaining("delta.appendOnly"),
    });

    await run(`DROP TABLE ${table}`);
    await expect(stranger.read()).rejects.toMatchObject({ code: "ledger.rewritten" });
    await expect(stranger.inspect()).rejects.toMatchObject({ code: "ledger.rewritten" });
    expect((await (await open(table)).read()).text).toHaveLength(0);
    expect(await (await open(table)).begin(chain.text)).toBe(true);
    expect(await stranger.inspect()).toEqual([
      expect.objectContaining({ verdict: "no", message: expect.stringContaining("was dropped") }),
    ]);
  });

  test("a lost answer is no second entry, and no lost one", async () => {
    const { store, table, head } = await begun();
    spark.shim.fault = { at: "reply", matches: /^MERGE/, times: 1 };
    expect(await store.append(line(registered(3), head), head)).toBe(true);
    const { text } = await (await open(table)).read();
    expect(viewOf(text)).toMatchObject({ head: { seq: 4 }, problems: [] });
    spark.shim.fault = { at: "request", matches: /^MERGE/, times: 1 };
    const next = headOf(text);
    expect(await store.append(line(registered(4), next), next)).toBe(true);
    spark.shim.fault = { at: "request", matches: /^(?:MERGE|SELECT)/, times: 40 };
    const last = headOf((await store.read().catch(() => ({ text }))).text);
    await expect(store.append(line(registered(5), last), last)).rejects.toMatchObject({
      code: "ledger.unknown",
      exit: 4,
    });
    spark.shim.fault = undefined;
  });

  test(`${LOAD.batches.writers} writers × batches of 10 and ${LOAD.singles.writers} × single entries: all in order, no fork, no loss`, async () => {
    const { table } = await begun();
    await writers(LOAD.batches.writers, LOAD.batches.sizes, table);
    await writers(LOAD.singles.writers, LOAD.singles.sizes, table);
    const { text } = await (await open(table)).read();
    const walk = walkChain(text);
    const lines = 3 + [LOAD.batches, LOAD.singles].reduce((sum, each) => sum + each.writers * total(each.sizes), 0);
    expect(walk).toMatchObject({ lines, problems: [] });
    expect(viewOf(text)).toMatchObject({ head: { seq: lines }, problems: [] });
  });

  test("the control: with a blind INSERT the chain forks", async () => {
    const { table } = await begun();
    const sessions = await Promise.all([1, 2, 3, 4].map(() => world.warehouse()));
    await Promise.all(
      sessions.map(async (session, k) => {
        const reader = await open(table, { warehouse: session });
        const head = headOf((await reader.read()).text);
        const entry = line(registered(100 + k), head)
          .replace(/\\/g, "\\\\")
          .replace(/'/g, "\\'");
        const row = `'claims-triage', ${head.seq + 1}, '${head.hash}', '${entry.slice(-66, -2)}', '${entry}'`;
        await session.run(`INSERT INTO ${table} VALUES (${row})`, { only: [] });
      }),
    );
    const { problems } = walkChain((await (await open(table)).read()).text);
    expect(problems.length).toBeGreaterThan(0);
  });

  /** Each reads the head and appends a batch on it, again and again, until its batches are in. */
  async function writers(count: number, sizes: readonly number[], table: string): Promise<void> {
    const told: string[] = [];
    const work = async (k: number): Promise<void> => {
      const store: DeltaLedger = await open(table, { warehouse: await world.warehouse(), cache: `w${count}-${k}` });
      for (let done = 0; done < sizes.length; ) {
        let head = headOf((await store.read()).text);
        const expected = head;
        const lines: string[] = [];
        for (let i = 0; i < (sizes[done] ?? 0); i++) {
          lines.push(line(registered(1000 * k + told.length + i + 1), head));
          head = { seq: head.seq + 1, hash: lines.at(-1)?.slice(-66, -2) ?? "" };
        }
        if (!(await store.appendAll(lines, expected))) {
          // As a person who runs the command again.
          await pause(Math.random() * 500 * count);
          continue;
        }
        done++;
        told.push(...lines);
      }
    };
    await Promise.all(Array.from({ length: count }, (_, k) => work(k + 1)));
    const text = (await (await open(table)).read()).text.toString("utf8").split("\n");
    expect(told).toHaveLength(count * total(sizes));
    expect(told.filter((each) => !text.includes(each))).toEqual([]);
  }

  function line(fact: ReturnType<typeof registered>, head: Head): string {
    return formatEntry(fact, { seq: head.seq + 1, at: at(10), by: owner.address, prev: head.hash }, owner.signer);
  }
});

function headOf(text: Buffer): Head {
  return walkChain(text).head;
}
