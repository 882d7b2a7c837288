import { expect, test } from "vitest";
import { partOf } from "../../src/doctor/part.ts";
import { parseYaml } from "../../src/lib/yaml-document.ts";
import { policySchema } from "../../src/policy/policy.ts";

const policy = parseYaml(
  `factory: 1
version: 1
organisation: Example Mutual
environments:
  - { name: dev, catalog: dev, registry: { kind: mlflow, uri: "http://127.0.0.1:5000" } }
  - { name: prod, catalog: prod, registry: { kind: mlflow, uri: "http://127.0.0.1:5000" } }
productLines: { claims: { capacity: 2, owner: owner@example.com } }
projects: { claims-triage: { productLine: claims, riskTier: medium, owner: owner@example.com } }
roles: { model-risk: [risk@example.com], legal: [law@example.com], policy-owner: [chief@example.com] }
people:
  author@example.com: {}
  owner@example.com: {}
  risk@example.com: {}
  law@example.com: {}
  chief@example.com: {}
  ci@example.com: { kind: service }
riskTiers:
  medium: { prod: { approvals: [{ role: model-risk, count: 1 }, { role: project-owner, count: 1 }] } }
  high: { prod: { approvals: [{ role: legal, count: 1 }] } }
`,
  "policy.yaml",
  policySchema,
);

test.each([
  ["risk@example.com", "claims-triage", "approver"],
  // The owner of a project approves in it alone.
  ["owner@example.com", "claims-triage", "approver"],
  ["owner@example.com", undefined, "writer"],
  // Another tier asks for that role.
  ["law@example.com", "claims-triage", "writer"],
  ["law@example.com", "not-listed-yet", "approver"],
  ["chief@example.com", "claims-triage", "writer"],
  ["author@example.com", "claims-triage", "writer"],
  // A service never approves: the policy itself refuses it a role.
  ["ci@example.com", "claims-triage", "writer"],
  [undefined, "claims-triage", "writer"],
])("%s in project %s: %s", (person, project, part) => {
  expect(partOf(policy, person, project)).toBe(part);
});

test("without a policy everybody writes", () => {
  expect(partOf(undefined, "risk@example.com", "claims-triage")).toBe("writer");
});
