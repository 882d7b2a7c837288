import { describe, expect, it } from "vitest";
import { planRollback, type RollbackFacts } from "../../src/release/plan-rollback.ts";

const REQUEST = {
  environment: "prod",
  reason: "escalations doubled",
  incident: undefined,
  detectedAt: undefined,
  further: false,
};
const NOTHING: RollbackFacts = {
  model: "claims.triage",
  serving: undefined,
  since: undefined,
  alias: undefined,
  halfDone: undefined,
  endpoint: undefined,
  actor: { address: "ci@example.com", kind: "service" },
  firstRelease: "withdraw",
  target: undefined,
};
const OURS = { registry: { place: "http://127.0.0.1:5210", isOurs: true } };
const GONE = { version: "1", at: "2026-11-25T15:10:40.000Z", by: "ci@example.com", seq: 11 };

describe("a rollback where nothing serves", () => {
  type Case = [name: string, facts: Partial<RollbackFacts>, why: RegExp, fix: RegExp];
  it.each<Case>([
    ["nothing ever did", OURS, /^nothing serves in prod: there is nothing/, /factory release NUMBER --env prod/],
    [
      "the last one was rolled back",
      { ...OURS, takenAway: GONE },
      /^nothing serves in prod: v1 was rolled back at 2026-11-25T15:10:40.000Z by ci@example.com \(entry 11\)/,
      /factory release NUMBER --env prod/,
    ],
    [
      "but champion was put on it again",
      { ...OURS, takenAway: GONE, alias: "1" },
      /^by the ledger nothing serves in prod; champion was put on v1 by hand$/,
      /factory verify/,
    ],
    [
      "by a registry that cannot tell, and the ledger is gone",
      { alias: "1" },
      /^champion is v1, and the registry's tags \(factory\.rollback, factory\.digest\) tell no way back from there: only the ledger knows the way back from v1$/,
      /make the ledger answer/,
    ],
    [
      "and a release was begun",
      { halfDone: { seq: 8, version: "1" } },
      /^a release of v1 was begun \(entry 8\) and has not moved champion: nothing serves$/,
      /factory promote --to prod --abandon/,
    ],
  ])("%s: one reason, and what to do", (_, facts, why, fix) => {
    const { verdicts, outcome, start } = planRollback(REQUEST, { ...NOTHING, ...facts });
    expect({ outcome, start }).toEqual({ outcome: "no", start: undefined });
    expect(verdicts).toEqual([
      { rule: "serving", verdict: "no", why: expect.stringMatching(why), fix: expect.stringMatching(fix) },
      expect.objectContaining({ rule: "actor", verdict: "yes" }),
    ]);
  });
});
