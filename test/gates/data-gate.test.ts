import { describe, expect, it } from "vitest";
import type { CheckVerdict } from "../../src/data/data-check.ts";
import { judgeDataReports } from "../../src/gates/data-gate.ts";

const check = (verdict: CheckVerdict["verdict"], blocks = verdict !== "pass"): CheckVerdict => ({
  id: "t.k",
  label: "k must be unique",
  kind: "unique",
  columns: ["k"],
  line: 7,
  verdict,
  blocks,
  expected: "0",
  found: "2",
  failedRows: 2,
  examples: [{ row: 3, values: [{ column: "k", value: "██████ (confidential)" }] }],
});
const report = (contract: string, ...checks: CheckVerdict[]) => ({
  contract,
  report: {
    checks,
    source: {
      path: "d.csv",
      format: "csv" as const,
      digest: "a".repeat(64),
      bytes: 10,
      rows: 20,
      undeclaredColumns: [],
    },
  },
});

describe("the data gate's verdict", () => {
  it.each([
    ["all pass", [report("a.yaml", check("pass"))], "pass"],
    ["one fails", [report("a.yaml", check("pass"), check("fail"))], "fail"],
    ["one could not tell", [report("a.yaml", check("pass"), check("error"))], "error"],
    ["one was not evaluated", [report("a.yaml", check("pass"), check("not-evaluated"))], "error"],
    ["a fail beside an error", [report("a.yaml", check("error"), check("fail"))], "fail"],
    ["only rules that are listed", [report("a.yaml", check("not-evaluated", false))], "fail"],
    ["an empty contract beside a full one", [report("a.yaml"), report("b.yaml", check("pass"))], "fail"],
    ["no contract", [], "fail"],
  ] as const)("%s", (_, reports, verdict) => {
    expect(judgeDataReports(reports).verdict).toBe(verdict);
  });

  it("says where, how many of how many, and an example as it may be shown", () => {
    const [finding] = judgeDataReports([report("contracts/a.yaml", check("fail"))]).findings;
    expect(finding).toMatchObject({ message: "k must be unique", where: "contracts/a.yaml:7" });
    expect(finding?.detail).toBe("2 rows of 20 (10 %); e.g. row 3: k = ██████ (confidential)");
  });
});
