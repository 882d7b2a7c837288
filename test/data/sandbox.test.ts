import { existsSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openDuckDb } from "../../src/clients/duckdb.ts";
import { checkData } from "../../src/data/check-data.ts";
import { contract, judge, makeFolder, verdictOf } from "./harness.ts";

let folder: ReturnType<typeof makeFolder>;
beforeAll(() => {
  folder = makeFolder();
});
afterAll(() => folder.remove());

function ruled(query: string): string {
  return contract(
    `properties:\n  - { name: k, required: true }\nquality:\n  - { type: sql, query: ${JSON.stringify(query)}, mustBeGreaterOrEqualTo: 0 }`,
  );
}

describe("a contract's statement reads the one file and does nothing else", () => {
  const hostile = (other: string, out: string): string[] => [
    `select count(*) from read_csv('/etc/passwd')`,
    `select count(*) from read_text('/etc/passwd')`,
    `select count(*) from read_blob('/proc/self/environ')`,
    `select count(*) from '/etc/passwd'`,
    `select count(*) from '${other}'`,
    `select count(*) from read_csv('${other}')`,
    `select count(*) from read_csv('${join(other, "..", "*.csv")}')`,
    `select count(*) from sniff_csv('${other}')`,
    `select count(*) from parquet_metadata('${other}')`,
    `select count(*) from glob('/etc/*')`,
    `select count(*) from read_csv('https://example.com/a.csv')`,
    `select count(*) from read_json('${other}')`,
    `select count(*) from query('select * from read_text(''/etc/passwd'')')`,
    `select count(*) from link_t`,
    `copy (select 1) to '${out}'`,
    `copy t to '${out}'`,
    `export database '${out}'`,
    `attach '${out}' as q`,
    `install httpfs`,
    `load httpfs`,
    `set enable_external_access = true`,
    `reset lock_configuration`,
    `pragma memory_limit='9GB'`,
    `create table z as select 1`,
    `create or replace view t as select 'x' as k`,
    `drop view t`,
    `insert into t values (1)`,
    `call duckdb_tables()`,
    `explain analyze select 1`,
    `checkpoint`,
    `select 1; select 2`,
    `select 1; copy (select 1) to '${out}'`,
    `select 1; drop view t; --`,
    `prepare a as select 1`,
    `select $1`,
    `select ?`,
    `with x as (insert into t values (1) returning *) select 1 from x`,
    `select 1 from t) union (select 2`,
    "",
    "-- nothing",
  ];
  test("refused or failing, one by one, and nothing is left behind", async () => {
    const other = folder.write("other/secret.csv", "k\nsecret\n");
    const source = folder.write("source/t.csv", "k\na\n");
    const out = join(folder.path, "source", "out.csv");
    for (const query of hostile(other, out)) {
      if (query.trim() === "") continue;
      const report = await judge(ruled(query), source);
      expect([query, verdictOf(report, "t.quality[0]").verdict]).toEqual([query, "error"]);
      expect(verdictOf(report, "t.k.required").verdict).toBe("pass");
      expect(report.verdict).toBe("error");
      expect(existsSync(out)).toBe(false);
    }
    expect(readdirSync(join(folder.path, "source"))).toEqual(["t.csv"]);
  }, 60_000);
  test("a link beside the source leads nowhere", async () => {
    const source = folder.write("linked/t.csv", "k\na\n");
    symlinkSync("/etc/passwd", join(folder.path, "linked", "p.csv"));
    const report = await judge(
      ruled(`select count(*) from read_csv('${join(folder.path, "linked", "p.csv")}')`),
      source,
    );
    expect(verdictOf(report, "t.quality[0]").verdict).toBe("error");
  });
  test.each([
    ["no row", "select 1 where false"],
    ["two rows", "select 1 union all select 2"],
    ["two columns", "select 1, 2"],
    ["text", "select 'many'"],
    ["a date", "select date '2020-01-01'"],
    ["an unknown column", "select count(nope) from {object}"],
  ])("an answer that is no number is an error: %s", async (_name, query) => {
    const report = await judge(ruled(query), folder.write("answer/t.csv", "k\na\n"));
    expect(verdictOf(report, "t.quality[0]")).toMatchObject({ verdict: "error", blocks: true });
  });
  test.each([
    "select count(*) from {object}",
    "select count(*) from {model};",
    "SELECT count(*) FROM {table} -- all",
    "with a as (select * from t) select count(*) from a",
    "from t select count(*)",
    "select count(k) > 0 from t",
  ])("a plain question is answered: %s", async (query) => {
    const report = await judge(ruled(query), folder.write("plain/t.csv", "k\na\n"));
    expect(report.verdict).toBe("pass");
  });
  test("a statement that never ends stops on abort", async () => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error("stopped by test")), 300);
    const started = performance.now();
    await expect(
      judge(
        ruled("select count(*) from range(100000000000) a, range(1000) b"),
        folder.write("endless/t.csv", "k\na\n"),
        controller.signal,
      ),
    ).rejects.toThrow("stopped by test");
    expect(performance.now() - started).toBeLessThan(5000);
  });
  test("messages about confidential data quote none of it", async () => {
    const text = contract(
      'properties:\n  - { name: k, classification: pii }\nquality:\n  - { type: sql, query: "select sum(k::int) from t", mustBe: 0 }',
    );
    const report = await judge(text, folder.write("pii/t.csv", "k\ntopsecret\n"));
    expect(verdictOf(report, "t.quality[0]").verdict).toBe("error");
    expect(JSON.stringify(report)).not.toContain("topsecret");
  });
  test("a file that changes while it is read is an error", async () => {
    const source = folder.write("changing/t.csv", "k\na\n");
    const engine = await openDuckDb({ tempFolder: join(folder.path, "spill") });
    const meddling: typeof engine = {
      ...engine,
      async select(sql, options) {
        folder.write("changing/t.csv", "k\nb\n");
        return engine.select(sql, options);
      },
    };
    const request = {
      contractPath: "c",
      contractText: ruled("select 1"),
      sourcePath: source,
      signal: new AbortController().signal,
      report: () => {},
    };
    await expect(checkData(request, meddling)).rejects.toMatchObject({ code: "data.changed", exit: 4 });
    engine.close();
  });
});
