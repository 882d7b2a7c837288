import { describe, expect, it } from "vitest";
import { type GateResult, overall } from "../../src/gates/gate.ts";
import { planGates, requiredGates } from "../../src/gates/plan-gates.ts";
import { GATE_NAMES, type GateName, policySchema } from "../../src/policy/policy.ts";
import { commandFiles, commandWords, projectSchema } from "../../src/project/project.ts";
import { gatesFor } from "../../src/project/rules.ts";

const bare = projectSchema.parse({
  factory: 1,
  project: "claims-triage",
  model: { name: "claims.triage", train: "python -m x" },
});
const full = projectSchema.parse({
  ...bare,
  gates: {
    unit: { run: "pytest" },
    data: { contracts: "c/*.yaml", source: "d.csv" },
    model: { run: "pytest", metrics: [{ name: "auc", min: 0.5 }] },
  },
});
const actions = (project: typeof bare, required: readonly GateName[], only?: readonly GateName[]) =>
  Object.fromEntries(planGates(project.gates, required, only).map((each) => [each.gate, each.action]));

describe("which gates run", () => {
  it("all seven of a complete project", () => {
    expect(Object.values(actions(full, GATE_NAMES))).toEqual(Array(7).fill("run"));
  });
  it("a required gate that factory.yaml lacks is missing, which fails", () => {
    expect(actions(bare, ["unit"])).toMatchObject({ unit: "missing", data: "left-out", lint: "run" });
  });
  it("--only leaves the others out; baseline brings the model gate", () => {
    expect(actions(full, GATE_NAMES, ["baseline"])).toEqual({
      lint: "left-out",
      unit: "left-out",
      data: "left-out",
      model: "run",
      baseline: "run",
      docs: "left-out",
      secrets: "left-out",
    });
  });
  it("without a policy, and for a pilot, all seven are required", () => {
    expect(requiredGates(undefined, undefined)).toEqual(GATE_NAMES);
  });
  it("a tier that names no gate requires all of them: what nobody decided is not left out", () => {
    const environments = [{ name: "dev", catalog: "dev", registry: { kind: "mlflow", uri: "http://127.0.0.1:1" } }];
    const policy = policySchema.parse({
      factory: 1,
      version: 1,
      organisation: "X",
      environments,
      riskTiers: { low: {} },
    });
    expect(requiredGates(policy, "low")).toEqual(GATE_NAMES);
  });
  it("a project cannot name a tier that only every object has", () => {
    const policy = {
      factory: 1,
      version: 1,
      organisation: "X",
      environments: [{ name: "dev", catalog: "dev", registry: { kind: "mlflow", uri: "http://127.0.0.1:1" } }],
      productLines: { claims: { capacity: 1, owner: "a@example.com" } },
      projects: { p: { productLine: "claims", riskTier: "constructor", owner: "a@example.com" } },
      riskTiers: { low: {} },
    };
    expect(policySchema.safeParse(policy).success).toBe(false);
  });
  it("settings of an environment apply to it, and can only be stricter", () => {
    const project = projectSchema.parse({
      ...full,
      environments: {
        dev: {
          gates: {
            unit: { timeoutSeconds: 7 },
            data: { source: "other.csv" },
            model: {
              metrics: [
                { name: "auc", min: 0.1 },
                { name: "f1", min: 0.3 },
              ],
            },
          },
        },
      },
    });
    const gates = gatesFor(project, "dev");
    expect(gates.unit?.timeoutSeconds).toBe(7);
    expect(gates.data?.source).toBe("other.csv");
    expect(gates.model?.metrics).toEqual([
      { name: "auc", min: 0.5 },
      { name: "f1", min: 0.3 },
    ]);
    expect(gatesFor(project, "test").data?.source).toBe("d.csv");
  });
  it("policy's gates of all environments together are required", () => {
    const policy = policySchema.parse({
      factory: 1,
      version: 1,
      organisation: "X",
      environments: [
        { name: "dev", catalog: "dev", registry: { kind: "mlflow", uri: "http://127.0.0.1:1" } },
        { name: "prod", catalog: "prod", registry: { kind: "mlflow", uri: "http://127.0.0.1:1" } },
      ],
      riskTiers: { low: { dev: { gates: ["secrets"] }, prod: { gates: ["unit", "secrets"] } } },
    });
    expect(requiredGates(policy, "low")).toEqual(["unit", "secrets"]);
  });
});

describe("the verdict on all gates", () => {
  const results = (...verdicts: GateResult["verdict"][]) => verdicts.map((verdict) => ({ verdict })) as GateResult[];
  it.each([
    [results("pass", "pass"), "pass"],
    [results("pass", "error", "fail"), "fail"],
    [results("pass", "error"), "error"],
    [results("pass", "not-evaluated"), "pass"],
    [results("not-evaluated"), "fail"],
    [results(), "fail"],
  ])("%#", (given, expected) => {
    expect(overall(given)).toBe(expected);
  });
});

describe("a command as words", () => {
  it.each(['uv run pytest -q "tests/unit', "a 'b", "a \\", "  "])(
    "refuses %j, which could not be taken whole",
    (train) => {
      expect(projectSchema.safeParse({ ...bare, model: { ...bare.model, train } }).success).toBe(false);
    },
  );
  it.each([
    ["uv run pytest tests/unit", ["uv", "run", "pytest", "tests/unit"]],
    [`a "b c" 'd e' f\\ g`, ["a", "b c", "d e", "f g"]],
    ["echo $HOME `id` > x | y && z", ["echo", "$HOME", "`id`", ">", "x", "|", "y", "&&", "z"]],
    [`x "" y`, ["x", "", "y"]],
    [
      ["taken as", "it is"],
      ["taken as", "it is"],
    ],
  ] satisfies [string | string[], string[]][])("%s", (given, words) => {
    expect(commandWords(given)).toEqual(words);
  });
});

describe("files that commands run", () => {
  it.each([
    ["bash run.sh", ["bash", "run.sh"]],
    ["bash -e ./run.sh", ["bash", "run.sh"]],
    ["uv run --no-sync bin/train", ["uv", "run", "bin/train"]],
    ["python -u bin/train --out model.bin -o report.json --seed=7 x", ["python", "bin/train", "x"]],
    ["make -f build.mk", ["make", "build.mk"]],
    ["python -m x d.csv more.csv other.csv prod.csv junit.xml", ["python", "x"]],
  ])("%s", (train, files) => {
    const project = projectSchema.parse({
      ...bare,
      model: { ...bare.model, train, data: ["./more.csv", "other.csv"] },
      gates: { ...full.gates, unit: { run: "tests/run all", junit: "junit.xml" } },
      environments: { prod: { gates: { data: { source: "prod.csv" } } } },
    });
    expect(commandFiles(project)).toEqual([...files, "tests/run", "all", "pytest"]);
  });
});
