import { describe, expect, test } from "vitest";
import { parseYaml } from "../../src/lib/yaml-document.ts";
import { policySchema } from "../../src/policy/policy.ts";
import { type Project, projectSchema } from "../../src/project/project.ts";
import { metricsFor, rulesDigest, rulesFor } from "../../src/project/rules.ts";

const POLICY = `
factory: 1
version: 7
organisation: Example Mutual
environments:
  - { name: dev, catalog: dev, registry: { kind: mlflow, uri: "http://127.0.0.1:5210" } }
  - { name: prod, catalog: prod, registry: { kind: mlflow, uri: "http://127.0.0.1:5210" } }
productLines: { claims: { capacity: 4, owner: o@example.com } }
projects: { claims-triage: { productLine: claims, riskTier: medium, owner: o@example.com } }
roles: { model-risk: [r@example.com] }
people: { r@example.com: {} }
riskTiers:
  medium:
    firstRelease: deny
    dev: { gates: [unit, secrets] }
    prod: { gates: [unit, model], approvals: [{ role: model-risk, count: 1 }], evidenceTtl: P14D }
`;
const PROJECT = `
factory: 1
project: claims-triage
model: { name: claims.triage, train: python train.py }
gates:
  model:
    run: pytest
    metrics:
      - { name: roc_auc, min: 0.62, champion: { maxDrop: 0.01 } }
      - { name: latency_p95_ms, max: 20 }
`;
const policyOf = (text: string) => parseYaml(text, "policy.yaml", policySchema);
const projectOf = (text: string): Project => parseYaml(text, "factory.yaml", projectSchema);
const prod = { name: "prod" };
const digest = (policy: string, project: string, environment = prod) =>
  rulesDigest(projectOf(project), policyOf(policy), environment);
const base = digest(POLICY, PROJECT);

describe("what changes the rules, and so voids approvals", () => {
  test.each([
    ["a threshold", POLICY, PROJECT.replace("0.62", "0.61")],
    ["a champion rule", POLICY, PROJECT.replace("0.01", "0.02")],
    ["a metric removed", POLICY, PROJECT.replace(/ {6}- { name: latency.*\n/, "")],
    ["a gate", POLICY.replace("[unit, model]", "[unit]"), PROJECT],
    ["the number of approvals", POLICY.replace("count: 1", "count: 2"), PROJECT],
    ["a lifetime", POLICY.replace("P14D", "P30D"), PROJECT],
    ["first release", POLICY.replace("deny", "withdraw"), PROJECT],
    ["the strategy", POLICY, `${PROJECT}release: { strategy: canary }\n`],
    [
      "a stricter threshold for prod",
      POLICY,
      `${PROJECT}environments: { prod: { gates: { model: { metrics: [{ name: roc_auc, min: 0.7 }] } } } }\n`,
    ],
  ])("%s", (_, policy, project) => {
    expect(digest(policy, project)).not.toBe(base);
  });
  test("the environment", () => expect(digest(POLICY, PROJECT, { name: "dev" })).not.toBe(base));
});

describe("what does not", () => {
  test.each([
    ["a new person", POLICY.replace("r@example.com: {}", "r@example.com: {}, s@example.com: {}"), PROJECT],
    ["a freeze", POLICY.replace("{ name: prod,", '{ name: prod, freeze: ["2026-12-20/2027-01-04"],'), PROJECT],
    ["capacity", POLICY.replace("capacity: 4", "capacity: 5"), PROJECT],
    ["the policy's version", POLICY.replace("version: 7", "version: 8"), PROJECT],
    ["the order of gates", POLICY.replace("[unit, model]", "[model, unit]"), PROJECT],
    [
      "comments and order of keys",
      POLICY,
      `# a comment\n${PROJECT.replace("{ name: roc_auc, min: 0.62,", "{ min: 0.620, name: roc_auc,")}`,
    ],
    [
      "stricter thresholds for another environment",
      POLICY,
      `${PROJECT}environments: { dev: { gates: { model: { metrics: [{ name: roc_auc, min: 0.7 }] } } } }\n`,
    ],
    ["a timeout", POLICY, PROJECT.replace("run: pytest", "run: pytest\n    timeoutSeconds: 60")],
  ])("%s", (_, policy, project) => {
    expect(digest(policy, project)).toBe(base);
  });
});

test("a project that policy does not list is a pilot, whatever tier it claims", () => {
  const pilot = projectOf(`${PROJECT.replace("claims-triage", "other-one")}riskTier: medium\n`);
  expect(rulesFor(pilot, policyOf(POLICY), prod)).toMatchObject({ riskTier: "pilot", stage: {}, gates: [] });
  expect(rulesFor(pilot, undefined, prod)).toMatchObject({ riskTier: "pilot" });
});

test("an environment can tighten a metric, add one, never loosen one", () => {
  const project = projectOf(
    `${PROJECT}environments:\n  prod: { gates: { model: { metrics: [{ name: roc_auc, min: 0.5, champion: { maxDrop: 0.005 } }, { name: latency_p95_ms, max: 10 }, { name: brier, max: 0.2 }] } } }\n`,
  );
  expect(metricsFor(project, "prod")).toEqual([
    { name: "roc_auc", min: 0.62, champion: { maxDrop: 0.005 } },
    { name: "latency_p95_ms", max: 10 },
    { name: "brier", max: 0.2 },
  ]);
  expect(metricsFor(project, "dev")).toHaveLength(2);
});
