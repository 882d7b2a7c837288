import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { viewOf } from "../../src/ledger/view.ts";
import { chainOf, opened, registered } from "../support/line.ts";
import { SPARK_READY_MS, sparkMissing } from "../support/spark/spark-server.ts";
import { chain, type DeltaWorld, deltaWorld, headOf, lineAfter, owner, policy } from "./delta-world.ts";

describe.skipIf(sparkMissing() !== undefined)("a ledger in a Delta table, further", { timeout: 1_800_000 }, () => {
  let world: DeltaWorld;
  beforeAll(async () => {
    world = await deltaWorld();
  }, SPARK_READY_MS);
  afterAll(() => world?.end());

  test("bytes of every kind come back as they were; projects do not see each other", async () => {
    const table = world.freshTable();
    const text = [
      "quote ' and '' backslash \\ and \\n, $ {x} %s {{y}} -- /* */ ; \u00e4 \u{1d11e} \u2028 \u00a0 `t` \"q\"",
      // Written apart, since an editor takes it for a mistake: Spark would put its own variables in.
      ...["env:HOME", "spark.app.name"].map((name) => ["$", `{${name}}`].join("")),
    ].join(" ");
    const body = { ...registered(1).body, run: text };
    const odd = chainOf([opened(policy), { kind: "registered" as const, body }].map((fact) => ({ fact, by: owner })));
    expect(await world.open(table).begin(odd.text)).toBe(true);
    expect(await world.open(table, { project: "other" }).begin(chain.text)).toBe(true);
    expect((await world.open(table).read()).text).toEqual(odd.text);
    expect((await world.open(table, { project: "other" }).read()).text).toEqual(chain.text);
    expect((await world.open(table, { project: "none" }).read()).text).toHaveLength(0);
  });

  test("only new entries are read again, and the table proves the others", async () => {
    const { table, store, head } = await world.begun();
    const reader = world.open(table, { cache: "reader" });
    expect((await reader.read()).text).toEqual(chain.text);
    expect(await store.append(lineAfter(head, registered(3)), head)).toBe(true);
    const before = world.spark.shim.statements.length;
    const again = world.open(table, { cache: "reader" });
    const { text } = await again.read();
    expect(text.length).toBeGreaterThan(chain.text.length);
    expect(world.spark.shim.statements.slice(before)).toHaveLength(1);
    expect(world.spark.shim.statements.at(-1)).toContain("seq > 3");
    // A memory that was changed is none.
    const folder = join(world.folder, "cache", "reader");
    const [name = ""] = readdirSync(folder).filter((each) => each.endsWith(".jsonl"));
    writeFileSync(join(folder, name), readFileSync(join(folder, name), "utf8").replace("claims", "clains"));
    expect((await world.open(table, { cache: "reader" }).read()).text).toEqual(text);
  });

  test("RESTORE, DROP, and a guard that was taken away are found", async () => {
    const { table, store, head } = await world.begun();
    expect(await store.append(lineAfter(head, registered(3)), head)).toBe(true);
    expect(await store.inspect()).toEqual([]);
    await world.run(`RESTORE TABLE ${table} TO VERSION AS OF 1`);
    // Whoever saw the entries misses them; whoever never did is told by the table's history.
    await expect(store.read()).rejects.toMatchObject({ code: "ledger.rewritten", exit: 4 });
    const stranger = world.open(table);
    expect((await stranger.read()).text).toEqual(chain.text);
    expect(await stranger.inspect()).toEqual([
      expect.objectContaining({ verdict: "no", message: expect.stringContaining("is no append: RESTORE") }),
    ]);

    await world.run(
      `ALTER TABLE ${table} SET TBLPROPERTIES ('delta.appendOnly' = 'false')`,
      `DELETE FROM ${table} WHERE seq = 3`,
    );
    expect((await stranger.inspect()).map(({ message }) => message)).toEqual([
      expect.stringContaining("RESTORE"),
      expect.stringContaining("SET TBLPROPERTIES"),
      expect.stringContaining("DELETE"),
    ]);
    const shorter = headOf(Buffer.from(`${chain.lines[0]}\n${chain.lines[1]}\n`));
    const careful = world.open(table);
    await expect(careful.append(lineAfter(shorter, registered(9)), shorter)).rejects.toMatchObject({
      code: "ledger.table",
      message: expect.stringContaining("delta.appendOnly"),
    });

    await world.run(`DROP TABLE ${table}`);
    await expect(stranger.read()).rejects.toMatchObject({ code: "ledger.rewritten" });
    await expect(stranger.inspect()).rejects.toMatchObject({ code: "ledger.rewritten" });
    expect((await world.open(table).read()).text).toHaveLength(0);
    expect(await world.open(table).begin(chain.text)).toBe(true);
    expect(await stranger.inspect()).toEqual([
      expect.objectContaining({ verdict: "no", message: expect.stringContaining("was dropped") }),
    ]);
  });

  test("a lost answer is no second entry, and no lost one", async () => {
    const { store, table, head } = await world.begun();
    world.spark.shim.fault = { at: "reply", matches: /^MERGE/, times: 1 };
    expect(await store.append(lineAfter(head, registered(3)), head)).toBe(true);
    const { text } = await world.open(table).read();
    expect(viewOf(text)).toMatchObject({ head: { seq: 4 }, problems: [] });
    world.spark.shim.fault = { at: "request", matches: /^MERGE/, times: 1 };
    const next = headOf(text);
    expect(await store.append(lineAfter(next, registered(4)), next)).toBe(true);
    world.spark.shim.fault = { at: "request", matches: /^(?:MERGE|SELECT)/, times: 40 };
    const last = headOf((await store.read().catch(() => ({ text }))).text);
    await expect(store.append(lineAfter(last, registered(5)), last)).rejects.toMatchObject({
      code: "ledger.unknown",
      exit: 4,
    });
    world.spark.shim.fault = undefined;
  });
});
