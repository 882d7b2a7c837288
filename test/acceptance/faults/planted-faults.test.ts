import { appendFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { GateName } from "../../../src/policy/policy.ts";
import { checkAnswer, readyProject, type TestProject } from "../../support/project.ts";
import { covering, DEEP } from "../../support/sample.ts";

interface Fault {
  name: string;
  gate: GateName;
  verdict: "fail" | "error";
  /** Words that the gate's summary or findings must hold: the right reason, not only the right colour. */
  says: RegExp;
  plant(project: TestProject): void;
}

const CSV = "data/claims.csv";
const UNIT_TEST = "tests/unit/test_planted.py";
const THRESHOLDS = "factory.yaml";
const CONFIG = "src/claims_triage/config.py";

/** Edits of files that a user would edit. Limits stand in factory.yaml and config.py, and a user who moves one moves both. */
const FAULTS: readonly Fault[] = [
  {
    name: "a broken unit test",
    gate: "unit",
    verdict: "fail",
    says: /test_sum/,
    plant: (project) => project.write(UNIT_TEST, "def test_sum() -> None:\n    assert 1 + 1 == 3\n"),
  },
  {
    name: "a lint error",
    gate: "lint",
    verdict: "fail",
    says: /F401/,
    plant: (project) => project.edit("src/claims_triage/split.py", '"""\n\nimport', '"""\n\nimport json\nimport'),
  },
  {
    name: "a NULL in a required column",
    gate: "data",
    verdict: "fail",
    says: /lncoins.*(?:required|missing|null)/is,
    plant: (project) => project.edit(CSV, "MY-000002,2,4.61512,", "MY-000002,2,,"),
  },
  {
    name: "a duplicate key",
    gate: "data",
    verdict: "fail",
    says: /member_year_id.*unique/i,
    plant: (project) => project.edit(CSV, "MY-000003,", "MY-000002,"),
  },
  {
    name: "a value out of its list",
    gate: "data",
    verdict: "fail",
    says: /idp/,
    plant: (project) => project.edit(CSV, "MY-000004,0,4.61512,1,", "MY-000004,0,4.61512,7,"),
  },
  {
    name: "a metric under its floor",
    gate: "model",
    verdict: "fail",
    says: /roc_auc 0\.6\d+ < 0\.75/,
    plant(project) {
      project.edit(THRESHOLDS, "min: 0.62", "min: 0.75");
      project.edit(CONFIG, "ROC_AUC_FLOOR: Final = 0.62", "ROC_AUC_FLOOR: Final = 0.75");
    },
  },
  {
    name: "a gap between slices",
    gate: "model",
    verdict: "fail",
    says: /slice physlm gap 0\.\d+ > 0\.0001/,
    plant(project) {
      project.edit(THRESHOLDS, "maxGap: 0.12", "maxGap: 0.0001");
      project.edit(CONFIG, "PHYSLM_MAX_GAP: Final = 0.12", "PHYSLM_MAX_GAP: Final = 0.0001");
    },
  },
  {
    name: "a slow model",
    gate: "model",
    verdict: "fail",
    says: /latency_p95_ms \S+ > 100/,
    // Slow where a single row is scored, as a call to another service would be. Few calls tell it too.
    plant(project) {
      project.edit("src/claims_triage/evaluate.py", "calls: int = 40", "calls: int = 4");
      project.edit(
        "src/claims_triage/evaluate.py",
        "                model.predict(row)\n                times",
        "                model.predict(row)\n                time.sleep(0.12)\n                times",
      );
    },
  },
  {
    name: "no tests collected",
    gate: "unit",
    verdict: "fail",
    says: /no tests were collected/,
    plant: (project) =>
      project.edit(
        THRESHOLDS,
        "run: uv run pytest tests/unit",
        "run: uv run pytest tests/unit -k nothing_is_called_so",
      ),
  },
  {
    name: "the contract removed",
    gate: "data",
    verdict: "fail",
    says: /no contract matches/,
    plant(project) {
      rmSync(join(project.folder, "contracts/claims.odcs.yaml"));
      // With the links to it: a file that is gone and still linked is a fault of the docs too.
      for (const path of ["README.md", "data/README.md", "docs/runbook.md"])
        project.write(path, project.read(path).replace(/\[([^\]]+)\]\([^)]*claims\.odcs\.yaml\)/, "$1"));
    },
  },
  {
    name: "a gate that does not end in time",
    gate: "unit",
    verdict: "error",
    says: /did not end in time/,
    plant(project) {
      project.write(UNIT_TEST, "import time\n\n\ndef test_waits() -> None:\n    time.sleep(600)\n");
      project.edit(
        THRESHOLDS,
        "unit: { run: uv run pytest tests/unit }",
        "unit: { run: uv run pytest tests/unit/test_planted.py, timeoutSeconds: 6 }",
      );
    },
  },
  // Put together here, so that this file does not hold the shape of a token itself.
  {
    name: "a secret in a file",
    gate: "secrets",
    verdict: "fail",
    says: /README\.md/,
    plant: (project) =>
      appendFileSync(
        join(project.folder, "README.md"),
        `\nexport DATABRICKS_TOKEN=${["dapi", "0123456789abcdef".repeat(2)].join("")}\n`,
      ),
  },
];

/** Gates that take long, since they run the project's tests. */
const SLOW: readonly GateName[] = ["unit", "model"];
const QUICK: readonly GateName[] = ["lint", "data", "docs", "secrets"];

let project: TestProject;

beforeAll(async () => {
  project = await readyProject();
});
afterAll(async () => project?.remove());
afterEach(() => project.revert());

const check = (gates: readonly GateName[]) =>
  project.run(["check", "--project-only", "--json", "--only", gates.join(",")]);

/** By gate; what was not asked for is left out. */
function verdicts(gates: readonly { gate: string; verdict: string }[]): Record<string, string> {
  return Object.fromEntries(
    gates.flatMap(({ gate, verdict }) => (verdict === "not-evaluated" ? [] : [[gate, verdict]])),
  );
}

const passing = (gates: readonly GateName[]) => Object.fromEntries(gates.map((gate) => [gate, "pass"]));

describe("planted faults", () => {
  // In CI `check/candidate` and the quickstart say so, and below no gate fails but the one that is meant.
  it.runIf(DEEP)("the untouched project passes every gate that needs no run", async () => {
    const answer = checkAnswer(await project.run(["check", "--project-only", "--json"]));
    expect(answer.status).toBe(0);
    expect(verdicts(answer.data?.gates ?? [])).toEqual(passing([...QUICK, ...SLOW]));
    expect(answer.data?.gates.map(({ gate }) => gate)).toContain("baseline");
  });

  const chosen = covering(
    FAULTS,
    12,
    ({ name }) => name,
    ({ gate, verdict }) => `${gate} ${verdict}`,
  );
  it.each(chosen)("$name flips $gate to $verdict, and no other quick one", async ({ gate, verdict, says, plant }) => {
    plant(project);
    const asked = [...new Set([...QUICK, gate])];
    const ran = await check(asked);
    const answer = checkAnswer(ran);
    if (verdict === "fail") {
      expect(verdicts(answer.data?.gates ?? [])).toEqual({ ...passing(asked), [gate]: "fail" });
      expect(ran.status).toBe(3);
      expect(answer.ok).toBe(false);
      expect(JSON.stringify(answer.data?.gates.find((each) => each.gate === gate))).toMatch(says);
      return;
    }
    // A gate that could not tell is no answer: the document holds the error and names the gate, and no other one.
    expect(ran.status).toBe(4);
    expect(answer.data).toBeUndefined();
    expect(answer.error?.code).toBe("check.could-not-tell");
    expect(answer.error?.message).toMatch(/^Could not tell: 1 of 5 gates/);
    expect(answer.error?.problems.map((problem) => problem.message)).toEqual([expect.stringMatching(says)]);
    expect(answer.error?.problems[0]?.message.startsWith(`${gate}: `)).toBe(true);
  });

  // What leaves a gate as it is together with all others does so alone; one after the other they take six times as long.
  it.each(SLOW)("no fault of another gate flips %s, all of them planted at once", async (gate) => {
    const others = FAULTS.filter((fault) => fault.gate !== gate && fault.verdict === "fail");
    for (const { plant } of others) plant(project);
    const answer = checkAnswer(await check([...QUICK, gate]));
    const faulty = QUICK.filter((quick) => others.some((fault) => fault.gate === quick));
    const failed = Object.fromEntries(faulty.map((quick) => [quick, "fail"]));
    const found = answer.data?.gates.find((each) => each.gate === gate);
    const expected = { ...passing([...QUICK, gate]), ...failed };
    expect(verdicts(answer.data?.gates ?? []), JSON.stringify(found)).toEqual(expected);
  });

  it("has all twelve", () => expect(FAULTS).toHaveLength(12));
});
