import { describe, expect, it } from "vitest";
import type { Entry, Fact, PlacedVersion } from "../../src/ledger/entry.ts";
import { lineState } from "../../src/ledger/line-state.ts";
import { notBegun, staleness } from "../../src/line/resume.ts";

const digest = (letter: string) => letter.repeat(64);
const at = "2026-11-25T08:00:00.000Z";
const [A, B, C] = [1, 2, 3].map(
  (n): PlacedVersion => ({ version: String(n), digest: digest("abc"[n - 1] ?? ""), createdAt: n }),
);
if (A === undefined || B === undefined || C === undefined) throw new Error("three versions");
const common = { model: "claims.triage", environment: "prod" };
const basis = { evidence: digest("e"), rules: digest("0"), policy: digest("1"), approvals: [], verdicts: [] };

function chain(...facts: Fact[]): Entry[] {
  return facts.map((fact, i) => ({
    ...fact,
    seq: i + 1,
    at,
    by: "ci@example.com",
    key: digest("5"),
    prev: digest("0"),
    hash: digest("f"),
  }));
}
const promoting = ({ digest }: PlacedVersion): Fact => ({
  kind: "promotion.started",
  body: { ...common, ...basis, digest, from: { environment: "test", version: "1" }, target: "prod.m", highest: 0 },
});
const promoted = ({ version, digest, createdAt }: PlacedVersion, started: number): Fact => ({
  kind: "promoted",
  body: { ...common, digest, started, version, createdAt, evidence: basis.evidence, bundle: digest },
});
const releasing = ({ version, digest }: PlacedVersion, before: PlacedVersion | "none"): Fact => ({
  kind: "release.started",
  body: {
    ...common,
    ...basis,
    digest,
    version,
    strategy: "direct",
    champion: before,
    rollback: before === "none" ? "none" : { ...before, signature: "compatible" },
  },
});
const released = (
  { version, digest, createdAt }: PlacedVersion,
  started: number,
  before: PlacedVersion | "none",
): Fact => ({
  kind: "released",
  body: {
    ...common,
    digest,
    started,
    version,
    createdAt,
    strategy: "direct",
    rollback: before === "none" ? "none" : { ...before, signature: "compatible" },
    bundle: digest,
  },
});
const goingBack = (from: PlacedVersion, to: PlacedVersion | "none", digest = from.digest): Fact => ({
  kind: "rollback.started",
  body: { ...common, digest, from, to, reason: "a reason" },
});
const gone = ({ digest }: { digest: string }, started: number, to: PlacedVersion | "none"): Fact => ({
  kind: "rolledback",
  body: { ...common, digest, started, to, reason: "a reason" },
});
const POLICY =
  "{ factory: 1, version: 1, organisation: A, riskTiers: {}, environments: " +
  "[{ name: dev, catalog: dev, registry: { kind: mlflow, uri: http://127.0.0.1:1 } }] }";
const registered = (version: PlacedVersion): Fact => ({
  kind: "registered",
  body: {
    model: "claims.triage",
    environment: "dev",
    ...version,
    evidence: basis.evidence,
    run: "r",
    commit: "c".repeat(40),
    times: { checked: at },
  },
});
const abandoned = (started: number): Fact => ({
  kind: "abandoned",
  body: { started, environment: "prod", reason: "a reason" },
});
/** A and B were promoted, A serves. */
const start = [
  promoting(A),
  promoted(A, 1),
  promoting(B),
  promoted(B, 3),
  releasing(A, "none"),
  released(A, 5, "none"),
];
const both = [...start, releasing(B, A), released(B, 7, A)];

describe("entries that follow from the chain", () => {
  it.each([
    ["releases", both],
    ["a rollback to what was fixed", [...both, goingBack(B, A), gone(B, 9, A)]],
    ["a withdrawn first release", [...start, goingBack(A, "none"), gone(A, 7, "none")]],
    ["back twice", [...both, goingBack(B, A), gone(B, 9, A), goingBack(A, "none"), gone(A, 11, "none")]],
    [
      "a release that had moved the alias is rolled back",
      [...start, releasing(B, A), abandoned(7), goingBack(B, A), gone(B, 8 + 1, A)],
    ],
    ["one version registered twice", [registered(A), registered(A)]],
  ] satisfies [string, Fact[]][])("%s", (_, facts) => {
    expect(lineState(chain(...facts)).problems).toEqual([]);
  });

  it.each([
    [
      "a release of what was never promoted",
      [...start, releasing(C, A), released(C, 7, A)],
      /releases v3, which was never promoted/,
    ],
    [
      "a release under the number of another version",
      [...start, releasing(B, A), released({ ...B, version: "3" }, 7, A)],
      /never promoted/,
    ],
    [
      "a way back that did not serve",
      [...start, releasing(B, A), released(B, 7, B)],
      /fixes v2 as the way back, but v1 served/,
    ],
    [
      "a started way back that did not serve",
      [...start, releasing(B, C), released(B, 7, A)],
      /fixes v3 as the way back/,
    ],
    [
      "a way back where nothing served",
      [promoting(A), promoted(A, 1), releasing(A, B), released(A, 3, B)],
      /nothing served before/,
    ],
    ["a rollback to another version", [...both, goingBack(B, C), gone(B, 9, C)], /goes back to v3, but v1 was fixed/],
    [
      "a rollback to nothing",
      [...both, goingBack(B, "none"), gone(B, 9, "none")],
      /goes back to nothing, but v1 was fixed/,
    ],
    [
      "a rollback that names the bytes of another version",
      [...both, goingBack(B, A, A.digest), gone(A, 9, A)],
      /goes back from v2, and is about other bytes/,
    ],
    [
      "a way back made at another time than what served",
      [...start, releasing(B, { ...A, createdAt: 9 }), released(B, 7, { ...A, createdAt: 9 })],
      /fixes v1 as the way back, but v1 served before, made at another time/,
    ],
    ["a rollback that ends elsewhere than it began", [...both, goingBack(B, A), gone(B, 9, C)], /goes back to v3/],
    [
      "a rollback of what did not serve",
      [...both, goingBack(C, A), gone(C, 9, A)],
      /goes back from v3, which did not serve/,
    ],
    [
      "an abandoned release with a way back of its own",
      [...start, releasing(B, C), abandoned(7), goingBack(B, C), gone(B, 9, C)],
      /fixes v3 as the way back/,
    ],
    [
      "a number with another digest",
      [registered(A), registered({ ...A, digest: B.digest })],
      /dev v1 is another model/,
    ],
    [
      "a number made at another time",
      [registered(A), registered({ ...A, createdAt: 9 })],
      /another model than entry 1/,
    ],
  ] satisfies [string, Fact[], RegExp][])("%s is a problem", (_, facts, problem) => {
    const { problems } = lineState(chain(...facts));
    expect(problems.map((each) => each.message).join("; ")).toMatch(problem);
  });
});

it.each([
  ["a release", [...start, releasing(B, A), released(B, 7, B)], A, "release.started"],
  ["a rollback", [...both, goingBack(B, A), gone(B, 9, C)], B, "rollback.started"],
] satisfies [string, Fact[], PlacedVersion, string][])(
  "%s that does not fit ends nothing",
  (_, facts, serves, open) => {
    const here = lineState(chain(...facts)).environment("prod");
    expect(here.champion?.version).toBe(serves.version);
    expect(here.open.map(({ kind }) => kind)).toEqual([open]);
  },
);

it("what is begun for another model than the chain's moves and holds nothing", () => {
  const opened: Fact = {
    kind: "opened",
    body: {
      project: "claims-triage",
      model: common.model,
      policy: { version: 1, digest: digest("1"), text: POLICY, signatures: [] },
    },
  };
  const begun = promoting(A);
  if (begun.kind !== "promotion.started") throw new Error("a start");
  const other: Fact = { kind: begun.kind, body: { ...begun.body, model: "fraud.score" } };
  const { problems, environment } = lineState(chain(opened, begun, other));
  expect(problems).toMatchObject([{ seq: 3, message: "is about fraud.score, and this chain about claims.triage" }]);
  expect(environment("prod").open.map(({ seq }) => seq)).toEqual([2]);
});

describe("what was begun is carried on only as it would be begun now", () => {
  const [entry] = chain(releasing(B, A));
  if (entry?.kind !== "release.started") throw new Error("a start");
  const { body } = entry;
  it("the very same", () => {
    expect(
      staleness(entry, { verdicts: [], start: { ...body, verdicts: [{ rule: "x", verdict: "yes", why: "y" }] } }),
    ).toBeUndefined();
  });
  it.each([
    ["version", { version: "9" }, /another version/],
    ["way back", { rollback: "none" as const }, /way back/],
    ["champion", { champion: "none" as const }, /another version serves/],
    ["approvals", { approvals: [digest("9")] }, /other approvals/],
    ["policy", { policy: digest("9") }, /another policy/],
    ["rules", { rules: digest("9") }, /rules were changed/],
    ["evidence", { evidence: digest("9") }, /newer evidence/],
    ["ticket", { ticket: "CHG-2" }, /ticket/],
    ["strategy", { strategy: "other" }, /strategy/],
  ])("not with another %s", (_, change, why) => {
    expect(staleness(entry, { verdicts: [], start: { ...body, ...change } })).toMatch(why);
  });
  it("not when a rule says no by now; what cannot be told ends nothing", () => {
    const no = { rule: "freeze", verdict: "no" as const, why: "frozen" };
    expect(staleness(entry, { verdicts: [no], start: undefined })).toBe("refused by now: freeze");
    const unclear = { ...no, rule: "evidence", verdict: "cannot tell" as const };
    expect(staleness(entry, { verdicts: [unclear], start: undefined })).toBeUndefined();
    // Nor does a refusal beside it.
    expect(staleness(entry, { verdicts: [no, unclear], start: undefined })).toBeUndefined();
  });
  it("what was begun and cannot be decided again is no refusal", () => {
    expect(notBegun("no", undefined, undefined)).toBe("refused");
    expect(notBegun("no", entry, "refused by now: freeze")).toBe("refused");
    expect(notBegun("no", entry, undefined)).toBe("cannot tell");
    expect(notBegun("cannot tell", undefined, undefined)).toBe("cannot tell");
  });
});
