import { expect, test } from "vitest";
import { standingApprovals } from "../../src/audit/approvals.ts";
import { approvalStatement } from "../../src/evidence/approval.ts";
import { signStatement } from "../../src/evidence/signed-statement.ts";
import type { Fact } from "../../src/ledger/entry.ts";
import { sha256 } from "../../src/lib/hash.ts";
import { demandEnvironment } from "../../src/line/line.ts";
import { parsePolicy } from "../../src/policy/parse-policy.ts";
import { planWithdrawal, standingApprovals as withdrawable } from "../../src/promotion/withdraw.ts";
import { known } from "../../src/rules/facts.ts";
import { makePerson, registered, signedPolicy } from "../support/line.ts";
import { chain, ci, minutes, owner, POLICY, promoted, released, rolledback } from "./chain.ts";

type Step = { fact: Fact; minute: number };

function approved(n: number, minute: number, environment = "prod"): Step {
  const statement = approvalStatement({
    model: "claims.triage",
    project: "claims-triage",
    environment,
    digest: sha256(`model ${n}`),
    evidence: sha256(`evidence ${n}`),
    rules: sha256("rules"),
    policy: POLICY.digest,
    role: "model-risk",
    seen: `1:${"0".repeat(64)}`,
    notAfter: minutes(100).toISOString(),
    approver: "owner@example.com",
  });
  return { fact: { kind: "approved", body: { envelope: signStatement(statement, owner.signer) } }, minute };
}

/** v1 and v2 released in prod, v2 approved as entry 12, then rolled back; `seq` 14 is the rollback's end. */
const back: Step[] = [
  ...promoted(1, 2, 1),
  ...released(1, "none", 5, 2),
  ...promoted(2, 7, 3),
  ...released(2, 1, 10, 4),
  approved(2, 5),
  ...rolledback(2, 1, 13, 11, 6),
];

/** The same bytes, checked once more. */
function checkedAgain(n: number, minute: number): Step {
  const again = registered(n);
  return { fact: { ...again, body: { ...again.body, evidence: sha256("evidence of another check") } }, minute };
}

test.each<[string, Step[], number, number[]]>([
  ["one that was given stands", [...promoted(1, 2, 1), approved(1, 2)], 50, [5]],
  ["it ends", [...promoted(1, 2, 1), approved(1, 2)], 100, []],
  ["given before a rollback of those bytes there", back, 50, []],
  ["given again after it", [...back, approved(2, 7)], 50, [15]],
  [
    "of the version that the rollback went to",
    [...back.slice(0, -2), approved(1, 5), ...rolledback(2, 1, 14, 11, 6)],
    50,
    [13],
  ],
  ["for another environment", [...back.slice(0, -3), approved(2, 5, "test"), ...rolledback(2, 1, 13, 11, 6)], 50, [12]],
  ["over evidence that is not the newest", [...promoted(1, 2, 1), approved(1, 2), checkedAgain(1, 3)], 50, []],
  ["newer evidence of other bytes", [...promoted(1, 2, 1), approved(1, 2), checkedAgain(2, 3)], 50, [5]],
  ["of bytes that nobody registered", [approved(1, 2)], 50, []],
])("%s", (_, steps, minute, standing) => {
  const { state, view } = chain(steps);
  expect(view.problems).toEqual([]);
  expect(standingApprovals(state, undefined, minutes(minute)).map(({ seq }) => seq)).toEqual(standing);
});

test.each([
  ["a key and a role that the policy still lists", owner, [owner], [5]],
  ["a role that was taken away", owner, [], []],
  ["a key that was taken out", makePerson("owner@example.com"), [owner], []],
])("given by %s", (_, person, members, standing) => {
  const { state } = chain([...promoted(1, 2, 1), approved(1, 2)]);
  const { text } = signedPolicy({ people: [person, ci], roles: { "model-risk": members } });
  expect(standingApprovals(state, parsePolicy(text, "policy.yaml"), minutes(50)).map(({ seq }) => seq)).toEqual(
    standing,
  );
});

test("an environment that nobody knows is a wrong call, not one without approvals", () => {
  const { state, view } = chain(promoted(1, 2, 1));
  if (view.policy === undefined) throw new Error("no policy is in force");
  const line = { state, policy: known({ inForce: view.policy, problem: undefined, fix: undefined }) };
  expect(() => demandEnvironment(line, "prod")).not.toThrow();
  expect(() => demandEnvironment(line, "prdo")).toThrow(
    expect.objectContaining({ code: "environment.unknown", exit: 2, hint: expect.stringContaining("prod") }),
  );
});

test("whoever may take back two approvals of theirs is named once", () => {
  const { state, view } = chain([...promoted(1, 2, 1), approved(1, 2), approved(1, 3)]);
  if (view.policy === undefined) throw new Error("no policy is in force");
  const line = { policy: known({ inForce: view.policy, problem: undefined, fix: undefined }) };
  const found = withdrawable(state, sha256("model 1"), "prod");
  expect(planWithdrawal(line, found, ci.signer.keyId, minutes(4))).toEqual({
    refused: "only owner@example.com or a policy owner can take it back",
  });
});
