import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { contract, judge, makeFolder, verdictOf, writeParquet } from "./harness.ts";

const NAN_IN_RANGE = join(import.meta.dirname, "fixtures", "nan-in-range.parquet");
let folder: ReturnType<typeof makeFolder>;
beforeAll(() => {
  folder = makeFolder();
});
afterAll(() => folder.remove());

describe("NaN never passes, also where the file's statistics leave it out", () => {
  const rules = contract(`properties:
  - { name: x, logicalType: number, logicalTypeOptions: { minimum: 0, maximum: 1 } }
  - { name: f, logicalTypeOptions: { minimum: 0 } }
quality:
  - { type: sql, query: "select avg(x) from t", mustBeBetween: [0, 1] }
  - { type: sql, query: "select max(x) from t", mustBeLessOrEqualTo: 1 }
  - { type: sql, query: "select count(*) from t where not (x between 0 and 1)", mustBe: 0 }
  - { type: sql, query: "select max(x) from t", mustNotBe: 7 }`);
  test("in a Parquet file of another writer", async () => {
    const report = await judge(rules, NAN_IN_RANGE);
    expect(report.verdict).toBe("fail");
    for (const id of ["t.x.logicalType", "t.x.minimum", "t.f.minimum"])
      expect(verdictOf(report, id)).toMatchObject({ verdict: "fail", failedRows: 5, totalRows: 100 });
    for (const i of [0, 1, 2, 3]) expect(verdictOf(report, `t.quality[${i}]`).verdict).toBe("fail");
    expect(verdictOf(report, "t.x.minimum").examples.map((example) => example.row)).toEqual([4, 31, 58]);
  });
  test.each(["nan", "NaN", "inf", "-Infinity", "1e999", "0x1F", "1_000", "1,5", " 1", "", "abc"])(
    "as text: %j is no number in the range",
    async (value) => {
      const file = folder.write("text/t.csv", `x\n0.5\n"${value}"\n`);
      const report = await judge(
        contract(
          "properties:\n  - { name: x, logicalType: number, required: true, logicalTypeOptions: { minimum: 0 } }",
        ),
        file,
      );
      expect(report.checks.filter((check) => check.verdict === "fail").map((check) => check.id)).toEqual(
        value === "" ? ["t.x.required"] : ["t.x.logicalType", "t.x.minimum"],
      );
    },
  );
});

const EVERYTHING = contract(`properties:
  - { name: k, logicalType: string, required: true, unique: true, logicalTypeOptions: { minLength: 1, pattern: "." } }
  - { name: x, logicalType: number, logicalTypeOptions: { minimum: 0, maximum: 1 }, quality: [ { metric: nullValues, mustBeLessThan: 10, unit: percent } ] }
  - { name: s, logicalType: string, enum: [a, b] }
quality:
  - { type: sql, query: "select avg(x) from {model}", mustBeBetween: [0, 1], name: mean }
  - { type: sql, query: "select count(*) from {object} where x > 1", mustBe: 0 }`);

describe("no rows, no values, no column, no rules: never a pass", () => {
  test("a file with a header only", async () => {
    const report = await judge(EVERYTHING, folder.write("empty/t.csv", "k,x,s\n"));
    expect(report).toMatchObject({ verdict: "fail", source: { rows: 0 } });
    expect(verdictOf(report, "t.rows").verdict).toBe("fail");
    const passed = report.checks.filter((check) => check.verdict === "pass");
    expect(passed.map((check) => check.kind)).toEqual(["column", "column", "column"]);
    expect(verdictOf(report, "t.quality[0]").found).toMatch(/NULL/);
  });
  test("the same as Parquet", async () => {
    const report = await judge(
      EVERYTHING,
      await writeParquet(join(folder.path, "t.parquet"), "select 'a' as k, 0.5::double as x, 'a' as s where false"),
    );
    expect(report.verdict).toBe("fail");
    expect(
      report.checks.filter((check) => check.verdict === "pass" && check.kind !== "column" && check.kind !== "type"),
    ).toEqual([]);
  });
  test("an empty file, and one of blank lines", async () => {
    for (const text of ["", "\n\n", "\uFEFF"])
      expect((await judge(EVERYTHING, folder.write("nothing/t.csv", text))).verdict).toBe("fail");
  });
  test("a contract may allow no rows in so many words; its rules about rows are still not passes", async () => {
    const rules = contract(
      "properties:\n  - { name: k, logicalType: string }\nquality:\n  - { metric: rowCount, mustBeGreaterOrEqualTo: 0 }",
    );
    const report = await judge(rules, folder.write("allowed/t.csv", "k\n"));
    expect(verdictOf(report, "t.k.logicalType").verdict).toBe("not-evaluated");
    expect(verdictOf(report, "t.quality[0]").verdict).toBe("pass");
  });
  test("a column of nothing but empty values", async () => {
    const report = await judge(EVERYTHING, folder.write("nulls/t.csv", "k,x,s\na,,a\nb,,b\nc,,\n"));
    expect(verdictOf(report, "t.x.minimum")).toMatchObject({ verdict: "not-evaluated", found: "every value is empty" });
    expect(verdictOf(report, "t.x.quality[0]")).toMatchObject({ verdict: "fail", failedRows: 3 });
    expect(verdictOf(report, "t.quality[0]")).toMatchObject({ verdict: "not-evaluated", blocks: true });
    expect(verdictOf(report, "t.s.enum").verdict).toBe("pass");
  });
  test("a missing column fails its presence, its rules are not judged, all others run", async () => {
    const report = await judge(EVERYTHING, folder.write("missing/t.csv", "k,X,s\na,0.5,a\nb,0.5,c\n"));
    expect(verdictOf(report, "t.x.column")).toMatchObject({
      verdict: "fail",
      found: expect.stringContaining('the data has "X"'),
    });
    for (const id of ["t.x.logicalType", "t.x.minimum", "t.x.quality[0]"])
      expect(verdictOf(report, id)).toMatchObject({ verdict: "not-evaluated", blocks: true });
    expect(verdictOf(report, "t.k.unique").verdict).toBe("pass");
    expect(verdictOf(report, "t.s.enum")).toMatchObject({ verdict: "fail", failedRows: 1 });
    expect(report.source.undeclaredColumns).toEqual(["X"]);
  });
  test("a column that the header has twice", async () => {
    const report = await judge(
      contract("properties:\n  - { name: k, required: true }"),
      folder.write("twice/t.csv", "k,k\na,\n"),
    );
    expect(verdictOf(report, "t.k.column").found).toMatch(/more than once/);
    expect(report.verdict).toBe("fail");
  });
  test.each([
    ["no rules at all", ""],
    ["no properties", "properties: []"],
    ["only prose", "quality:\n  - { type: text, description: It is nice. }"],
    ["only another engine's rules", "quality:\n  - { type: custom, engine: soda, implementation: 'x' }"],
  ])("%s", async (_name, body) => {
    const report = await judge(contract(body), folder.write("norules/t.csv", "k\na\n"));
    expect(report).toMatchObject({ verdict: "fail", reason: "the contract has no check that was executed" });
  });
  test("prose and foreign rules are listed with their reason and hold nothing up", async () => {
    const rules = contract(
      "properties:\n  - { name: k, required: true, quality: [ { type: text, description: It is nice. }, { type: custom, engine: soda, implementation: 'x' } ] }",
    );
    const report = await judge(rules, folder.write("listed/t.csv", "k\na\n"));
    expect(report.verdict).toBe("pass");
    expect(verdictOf(report, "t.k.quality[0]")).toMatchObject({
      verdict: "not-evaluated",
      blocks: false,
      label: "It is nice.",
      found: "not executed: a rule in prose",
    });
    expect(verdictOf(report, "t.k.quality[1]").found).toMatch(/a rule for "soda"/);
  });
});

describe("broken files are errors with a reason that quotes no data", () => {
  test.each([
    ["a field too many", "k,x,s\na,1,a,secret\n", /4 fields where the header has 3/],
    ["a field too few", "k,x,s\na,1\n", /2 fields where the header has 3/],
    ["an open quote", 'k,x,s\n"secret,1,a\n', /quote/],
    ["not UTF-8", Buffer.from([0x6b, 0x2c, 0x78, 0x2c, 0x73, 10, 0xff, 0x2c, 0x31, 0x2c, 0x61, 10]), /UTF-8/],
  ])("%s", async (_name, data, reason) => {
    const report = await judge(EVERYTHING, folder.write("broken/t.csv", data));
    expect(report.verdict).not.toBe("pass");
    expect(report.checks.filter((check) => check.verdict === "pass" && check.kind !== "column")).toEqual([]);
    expect(verdictOf(report, "t.k.required").found).toMatch(reason);
    expect(JSON.stringify(report)).not.toContain("secret");
  });
  test("a cut-off Parquet file throws", async () => {
    await expect(judge(EVERYTHING, folder.write("cut/t.parquet", "PAR1 and then nothing"))).rejects.toMatchObject({
      code: "data.unreadable",
      exit: 4,
    });
  });
  test.each([
    ["no such file", "none/t.csv", "data.missing"],
    ["a folder", ".", "data.kind"],
  ])("%s is a usage error", async (_name, name, code) => {
    await expect(judge(EVERYTHING, join(folder.path, name))).rejects.toMatchObject({ code, exit: 2 });
  });
  test("another format is a usage error", async () => {
    await expect(judge(EVERYTHING, folder.write("t.xlsx", "PK"))).rejects.toMatchObject({ code: "data.format" });
  });
});

describe("one broken rule takes no other with it", () => {
  test("a pattern that the engine refuses, next to good rules", async () => {
    const rules = contract(`properties:
  - { name: k, logicalType: string, required: true, logicalTypeOptions: { pattern: "(?=a)" } }
  - { name: s, logicalType: string, enum: [a] }`);
    const report = await judge(rules, folder.write("re/t.csv", "k,s\na,b\n"));
    expect(verdictOf(report, "t.k.pattern")).toMatchObject({ verdict: "error", blocks: true });
    expect(verdictOf(report, "t.k.required").verdict).toBe("pass");
    expect(verdictOf(report, "t.s.enum").verdict).toBe("fail");
  });
  test("two rules of one metric on one column", async () => {
    const rules = contract(
      "properties:\n  - name: x\n    quality:\n      - { metric: nullValues, mustBe: 0 }\n      - { metric: nullValues, mustBeLessOrEqualTo: 50, unit: percent }",
    );
    const report = await judge(rules, folder.write("two/t.csv", "x,y\na,1\n,2\n"));
    expect([0, 1].map((i) => verdictOf(report, `t.x.quality[${i}]`).verdict)).toEqual(["fail", "pass"]);
  });
});
