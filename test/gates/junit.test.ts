import { describe, expect, it } from "vitest";
import { withTests } from "../../src/check/with-tests.ts";
import { judgeReport } from "../../src/gates/command-gate.ts";
import type { GateResult } from "../../src/gates/gate.ts";
import { parseJUnit } from "../../src/gates/junit.ts";

const ONE = '<testcase classname="t" name="a" time="0.1"/>';
const FAILED = '<testcase name="b"><failure message="1 != 2">trace</failure></testcase>';
const SKIPPED = '<testcase name="c"><skipped message="later"/></testcase>';
const BROKEN = '<testcase name="d"><error message="ImportError">trace</error></testcase>';
const suites = (...cases: string[]) =>
  `<?xml version="1.0"?><testsuites><testsuite name="s" tests="999" failures="0">${cases.join("")}</testsuite></testsuites>`;

describe("JUnit report", () => {
  it.each([
    ["all pass", suites(ONE, ONE), 0, "pass"],
    ["one fails", suites(ONE, FAILED), 1, "fail"],
    ["one fails though the runner says 0", suites(ONE, FAILED), 0, "fail"],
    ["cannot be collected", suites(BROKEN), 2, "fail"],
    ["no case, whatever the totals say", suites(), 5, "fail"],
    ["no case and status 0", suites(), 0, "fail"],
    ["all skipped", suites(SKIPPED, SKIPPED), 0, "fail"],
    ["some skipped", suites(ONE, SKIPPED), 0, "pass"],
    ["status 3 without a failure", suites(ONE), 3, "error"],
    ["ended by a signal", suites(ONE), undefined, "error"],
    ["a bare testsuite with a nested one", `<testsuite><testsuite>${FAILED}</testsuite></testsuite>`, 1, "fail"],
  ] satisfies [string, string, number | undefined, string][])("%s", (_, xml, status, verdict) => {
    expect(judgeReport(parseJUnit(xml), status, "/p").verdict).toBe(verdict);
  });

  it.each([
    ["not XML", "hello"],
    ["cut short", suites(ONE).slice(0, -8)],
    ["another document", "<html><body/></html>"],
    ["a document type", `<!DOCTYPE x [<!ENTITY a "b">]>${suites(ONE)}`],
    ["empty", ""],
  ])("refuses %s", (_, xml) => {
    expect(() => parseJUnit(xml)).toThrow();
  });
});

/** As pytest 8 writes it, shortened. */
const uncollected = (text: string) =>
  `<testcase classname="" name="tests.unit.test_features"><error message="collection failure">${text}</error></testcase>`;
const SYNTAX = uncollected(`/p/.venv/lib/python3.11/site-packages/_pytest/python.py:528: in importtestmodule
    mod = import_path(
E     File "/p/tests/unit/test_features.py", line 6
E       def broken(:
E                  ^
E   SyntaxError: invalid syntax`);
const IMPORT = uncollected(`ImportError while importing test module '/p/tests/unit/test_features.py'.
Traceback:
/usr/lib/python3.11/importlib/__init__.py:126: in import_module
tests/unit/test_features.py:1: in &lt;module&gt;
    import nothere
E   ModuleNotFoundError: No module named 'nothere'`);

describe("a file that could not be collected", () => {
  it.each([
    ["a syntax error", SYNTAX, "tests/unit/test_features.py:6", "SyntaxError: invalid syntax"],
    [
      "a module that is missing",
      IMPORT,
      "tests/unit/test_features.py:1",
      "ModuleNotFoundError: No module named 'nothere'",
    ],
  ])("%s is told with its place and cause", (_, xml, where, detail) => {
    expect(judgeReport(parseJUnit(suites(xml)), 2, "/p")).toMatchObject({
      verdict: "fail",
      summary: "1 file could not be collected: no test ran",
      findings: [{ message: "tests.unit.test_features", where, detail }],
    });
  });
  it.each([
    ["no text", uncollected("")],
    ["text of another kind", uncollected("it broke")],
  ])("%s: it is said all the same", (_, xml) => {
    expect(judgeReport(parseJUnit(suites(xml)), 2, "/p").findings).toEqual([
      { message: "tests.unit.test_features", detail: "collection failure" },
    ]);
  });
  it("is no test that failed, and is counted beside these", () => {
    const summary = (...cases: string[]) => judgeReport(parseJUnit(suites(...cases)), 1, "/p").summary;
    expect(summary(ONE, FAILED)).toBe("1 of 2 tests failed");
    expect(summary(ONE, SYNTAX)).toBe("1 file could not be collected");
    expect(summary(ONE, FAILED, SYNTAX, IMPORT)).toBe("1 of 2 tests failed, 2 files could not be collected");
  });
});

/** As pytest 8 writes it, shortened. */
const failed = (text: string) =>
  `<testcase classname="tests.test_a" name="test_two"><failure message="ValueError: no&#10;more">${text}</failure></testcase>`;

describe("a test that failed", () => {
  it.each([
    ["in its own line", "E       ValueError: no\n\ntests/test_a.py:5: ValueError", "tests/test_a.py:5"],
    [
      "in code of the project, through a library",
      "tests/test_a.py:7: \n_ _ _\nsrc/rates.py:3: in rate\n    return loads(x)\n/usr/lib/python3.11/json/decoder.py:355: JSONDecodeError",
      "src/rates.py:3",
    ],
    ["in a library alone", "/p/.venv/lib/python3.11/site-packages/numpy/core.py:355: ValueError", undefined],
    ["without saying where", "it broke", undefined],
  ])("%s", (_, text, where) => {
    expect(judgeReport(parseJUnit(suites(failed(text))), 1, "/p").findings).toEqual([
      { message: "tests.test_a › test_two", detail: "ValueError: no", ...(where !== undefined && { where }) },
    ]);
  });
});

describe("names for the evidence", () => {
  const xml = `<testsuites><testsuite><testcase classname="a" name="one"/><testcase classname="a" name="two"><skipped/></testcase><testcase classname="a" name="three"><failure message="no"/></testcase></testsuite></testsuites>`;
  const gate = (files: GateResult["files"]): GateResult => ({
    gate: "unit",
    verdict: "fail",
    summary: "1 of 3 tests failed",
    findings: [],
    cases: 3,
    startedAt: "2026-11-25T08:00:00.000Z",
    finishedAt: "2026-11-25T08:00:01.000Z",
    durationMs: 1000,
    files,
  });
  it("passed and failed tests stand in the gate's fact, skipped ones in neither", () => {
    const fact = withTests(gate([{ name: "unit/junit.xml", content: xml, mediaType: "application/xml" }]));
    expect(fact).toMatchObject({ passedTests: ["a › one"], failedTests: ["a › three"] });
  });
  it("a gate without a report has none", () => {
    expect(withTests(gate([]))).not.toHaveProperty("passedTests");
  });
  it("control characters of a name do not get there, and its length has an end", () => {
    const long = `<testsuite><testcase name="${"x".repeat(400)}&#x1b;[31m"/></testsuite>`;
    const [name = ""] =
      withTests(gate([{ name: "unit/junit.xml", content: long, mediaType: "application/xml" }])).passedTests ?? [];
    expect(name).toHaveLength(300);
    expect(name).not.toContain("\u001b");
  });
});
