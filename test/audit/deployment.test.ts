import { expect, test } from "vitest";
import { deploymentFindings } from "../../src/audit/audit-deployments.ts";
import { approvalTags } from "../../src/clients/unity-catalog/deployment-tags.ts";
import { approvalStatement } from "../../src/evidence/approval.ts";
import { signStatement } from "../../src/evidence/signed-statement.ts";
import type { Fact } from "../../src/ledger/entry.ts";
import { sha256 } from "../../src/lib/hash.ts";
import { parseYaml } from "../../src/lib/yaml-document.ts";
import { type Policy, policySchema } from "../../src/policy/policy.ts";
import { type Person, registered } from "../support/line.ts";
import { chain, ci, minutes, owner, POLICY, promoted } from "./chain.ts";

type Step = { fact: Fact; minute: number };

/** The policy of these chains, asking for this many approvals of the owner's role in prod. */
function asking(count: number): Policy {
  const stage = `{ gates: [unit], approvals: [{ role: policy-owner, count: ${count} }] }`;
  return parseYaml(POLICY.text.replace("prod: { gates: [unit] }", `prod: ${stage}`), "policy.yaml", policySchema);
}

function approved(minute: number, more: { environment?: string; until?: number; by?: Person } = {}): Step {
  const statement = approvalStatement({
    model: "claims.triage",
    project: "claims-triage",
    environment: more.environment ?? "prod",
    digest: sha256("model 1"),
    evidence: sha256("evidence 1"),
    rules: sha256("rules"),
    policy: POLICY.digest,
    role: "policy-owner",
    seen: `1:${"0".repeat(64)}`,
    notAfter: minutes(more.until ?? 100).toISOString(),
    approver: owner.address,
  });
  return {
    fact: { kind: "approved", body: { envelope: signStatement(statement, (more.by ?? owner).signer) } },
    minute,
  };
}

const [registration, start, end] = promoted(1, 3, 2);
/** Registered as entry 2, approved as entry 3, promoted on that approval as entries 4 and 5. */
function story(first: { until?: number } = {}, ...later: ((hash: string) => Step)[]): Step[] {
  if (registration === undefined || start?.fact.kind !== "promotion.started" || end?.fact.kind !== "promoted")
    throw new Error("no promotion");
  const before = [registration, approved(1, first)];
  const hash = chain(before).view.entries[2]?.hash ?? "";
  const { fact } = start;
  return [
    ...before,
    { ...start, fact: { ...fact, body: { ...fact.body, approvals: [hash] } } },
    { ...end, fact: { ...end.fact, body: { ...end.fact.body, started: 4 } } },
    ...later.map((step) => step(hash)),
  ];
}
const withdrawn = (approval: string): Step => ({
  fact: { kind: "approval.withdrawn", body: { approval, reason: "a complaint came in" } },
  minute: 5,
});
const deployments = { approved: approvalTags };
const NO = "prod v1 is approved in the workspace (approval), and no approval of the ledger counts for it";

test.each<[string, Step[], { count?: number; createdAt?: number }, string[]]>([
  ["promoted on an approval", story(), {}, []],
  ["an approval that ended since leaves what it allowed", story({ until: 3 }), {}, []],
  ["another count that policy asks for since changes nothing", story(), { count: 2 }, []],
  ["the approval was taken back", story({}, withdrawn), {}, [NO]],
  ["and given again", story({}, withdrawn, () => approved(6)), {}, []],
  ["given again for another environment", story({}, withdrawn, () => approved(6, { environment: "test" })), {}, [NO]],
  ["given again, and ended", story({}, withdrawn, () => approved(6, { until: 7 })), {}, []],
  ["given again, by a key that is not the entry's", story({}, withdrawn, () => approved(6, { by: ci })), {}, [NO]],
  ["given again, where two are asked for by now", story({}, withdrawn, () => approved(6)), { count: 2 }, [NO]],
  ["approved, and not promoted", [registered(1), approved(1).fact].map((fact) => ({ fact, minute: 1 })), {}, [NO]],
  ["another version under that number", story(), { createdAt: 5 }, [NO]],
])("%s", (_, steps, { count = 1, createdAt = 1001 }, messages) => {
  const { view, state } = chain(steps, "claims-triage");
  expect(view.problems).toEqual([]);
  const model = { name: "prod.claims.triage", tags: {}, aliases: {}, deploymentJob: "7" };
  const version = { model: model.name, version: "1", createdAt, runId: undefined, aliases: [] };
  const picture = {
    environment: "prod",
    isFirst: false,
    model,
    versions: [{ ...version, tags: { approval: "Approved" } }],
  };
  const line = { state, project: "claims-triage", entries: view.entries };
  const found = (changed: object) =>
    deploymentFindings({ ...picture, ...changed }, deployments, line, asking(count)).map((each) => each.message);
  expect(found({})).toEqual(messages);
  // Without a job, in the first environment, or with another word, the tag means nothing.
  expect(found({ model: { name: model.name, tags: {}, aliases: {} } })).toEqual([]);
  expect(found({ isFirst: true })).toEqual([]);
  expect(found({ versions: [{ ...version, tags: { approval: "Rejected", approved: "Approved" } }] })).toEqual([]);
});

test("a version that nobody recorded: no candidate is named in what to do", () => {
  const { view, state } = chain([]);
  const versions = [
    {
      model: "prod.claims.triage",
      version: "9",
      createdAt: 1,
      runId: undefined,
      aliases: [],
      tags: { Approval_Risk: "approved", approval_owner: "Approved" },
    },
  ];
  const model = { name: "prod.claims.triage", tags: {}, aliases: {}, deploymentJob: "7" };
  const picture = { environment: "prod", isFirst: false, model, versions };
  const line = { state, project: "claims-triage", entries: view.entries };
  expect(deploymentFindings(picture, deployments, line, asking(1))).toEqual([
    {
      part: "registry",
      verdict: "no",
      environment: "prod",
      message:
        "prod v9 is approved in the workspace (Approval_Risk, approval_owner), and no approval of the ledger counts for it",
      fix: "take the tags away there, and look at what its deployment job did: it never counts for promote or release",
    },
  ]);
});

test("which tags let a task pass", () => {
  const tags = {
    approval: "Approved",
    APPROVAL_2: " approved ",
    approvals: "no",
    not_approval: "Approved",
    other: "x",
  };
  expect(approvalTags(tags)).toEqual(["approval", "APPROVAL_2"]);
});
