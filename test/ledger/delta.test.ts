import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as z from "zod";
import { EMPTY_HEAD } from "../../src/ledger/entry.ts";
import { openLedger } from "../../src/ledger/open-ledger.ts";
import { walkChain } from "../../src/ledger/verify-chain.ts";
import { viewOf } from "../../src/ledger/view.ts";
import { factory, makeHome } from "../support/factory.ts";
import { chainOf, opened, registered, signedPolicy } from "../support/line.ts";
import { SPARK_READY_MS, sparkMissing } from "../support/spark/spark-server.ts";
import { type DeltaWorld, deltaWorld, headOf, lineAfter, minute, owner, policy, total } from "./delta-world.ts";

const document = z.object({ data: z.unknown().optional(), error: z.object({ code: z.string() }).optional() });

describe.skipIf(sparkMissing() !== undefined)("a ledger in a Delta table", { timeout: 900_000 }, () => {
  const home = makeHome();
  let world: DeltaWorld;
  beforeAll(async () => {
    world = await deltaWorld();
  }, SPARK_READY_MS);
  afterAll(async () => {
    home.remove();
    await world?.end();
  });

  test("the first entry makes the table; an entry is taken only on the head that was expected", async () => {
    const { sql } = world;
    const table = world.freshTable();
    const actor = { by: owner.address, signer: owner.signer };
    const ledger = openLedger(world.open(table), "claims-triage");
    expect(await ledger.view()).toMatchObject({ entries: [], head: EMPTY_HEAD, problems: [], policy: undefined });
    expect(await ledger.append(opened(policy), actor, EMPTY_HEAD, minute(0))).toMatchObject({ seq: 1 });
    const { head } = await ledger.view();
    expect(await ledger.append(registered(1), actor, EMPTY_HEAD, minute(1))).toBeUndefined();
    expect(await ledger.append(registered(1), actor, head, minute(1))).toMatchObject({ seq: 2 });
    const other = world.open(table);
    expect(await other.append(lineAfter(head, registered(2)), head)).toBe(false);
    expect(viewOf((await other.read()).text)).toMatchObject({ head: { seq: 2 }, problems: [] });
    const { rows } = await sql.run(`SHOW TBLPROPERTIES ${table}`);
    expect(rows).toEqual(
      expect.arrayContaining([
        { key: "delta.appendOnly", value: "true" },
        { key: "delta.isolationLevel", value: "Serializable" },
      ]),
    );
  });

  test("UPDATE and DELETE are refused by the table itself", async () => {
    const { table } = await world.begun();
    for (const statement of [
      `UPDATE ${table} SET entry = 'x' WHERE seq = 2`,
      `DELETE FROM ${table} WHERE seq = 3`,
      `INSERT OVERWRITE ${table} SELECT * FROM ${table} WHERE seq = 1`,
      `TRUNCATE TABLE ${table}`,
    ])
      await expect(world.sql.run(statement, { only: [] })).rejects.toMatchObject({ sqlState: "42809", answered: true });
    expect(await world.open(table).inspect()).toEqual([]);
  });

  const small = { batches: { writers: 3, sizes: [8, 12] }, singles: { writers: 3, sizes: [1] } };
  test("3 writers × 2 batches and 3 single entries: all in order, no fork, no loss", async () => {
    const { table } = await world.begun();
    await world.writers(small.batches.writers, small.batches.sizes, table);
    await world.writers(small.singles.writers, small.singles.sizes, table);
    const lines = [small.batches, small.singles].reduce((sum, each) => sum + each.writers * total(each.sizes), 3);
    await world.demandChain(table, lines);
  });

  test("the control: with a blind INSERT the chain forks", async () => {
    const { table, head } = await world.begun();
    const sessions = await Promise.all([1, 2, 3].map(() => world.session()));
    await Promise.all(
      sessions.map(async (session, k) => {
        const entry = lineAfter(head, registered(100 + k))
          .replace(/\\/g, "\\\\")
          .replace(/'/g, "\\'");
        const row = `'claims-triage', ${head.seq + 1}, '${head.hash}', '${entry.slice(-66, -2)}', '${entry}'`;
        await session.run(`INSERT INTO ${table} VALUES (${row})`, { only: [] });
      }),
    );
    const { lines, problems } = walkChain((await world.open(table).read()).text);
    expect([lines, problems.length]).toEqual([6, expect.any(Number)]);
    expect(problems.length).toBeGreaterThan(0);
  });

  test("RESTORE and DROP, which the table does not refuse, are found by factory ledger verify", async () => {
    const { spark } = world;
    const table = world.freshTable();
    const ledger = `{ kind: delta, profile: spark, warehouse: ${spark.warehouse.id}, table: ${table} }`;
    const named = signedPolicy({ people: [owner], ledger });
    const { text } = chainOf([opened(named), registered(1)].map((fact) => ({ fact, by: owner })));
    writeFileSync(join(home.folder, "policy.yaml"), named.text);
    writeFileSync(join(home.folder, "ledger.jsonl"), text);
    writeFileSync(join(home.variables.HOME ?? "", ".databrickscfg"), spark.profile);
    const run = async (who: string, ...args: string[]) => {
      const argv = ["ledger", ...args, "--policy", "policy.yaml", "--project", "claims-triage", "--json"];
      const cache = join(home.folder, who);
      const variables = { ...home.variables, NODE_EXTRA_CA_CERTS: spark.caFile, XDG_CACHE_HOME: cache };
      const { status, stdout } = await factory(argv, { cwd: home.folder, variables, timeoutMs: 300_000 });
      return { status, ...document.parse(JSON.parse(stdout)) };
    };
    expect((await run("writer", "copy", "--from", "ledger.jsonl")).status).toBe(0);
    const third = headOf(text);
    expect(await world.open(table).append(lineAfter(third, registered(2)), third)).toBe(true);
    expect(await run("writer", "verify")).toMatchObject({ status: 0, data: { entries: 3, problems: [] } });

    await world.run(`RESTORE TABLE ${table} TO VERSION AS OF 1`);
    expect(await run("writer", "verify")).toMatchObject({ status: 4, error: { code: "ledger.rewritten" } });
    // Whoever saw no entry that is missing is told by the table's history.
    expect(await run("stranger", "verify")).toMatchObject({
      status: 3,
      data: { entries: 2, problems: [{ seq: null, message: expect.stringContaining("is no append: RESTORE") }] },
    });

    await world.run(`DROP TABLE ${table}`);
    for (const who of ["writer", "stranger"])
      expect(await run(who, "verify"), who).toMatchObject({ status: 4, error: { code: "ledger.rewritten" } });
    // Another table of the same name, with the same chain, is another one.
    expect(await world.open(table).begin(text)).toBe(true);
    expect(await run("stranger", "verify")).toMatchObject({
      status: 3,
      data: { problems: [{ message: expect.stringContaining("was dropped") }] },
    });
  });
});
