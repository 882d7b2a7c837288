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
    expect(judgeReport(parseJUnit(xml), status).verdict).toBe(verdict);
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
