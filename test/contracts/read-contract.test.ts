import { describe, expect, test } from "vitest";
import { readContract } from "../../src/contracts/read-contract.ts";
import { FactoryError, type Problem } from "../../src/lib/error.ts";

const HEAD = "apiVersion: v3.1.0\nkind: DataContract\nid: claims\nversion: 1.0.0\nstatus: active\n";

function problems(text: string): readonly Problem[] {
  try {
    readContract(text, "claims.odcs.yaml");
  } catch (error) {
    if (error instanceof FactoryError) return error.problems;
    throw error;
  }
  return [];
}

function table(body: string): string {
  return `${HEAD}schema:\n  - name: t\n${body.replace(/^/gm, "    ")}\n`;
}

describe("a broken contract is refused with file, line and the way to fix it", () => {
  const cases: [name: string, text: string, line: number, message: RegExp][] = [
    ["misspelt property key", table("properties:\n  - name: x\n    requird: true"), 10, /did you mean "required"/],
    ["misspelt table key", table("propertys:\n  - name: x"), 8, /did you mean "properties"/],
    ["misspelt root key", `${HEAD}schma: []\nschema:\n  - name: t`, 6, /did you mean "schema"/],
    ["misspelt metric key", table("quality:\n  - metrik: rowCount\n    mustBe: 1"), 9, /did you mean "metric"/],
    ["misspelt operator", table("quality:\n  - metric: rowCount\n    mustBeLes: 1"), 10, /did you mean "mustBe/],
    [
      "unknown operator",
      table("quality:\n  - metric: rowCount\n    expected: 1"),
      10,
      /unknown key "expected"; known here/,
    ],
    [
      "misspelt option",
      table("properties:\n  - name: x\n    logicalTypeOptions: { minimun: 1 }"),
      10,
      /did you mean "minimum"/,
    ],
    [
      "unknown option",
      table("properties:\n  - name: x\n    logicalTypeOptions: { floor: 1 }"),
      10,
      /unknown key "floor"/,
    ],
    [
      "misspelt argument",
      table(
        "properties:\n  - name: x\n    quality:\n      - metric: invalidValues\n        mustBe: 0\n        arguments: { validValue: [1] }",
      ),
      13,
      /did you mean "validValues"/,
    ],
    [
      "unknown metric",
      table("quality:\n  - metric: rowCont\n    mustBe: 1"),
      9,
      /unknown metric "rowCont": did you mean rowCount/,
    ],
    ["foreign metric", table("quality:\n  - metric: freshness\n    mustBe: 1"), 9, /known: rowCount, nullValues/],
    ["rule without operator", table("quality:\n  - metric: rowCount"), 9, /cannot be judged/],
    ["sql rule without operator", table("quality:\n  - type: sql\n    query: select 1"), 9, /cannot be judged/],
    ["sql rule without query", table("quality:\n  - type: sql\n    mustBe: 0"), 9, /needs a query/],
    ["rule of no kind", table("quality:\n  - mustBe: 0"), 9, /neither its type nor its metric/],
    [
      "invalidValues without arguments",
      table("properties:\n  - name: x\n    quality:\n      - metric: invalidValues\n        mustBe: 0"),
      11,
      /validValues or arguments.pattern/,
    ],
    ["unknown rule type", table("quality:\n  - type: magic\n    mustBe: 0"), 9, /library, sql, text or custom/],
    [
      "operator of the wrong type",
      table("quality:\n  - metric: rowCount\n    mustBe: many"),
      10,
      /number or true\/false/,
    ],
    ["range upside down", table("quality:\n  - metric: rowCount\n    mustBeBetween: [5, 1]"), 10, /low end is above/],
    ["range of three", table("quality:\n  - metric: rowCount\n    mustBeBetween: [1, 2, 3]"), 10, /two numbers/],
    [
      "percent of a row count",
      table("quality:\n  - metric: rowCount\n    mustBe: 1\n    unit: percent"),
      11,
      /no percent/,
    ],
    ["unknown unit", table("quality:\n  - metric: rowCount\n    mustBe: 1\n    unit: percents"), 11, /rows or percent/],
    ["unknown logical type", table("properties:\n  - name: x\n    logicalType: int"), 10, /must be one of string/],
    ["column declared twice", table("properties:\n  - name: x\n  - name: x"), 10, /declared twice/],
    [
      "number that cannot be held",
      table("properties:\n  - name: x\n    logicalTypeOptions: { maximum: 9007199254740993 }"),
      10,
      /too large/,
    ],
    ["no number", table("properties:\n  - name: x\n    logicalTypeOptions: { maximum: .nan }"), 10, /number/],
    ["empty list of values", table("properties:\n  - name: x\n    enum: []"), 10, /at least one value/],
    ["NUL in a pattern", table('properties:\n  - name: x\n    logicalTypeOptions: { pattern: "a\\0b" }'), 10, /NUL/],
    [
      "not a contract",
      "kind: Something\napiVersion: v3.1.0\nid: a\nversion: 1\nstatus: active\nschema: [{ name: t }]",
      1,
      /must be DataContract/,
    ],
    ["an old standard", `${HEAD.replace("v3.1.0", "v2.2.2")}schema: [{ name: t }]`, 1, /v3\.0\.0 on/],
    ["no tables", `${HEAD}schema: []`, 6, /at least one table/],
    ["duplicate key", `${HEAD}id: other\nschema: [{ name: t }]`, 6, /unique/],
  ];
  test.each(cases)("%s", (_name, text, line, message) => {
    const found = problems(text);
    expect(found.map((problem) => problem.message).join("\n")).toMatch(message);
    expect(found.find((problem) => message.test(problem.message))).toMatchObject({ file: "claims.odcs.yaml", line });
  });

  test("all problems are reported at once", () => {
    expect(
      problems(table("properties:\n  - name: x\n    requird: true\n    uniqe: true\nquality:\n  - metric: rowCount")),
    ).toHaveLength(3);
  });
});

describe("a contract of the standard is read", () => {
  const cases: [name: string, text: string][] = [
    [
      "extensions and other keys of the standard",
      `${table("properties:\n  - name: x\n    businessName: X\n    xCompany: 1\n    customProperties: [{ property: a, value: 1 }]")}servers: []\nteam: {}\nsupport: []`,
    ],
    [
      "both spellings of or-equal",
      table(
        "quality:\n  - metric: rowCount\n    mustBeGreaterOrEqualTo: 1\n  - metric: rowCount\n    mustBeLessThanOrEqualTo: 9",
      ),
    ],
    [
      "v3.0 rule",
      `${HEAD.replace("v3.1.0", "v3.0.2")}schema:\n  - name: t\n    quality:\n      - rule: rowCount\n        type: library\n        mustBe: 3`,
    ],
    [
      "v3.0 exclusive limits",
      table("properties:\n  - name: x\n    logicalTypeOptions: { minimum: 0, exclusiveMinimum: true }"),
    ],
    [
      "NULL among the values",
      table(
        'properties:\n  - name: x\n    quality:\n      - metric: missingValues\n        arguments: { missingValues: [null, "", "N/A"] }\n        mustBe: 0',
      ),
    ],
    ["enum as objects", table("properties:\n  - name: x\n    enum: [{ value: a, label: A }, { value: b }]")],
    [
      "prose and other engines",
      table(
        "quality:\n  - type: text\n    description: It is nice.\n  - type: custom\n    engine: soda\n    implementation: |\n      a: b",
      ),
    ],
  ];
  test.each(cases)("%s", (_name, text) => expect(problems(text)).toEqual([]));

  test("its digest is that of the text, and lines are known", () => {
    const text = table("properties:\n  - name: x\n    required: true");
    const contract = readContract(text, "c.yaml");
    expect(contract.digest).toMatch(/^[0-9a-f]{64}$/);
    expect(readContract(`${text}# more`, "c.yaml").digest).not.toBe(contract.digest);
    expect(contract.lineOf(["schema", 0, "properties", 0, "required"])).toBe(10);
    expect(contract.lineOf(["schema", 0, "properties", 0, "unique"])).toBe(9);
  });
});
