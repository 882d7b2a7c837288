import { describe, expect, test } from "vitest";
import { readHeader } from "../../src/data/csv-header.ts";
import type { CheckVerdict, Threshold, VerdictWord } from "../../src/data/data-check.ts";
import { datePattern } from "../../src/data/date-format.ts";
import { decide } from "../../src/data/evaluate.ts";
import { holdsAll } from "../../src/data/thresholds.ts";

describe("thresholds", () => {
  test.each<[Threshold["operator"], Threshold["value"], yes: number[], no: number[]]>([
    ["mustBe", 5, [5], [4, 6, 5.0001]],
    ["mustNotBe", 5, [4], [5]],
    ["mustBeGreaterThan", 5, [6], [5]],
    ["mustBeGreaterOrEqualTo", 5, [5], [4.999]],
    ["mustBeLessThan", 5, [4], [5]],
    ["mustBeLessOrEqualTo", 5, [5], [5.001]],
    ["mustBeBetween", [1, 3], [1, 2, 3], [0.9, 3.1]],
    ["mustNotBeBetween", [1, 3], [0.9, 3.1], [1, 2, 3]],
  ])("%s %j", (operator, value, yes, no) => {
    const thresholds = [{ operator, value }];
    for (const good of yes) expect(holdsAll(thresholds, good)).toBe(true);
    for (const bad of [...no, Number.NaN, null, "5"]) expect(holdsAll(thresholds, bad)).toBe(false);
  });
  test("none are never kept, all must be, truth is a number, and large numbers are compared exactly", () => {
    expect(holdsAll([], 1)).toBe(false);
    expect(
      holdsAll(
        [
          { operator: "mustBeGreaterThan", value: 1 },
          { operator: "mustBeLessThan", value: 3 },
        ],
        4,
      ),
    ).toBe(false);
    expect(holdsAll([{ operator: "mustBe", value: true }], true)).toBe(true);
    expect(holdsAll([{ operator: "mustBe", value: true }], false)).toBe(false);
    expect(holdsAll([{ operator: "mustBe", value: 9007199254740992 }], 9007199254740993n)).toBe(false);
  });
});

describe("the word on all checks", () => {
  const check = (verdict: VerdictWord, blocks = verdict !== "pass"): CheckVerdict => ({
    id: "a",
    label: "a",
    kind: "values",
    columns: [],
    verdict,
    blocks,
    expected: "",
    found: "",
    examples: [],
  });
  test.each<[string, CheckVerdict[], string]>([
    ["nothing", [], "fail"],
    ["only listed", [check("not-evaluated", false)], "fail"],
    ["a pass", [check("pass"), check("not-evaluated", false)], "pass"],
    ["a pass and an undecided one", [check("pass"), check("not-evaluated")], "error"],
    ["a pass and an error", [check("pass"), check("error")], "error"],
    ["a fail and an error", [check("fail"), check("error")], "fail"],
  ])("%s", (_name, checks, verdict) => expect(decide(checks).verdict).toBe(verdict));
});

test.each<[text: string, names: string[] | undefined, delimiter?: string]>([
  ["a,b\n1,2", ["a", "b"], ","],
  ["a;b\r\n1;2", ["a", "b"], ";"],
  ["a\tb\n", ["a", "b"], "\t"],
  ['"a;b",c\n', ["a;b", "c"], ","],
  ['"a""b"\n', ['a"b'], ","],
  ["\uFEFFa,\n", ["a", ""], ","],
  ["a", ["a"], ","],
  ['"a\nb",c\n', ["a\nb", "c"], ","],
  ['"a', undefined],
  ['"a"b,c\n', undefined],
])("the header of %j", (text, names, delimiter) =>
  expect(readHeader(text, true)).toEqual(names && { names, delimiter }),
);

test("a header that goes on beyond the text is none", () => expect(readHeader("a,b", false)).toBeUndefined());

test.each([
  ["yyyy-MM-dd", "%Y-%m-%d"],
  ["dd.MM.yyyy HH:mm:ss", "%d.%m.%Y %H:%M:%S"],
  ["yyyy-MM-dd'T'HH:mm", "%Y-%m-%dT%H:%M"],
  ["yyyyy", undefined],
  ["%Y", undefined],
  ["qqq", undefined],
])("the date pattern %s", (format, expected) => expect(datePattern(format)).toBe(expected));
