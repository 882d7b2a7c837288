import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { contract, judge, makeFolder, verdictOf, writeParquet } from "./harness.ts";

let folder: ReturnType<typeof makeFolder>;
beforeAll(() => {
  folder = makeFolder();
});
afterAll(() => folder.remove());

const NAMES = [
  "a b",
  "select",
  "from",
  "n",
  "t",
  "one",
  "c0",
  "c1",
  "k0",
  "v0",
  "first_row",
  "members",
  "file_row_number",
  "row_number()",
  "count(*)",
  "*",
  "'",
  "''",
  '"',
  '""',
  'a"b',
  "a'b",
  "`",
  "a`b",
  "--",
  "a--b",
  "/*",
  "*/",
  ";",
  "a;drop view t",
  "\\",
  "\\'",
  "$1",
  "?",
  ":x",
  "@x",
  "%",
  "{object}",
  "{column}",
  ["$", "{HOME}"].join(""),
  "a.b",
  "a[1]",
  "[x]",
  "(",
  ")",
  "a\tb",
  "a\nb",
  "a\r\nb",
  "é",
  "é",
  "名前",
  "👍",
  "\u2028",
  "\u202eabc",
  "\ufeffx",
  " x",
  "x ",
  "NULL",
  "true",
  "0",
  "-1",
  "1e5",
  "__proto__",
  "constructor",
  "a".repeat(255),
  "x,y",
  "x;y",
  "x|y",
];

function quoted(field: string): string {
  return `"${field.replaceAll('"', '""')}"`;
}

describe.each(["csv", "parquet"] as const)("names that a %s column may have", (format) => {
  test.each(NAMES.filter((name) => format === "parquet" || !name.includes("\r")))("%j", async (name) => {
    const text = contract(`properties:
  - { name: ${JSON.stringify(name)}, logicalType: integer, required: true, unique: true, logicalTypeOptions: { minimum: -3, maximum: 5 }, quality: [ { type: sql, query: "select count(*) from {object} where {column} < 0", mustBe: 1 } ] }
  - { name: other, logicalType: string, enum: [a] }`);
    const path =
      format === "csv"
        ? folder.write("names/t.csv", `${quoted(name)},other\n1,a\n-3,a\n9,a\n9,a\n`)
        : await writeParquet(
            join(folder.path, "t.parquet"),
            `select v::bigint as ${quoted(name)}, 'a' as other from (values (1), (-3), (9), (9)) q(v)`,
          );
    const report = await judge(text, path);
    const verdicts = Object.fromEntries(report.checks.map((check) => [check.id.slice(2 + name.length + 1), check]));
    expect(verdicts.minimum).toMatchObject({ verdict: "fail", failedRows: 2 });
    expect(verdicts.minimum?.examples.map((example) => example.row)).toEqual([3, 4]);
    expect(verdicts.unique).toMatchObject({ verdict: "fail", failedRows: 2, surplusRows: 1 });
    expect(verdicts.required?.verdict).toBe("pass");
    expect(verdicts["quality[0]"]).toMatchObject({ verdict: "pass", found: "1" });
    expect(verdictOf(report, "t.other.enum").verdict).toBe("pass");
  });
});

test("a carriage return in a CSV's header is never a pass", async () => {
  const text = contract('properties:\n  - { name: "a\\r\\nb", required: true }');
  const report = await judge(text, folder.write("cr/t.csv", '"a\r\nb",o\n1,a\n'));
  expect(report.verdict).toBe("fail");
});

test("line breaks of both kinds within quotes are part of the value", async () => {
  const text = contract(
    "properties:\n  - { name: k, logicalType: string, required: true, unique: true }\nquality:\n  - { metric: rowCount, mustBe: 3 }",
  );
  for (const end of ["\n", "\r\n"]) {
    const report = await judge(
      text,
      folder.write("breaks/t.csv", ["k,o", '"a\nb",1', '"a\r\nb",2', "c,3", ""].join(end)),
    );
    expect([end, report.verdict]).toEqual([end, "pass"]);
  }
});

test.each(["t'x", 't"x', "select", "a b", "x;y", "--", "名"])("a table may be called %j", async (name) => {
  const text = contract(
    'properties:\n  - { name: k, required: true }\nquality:\n  - { type: sql, query: "select count(*) from {object}", mustBe: 1 }',
    name,
  );
  expect((await judge(text, folder.write("table/any.csv", "k\na\n"))).verdict).toBe("pass");
});

test.each(["a*b", "a?b", "[ab]", "a'b", 'a"b', "a b", "s3:x", "é名", "~", "$HOME", "a;b", "a\\b"])(
  "a file may be in a folder called %j",
  async (name) => {
    folder.write("files/ab/t.csv", "k\n\n");
    expect(
      (
        await judge(
          contract("properties:\n  - { name: k, required: true }"),
          folder.write(`files/${name}/t.csv`, "k\na\n"),
        )
      ).verdict,
    ).toBe("pass");
  },
);

describe("values", () => {
  test.each([
    "'",
    "''",
    "a'b",
    '"',
    "--",
    ";",
    "\\",
    "%",
    "a\\'b",
    "é",
    "👍",
    "$1",
    "{object}",
    "N/A",
    "\u2028",
    " a ",
  ])("%j in a list, and only it", async (value) => {
    const text = contract(`properties:\n  - { name: k, logicalType: string, enum: [${JSON.stringify(value)}] }`);
    const report = await judge(
      text,
      folder.write("values/t.csv", `k,o\n${quoted(value)},1\n${quoted(`${value}x`)},1\n`),
    );
    expect(verdictOf(report, "t.k.enum")).toMatchObject({ verdict: "fail", failedRows: 1 });
  });
  test.each<[limit: string, good: string, bad: string]>([
    ["minimum: -4.5", "-4.5", "-4.6"],
    ["maximum: -1", "-1", "0"],
    ["minimum: -0", "0", "-1"],
    ["maximum: 1", "1.0", "1.0004"],
    ["maximum: 0.1", "0.1", "0.10000000000000002"],
    ["maximum: 1e308", "1e308", "1.1e308"],
    ["minimum: -1e308", "-1e308", "-1.1e308"],
    ["exclusiveMinimum: 0", "1e-300", "0"],
    ["exclusiveMaximum: 1", "0.9999999999999999", "1"],
    ["maximum: 9007199254740991", "9007199254740991", "9007199254740994"],
    ["maximum: 1, exclusiveMaximum: true", "0.5", "1"],
    ["minimum: 0, exclusiveMinimum: 1", "2", "0.5"],
  ])("%s: %s is in, %s is out", async (limit, good, bad) => {
    const text = contract(`properties:\n  - { name: x, logicalType: number, logicalTypeOptions: { ${limit} } }`);
    const report = await judge(text, folder.write("limits/t.csv", `x,o\n${good},1\n${bad},1\n`));
    expect(report.checks.find((check) => check.kind === "range")).toMatchObject({
      verdict: "fail",
      failedRows: 1,
      examples: [{ row: 2 }],
    });
  });
});
