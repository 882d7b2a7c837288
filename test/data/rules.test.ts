import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { contract, judge, makeFolder, verdictOf, writeParquet } from "./harness.ts";

let folder: ReturnType<typeof makeFolder>;
beforeAll(() => {
  folder = makeFolder();
});
afterAll(() => folder.remove());

/** Verdict and failing rows of the last check of a one-rule contract over text values; an empty string is an empty value. */
async function one(property: string, values: readonly string[]) {
  const rows = values.map((value, i) => `"${value.replaceAll('"', '""')}",${i}`).join("\n");
  const report = await judge(
    contract(`properties:\n  - { name: x, ${property} }`),
    folder.write("one/t.csv", `x,o\n${rows}\n`),
  );
  const last = report.checks.at(-1);
  return [last?.verdict, last?.failedRows];
}

describe("one rule over a CSV", () => {
  test.each<[rule: string, values: string[], verdict: string, failed: number]>([
    ["logicalType: integer", ["1", "-2", "+3", "007", "1.0", "9223372036854775807", ""], "pass", 0],
    ["logicalType: integer", ["1.5", "1e3", "0x1F", "1_000", "abc", "9223372036854775808", " 1"], "fail", 7],
    ["logicalType: number", ["1", "-.5", "1.", "1e-3", ""], "pass", 0],
    ["logicalType: boolean", ["true", "FALSE", "1", "0"], "pass", 0],
    ["logicalType: boolean", ["true", "yes", "2", "maybe"], "fail", 3],
    ["logicalType: date", ["2024-02-29", "2023-02-29", "2024-1-1", "2024-01-01 10:00", "01/02/2024"], "fail", 4],
    [
      "logicalType: date, logicalTypeOptions: { format: dd.MM.yyyy }",
      ["29.02.2024", "29.02.2023", "2024-01-01"],
      "fail",
      2,
    ],
    [
      "logicalType: timestamp",
      ["2024-01-01T10:00:00Z", "2024-01-01 10:00:00.5", "2024-01-01", "2024-01-01T25:00:00"],
      "fail",
      2,
    ],
    [
      "logicalType: date, logicalTypeOptions: { minimum: '2024-01-01', maximum: '2024-12-31' }",
      ["2024-06-01", "2023-12-31", "2025-01-01"],
      "fail",
      2,
    ],
    [
      "logicalType: string, logicalTypeOptions: { minLength: 2, maxLength: 3 }",
      ["ab", "abc", "é👍", "a", "abcd"],
      "fail",
      2,
    ],
    [
      "logicalType: string, logicalTypeOptions: { pattern: '^[A-Z]{2}[0-9]+$' }",
      ["AB1", "ab1", "AB", "xAB1", "AB1\n"],
      "fail",
      4,
    ],
    ["logicalType: string, logicalTypeOptions: { format: email }", ["a@b.ch", "a@b", "no"], "fail", 2],
    [
      "logicalType: string, logicalTypeOptions: { format: uuid }",
      ["436ab85a-0b63-400b-9dbd-59466273d954", "436ab85a"],
      "fail",
      1,
    ],
    ["logicalType: integer, logicalTypeOptions: { format: i8 }", ["127", "-128", "128"], "fail", 1],
    ["logicalType: integer, logicalTypeOptions: { multipleOf: 5 }", ["0", "-10", "7"], "fail", 1],
    ["logicalType: integer, enum: [1, 2]", ["1", "01", "2.0", "3"], "fail", 1],
    ["logicalType: string, enum: [a, 1, true]", ["a", "1", "true", "A", ""], "fail", 1],
    ["logicalType: number, enum: [0.1, 0.2]", ["0.1", "0.20", "0.3"], "fail", 1],
    ["required: true", ["a", "", "b"], "fail", 1],
    ["unique: true", ["a", "b", "b", "", ""], "fail", 2],
    ["logicalType: integer, unique: true", ["1", "01", "1.0", "2"], "fail", 3],
    ["logicalType: number, unique: true", ["0", "-0", "0.5"], "fail", 2],
    ["primaryKey: true", ["a", "b", "b"], "fail", 2],
    ["quality: [{ metric: nullValues, mustBeLessThan: 50, unit: percent }]", ["a", "", "b", ""], "fail", 2],
    ["quality: [{ metric: nullValues, mustBeLessOrEqualTo: 50, unit: percent }]", ["a", "", "b", ""], "pass", 2],
    [
      "quality: [{ metric: missingValues, arguments: { missingValues: [null, N/A] }, mustBe: 2 }]",
      ["a", "", "N/A"],
      "pass",
      2,
    ],
    [
      "logicalType: number, quality: [{ metric: missingValues, arguments: { missingValues: [N/A, -999] }, mustBe: 0 }]",
      ["1", "-999.0", "N/A", ""],
      "fail",
      3,
    ],
    [
      "quality: [{ metric: invalidValues, arguments: { validValues: [a, b] }, mustBe: 0 }]",
      ["a", "b", "c", ""],
      "fail",
      1,
    ],
    [
      "quality: [{ metric: invalidValues, arguments: { validValues: [ab, b], pattern: '^a' }, mustBe: 0 }]",
      ["ab", "b", "ac"],
      "fail",
      2,
    ],
    ["quality: [{ metric: duplicateValues, mustBeLessOrEqualTo: 2 }]", ["a", "a", "a", "b"], "pass", 3],
    ["quality: [{ metric: duplicateValues, mustBeLessThan: 2 }]", ["a", "a", "a", "b"], "fail", 3],
    ["quality: [{ rule: duplicateValues, mustBe: 0 }]", ["a", "a"], "fail", 2],
  ])("%s of %j: %s", async (rule, values, verdict, failed) => {
    expect(await one(rule, values)).toEqual([verdict, failed]);
  });
});

describe("duplicates", () => {
  test("both figures are named: values too many, and all rows involved", async () => {
    const report = await judge(
      contract("properties:\n  - { name: k, unique: true }"),
      folder.write("dup/t.csv", "k,o\na,1\nb,2\nb,3\nb,4\nc,5\nc,6\n"),
    );
    expect(verdictOf(report, "t.k.unique")).toMatchObject({
      failedRows: 5,
      surplusRows: 3,
      found: "3 too many, in 5 rows",
    });
    expect(verdictOf(report, "t.k.unique").examples).toEqual(
      [2, 3, 4].map((row) => ({ row, values: [{ column: "k", value: "b" }] })),
    );
  });
  const composite = contract(
    "properties:\n  - { name: b, primaryKey: true, primaryKeyPosition: 2 }\n  - { name: a, primaryKey: true, primaryKeyPosition: 1 }\nquality:\n  - { metric: duplicateValues, arguments: { properties: [a, b] }, mustBe: 0 }",
  );
  test("a key of several columns, in its order", async () => {
    const report = await judge(composite, folder.write("key/t.csv", "a,b\n1,1\n1,2\n2,1\n1,2\n"));
    expect(verdictOf(report, "t.primaryKey")).toMatchObject({
      verdict: "fail",
      failedRows: 2,
      columns: ["a", "b"],
      label: "a + b must be unique (primary key)",
    });
    expect(verdictOf(report, "t.quality[0]")).toMatchObject({ verdict: "fail", failedRows: 2 });
  });
  test("a key that is partly empty is still compared, and is not allowed", async () => {
    const report = await judge(composite, folder.write("key/t.csv", "a,b\n1,\n1,\n,\n,\n"));
    expect(verdictOf(report, "t.primaryKey")).toMatchObject({ verdict: "fail", failedRows: 2 });
    expect(verdictOf(report, "t.b.primaryKey")).toMatchObject({ verdict: "fail", failedRows: 4 });
  });
  test("columns that run together are not the same key", async () => {
    const report = await judge(composite, folder.write("key/t.csv", "a,b\nab,c\na,bc\n"));
    expect(report.verdict).toBe("pass");
  });
});

describe("example rows are masked by classification", () => {
  test.each([
    ["", "value"],
    ["classification: public,", "value"],
    ["classification: Internal,", "value"],
    ["classification: confidential,", "██████ (confidential)"],
    ["classification: restricted,", "██████ (restricted)"],
    ["classification: PII,", "██████ (PII)"],
    ["classification: what-is-this,", "██████ (what-is-this)"],
  ])("%s", async (classification, shown) => {
    const report = await judge(
      contract(`properties:\n  - { name: x, ${classification} enum: [good] }`),
      folder.write("mask/t.csv", "x,o\ngood,1\nvalue,2\n"),
    );
    expect(verdictOf(report, "t.x.enum").examples).toEqual([{ row: 2, values: [{ column: "x", value: shown }] }]);
  });
  test("of a key with one confidential part only that part is", async () => {
    const text = contract(
      "properties:\n  - { name: a, primaryKey: true, classification: pii }\n  - { name: b, primaryKey: true }",
    );
    const report = await judge(text, folder.write("mask/t.csv", "a,b\nx,y\nx,y\n"));
    expect(verdictOf(report, "t.primaryKey").examples[0]?.values).toEqual([
      { column: "a", value: "██████ (pii)" },
      { column: "b", value: "y" },
    ]);
  });
  test("values are shortened and cannot steer a terminal", async () => {
    const text = contract("properties:\n  - { name: x, enum: [good] }");
    const report = await judge(
      text,
      folder.write("mask/t.csv", `x,o\n\u001b[31mred\u001b[0m,1\n${"y".repeat(500)},2\n`),
    );
    expect(verdictOf(report, "t.x.enum").examples.map(({ values }) => values[0]?.value)).toEqual([
      "red",
      `${"y".repeat(39)}…`,
    ]);
  });
});

describe("types of a Parquet file", () => {
  test.each<[sql: string, logical: string, verdict: string]>([
    ["1::integer", "integer", "pass"],
    ["1::bigint", "number", "pass"],
    ["1::double", "number", "pass"],
    ["1::double", "integer", "fail"],
    ["1.5::decimal(9,2)", "number", "pass"],
    ["'1'", "integer", "fail"],
    ["'1'", "string", "pass"],
    ["1", "string", "fail"],
    ["true", "boolean", "pass"],
    ["date '2024-01-01'", "date", "pass"],
    ["timestamp '2024-01-01 00:00:00'", "date", "fail"],
    ["timestamptz '2024-01-01 00:00:00+00'", "timestamp", "pass"],
    ["[1, 2]", "array", "pass"],
    ["{'a': 1}", "object", "pass"],
    ["'a'::blob", "string", "fail"],
  ])("%s is of type %s: %s", async (sql, logical, verdict) => {
    const report = await judge(
      contract(`properties:\n  - { name: x, logicalType: ${logical} }`),
      await writeParquet(join(folder.path, "types.parquet"), `select ${sql} as x`),
    );
    expect(verdictOf(report, "t.x.logicalType").verdict).toBe(verdict);
  });
  test("a limit is compared in the precision of the column", async () => {
    const text = contract(
      "properties:\n  - { name: f, logicalTypeOptions: { maximum: 0.1 } }\n  - { name: d, logicalTypeOptions: { maximum: 0.1 } }",
    );
    const report = await judge(
      text,
      await writeParquet(
        join(folder.path, "precision.parquet"),
        "select 0.1::float as f, 0.1::decimal(9,4) as d union all select 0.1001::float, 0.1001",
      ),
    );
    for (const id of ["t.f.maximum", "t.d.maximum"])
      expect(
        report.checks.find((check) => check.kind === "range" && check.id.startsWith(id.slice(0, 3))),
      ).toMatchObject({ failedRows: 1 });
  });
});

test("several tables: the one named like the file", async () => {
  const text = `${contract("properties:\n  - { name: x, required: true }", "a")}  - name: b\n    properties:\n      - { name: y, required: true }\n`;
  expect((await judge(text, folder.write("b.csv", "y\n1\n"))).verdict).toBe("pass");
  await expect(judge(text, folder.write("c.csv", "y\n1\n"))).rejects.toMatchObject({ code: "data.table" });
});

test("the report names the data by its digest and each check by its line", async () => {
  const report = await judge(
    contract("properties:\n  - name: x\n    required: true"),
    folder.write("t.csv", "x,o\n1,2\n"),
  );
  expect(report.source).toMatchObject({
    digest: "3189570b9ac312e02234e4677201d9221442d8c0843612ffca8f0e6f2f32509b",
    bytes: 8,
    rows: 1,
    undeclaredColumns: ["o"],
  });
  expect(verdictOf(report, "t.x.required").line).toBe(10);
});
