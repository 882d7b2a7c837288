import { describe, expect, it } from "vitest";
import { approvalStatement } from "../../src/evidence/approval.ts";
import { signStatement } from "../../src/evidence/signed-statement.ts";
import type { Fact } from "../../src/ledger/entry.ts";
import { lineState } from "../../src/ledger/line-state.ts";
import { judgeChain } from "../../src/ledger/view.ts";
import { sha256 } from "../../src/lib/hash.ts";
import { parseYaml } from "../../src/lib/yaml-document.ts";
import { anchorProblem } from "../../src/line/anchor.ts";
import { findCandidate } from "../../src/line/find-candidate.ts";
import { countingPolicy } from "../../src/line/line.ts";
import { NOTHING_LEFT, recordedVersions, registryDifferences } from "../../src/line/registry-differences.ts";
import { policySchema } from "../../src/policy/policy.ts";
import { approvalsOf } from "../../src/promotion/facts-of-approvals.ts";
import { championOf } from "../../src/promotion/facts-of-line.ts";
import { spentOn } from "../../src/promotion/facts-of-ticket.ts";
import { assignRoles } from "../../src/rules/assign-roles.ts";
import { newSigner, personLine, policyText, recordOf, signText } from "../policy/world.ts";
import { chainOf, makePerson, opened, registered, type Said, signedPolicy } from "../support/line.ts";

const owner = makePerson("owner@example.com");
const author = makePerson("author@example.com");
const policy = signedPolicy({ people: [owner, author] });
const read = parseYaml(policy.text, "policy.yaml", policySchema);
const NOW = new Date("2026-11-25T12:00:00.000Z");

/** A whole chain that a reader takes, and what it says. */
function stateOf(facts: readonly Fact[], by = owner) {
  const chain = chainOf([{ fact: opened(policy), by: owner }, ...facts.map((fact): Said => ({ fact, by }))]);
  const { view } = judgeChain(chain.text, Buffer.alloc(0), "claims-triage");
  expect(view.problems).toEqual([]);
  return { view, state: lineState(view.entries) };
}

const candidate = (n: number, environment: string) => ({
  model: "claims.triage",
  digest: sha256(`model ${n}`),
  environment,
});
const started = (n: number, environment: string, ticket?: string): Fact => ({
  kind: "promotion.started",
  body: {
    ...candidate(n, environment),
    evidence: sha256(`evidence ${n}`),
    from: { environment: "dev", version: String(n) },
    target: `${environment}.claims.triage`,
    highest: 0,
    rules: sha256("rules"),
    policy: policy.digest,
    ...(ticket !== undefined && { ticket }),
    approvals: [],
    verdicts: [],
  },
});
const promoted = (n: number, environment: string, seq: number): Fact => ({
  kind: "promoted",
  body: {
    ...candidate(n, environment),
    started: seq,
    version: "1",
    createdAt: 5,
    evidence: sha256(`evidence ${n}`),
    bundle: sha256("bundle"),
  },
});
/** Promoted from entry `seq` on, then released. */
const release = (n: number, environment: string, seq: number, ticket?: string): Fact[] => [
  started(n, environment),
  promoted(n, environment, seq),
  {
    kind: "release.started",
    body: {
      ...candidate(n, environment),
      version: "1",
      strategy: "direct",
      evidence: sha256(`evidence ${n}`),
      rules: sha256("rules"),
      policy: policy.digest,
      ...(ticket !== undefined && { ticket }),
      approvals: [],
      champion: "none",
      rollback: "none",
      verdicts: [],
    },
  },
  {
    kind: "released",
    body: {
      ...candidate(n, environment),
      started: seq + 2,
      version: "1",
      createdAt: 5,
      strategy: "direct",
      rollback: "none",
      bundle: sha256("bundle"),
    },
  },
];
const of = (n: number, environment: string) => ({
  environment,
  candidate: findCandidate(stateOf([registered(n)]).state, "claims.triage", String(n)),
});

describe("tickets", () => {
  it.each([
    ["while a promotion of another is under way", [started(1, "prod", "CHG-1")], of(2, "prod"), "prod, by entry 2"],
    ["after a promotion of another", [started(1, "prod", "CHG-1"), promoted(1, "prod", 2)], of(2, "prod"), "prod v1"],
    ["after a release of another", release(1, "prod", 2, "CHG-1"), of(2, "prod"), "prod v1"],
    ["in another environment", [started(1, "dev", "CHG-1"), promoted(1, "dev", 2)], of(1, "prod"), "dev v1"],
    ["for the same candidate and environment", [started(1, "prod", "CHG-1")], of(1, "prod"), undefined],
    [
      "when what was begun was abandoned",
      [
        started(1, "prod", "CHG-1"),
        { kind: "abandoned", body: { started: 2, environment: "prod", reason: "the runner died" } },
      ],
      of(2, "prod"),
      undefined,
    ],
    ["another ticket", [started(1, "prod", "CHG-2")], of(2, "prod"), undefined],
  ] satisfies [string, Fact[], ReturnType<typeof of>, string | undefined][])("%s", (_, facts, question, expected) => {
    expect(spentOn(stateOf(facts).state, "CHG-1", question)).toBe(expected);
  });
});

describe("registrations", () => {
  it("the newest of one number counts, and the newest evidence of its bytes", () => {
    const again: Fact = {
      kind: "registered",
      body: { ...registered(1).body, digest: sha256("other"), evidence: sha256("e2") },
    };
    const newer: Fact = {
      kind: "registered",
      body: { ...registered(1).body, digest: sha256("other"), version: "2", evidence: sha256("e3") },
    };
    const { state } = stateOf([registered(1), again, newer]);
    expect(findCandidate(state, "claims.triage", "1")).toMatchObject({
      digest: sha256("other"),
      evidence: sha256("e3"),
    });
  });

  it("evidence about another model's name does not count for these bytes", () => {
    const other: Fact = {
      kind: "registered",
      body: { ...registered(1).body, model: "claims.other", evidence: sha256("e2") },
    };
    const { state } = stateOf([registered(1), other]);
    expect(findCandidate(state, "claims.triage", "1").evidence).toBe(sha256("evidence 1"));
  });

  it("one that the ledger does not know, and an empty ledger, are exit 2", () => {
    expect(() => findCandidate(stateOf([registered(1)]).state, "claims.triage", "2")).toThrow(
      /knows no claims.triage v2/,
    );
    expect(() => findCandidate(lineState([]), "claims.triage", "1")).toThrow(/empty or missing/);
  });

  it("straight into a later environment is told, and makes no version known there", () => {
    const { state } = stateOf([registered(1), registered(2, "prod")]);
    expect(state.problems).toMatchObject([
      { seq: 3, message: "of owner@example.com registers v2 in prod, not in dev" },
    ]);
    expect(recordedVersions(state, "prod")).toEqual([]);
    expect(state.environment("prod").challenger).toBeUndefined();
  });
});

describe("the champion", () => {
  it("has the commits under which it was registered before it was released", () => {
    const late: Fact = { kind: "registered", body: { ...registered(1).body, commit: "f".repeat(40) } };
    const { state } = stateOf([registered(1), ...release(1, "prod", 3), late]);
    expect(championOf(state, read)).toMatchObject({ environment: "prod", commits: ["0".repeat(40)] });
  });

  it("has no commit of a registration on which nothing was decided", () => {
    const beside: Fact = {
      kind: "registered",
      body: { ...registered(1).body, evidence: sha256("of nobody"), commit: "f".repeat(40) },
    };
    const { state } = stateOf([registered(1), beside, registered(1), ...release(1, "prod", 5)]);
    expect(championOf(state, read)?.commits).toEqual(["0".repeat(40)]);
  });
});

describe("approvals in a chain", () => {
  const approval = (signer = author.signer) =>
    signStatement(
      approvalStatement({
        ...candidate(1, "prod"),
        project: "claims-triage",
        evidence: sha256("evidence 1"),
        rules: sha256("rules"),
        policy: policy.digest,
        role: "model-risk",
        seen: `1:${"0".repeat(64)}`,
        notAfter: "2026-12-01T00:00:00.000Z",
        approver: "author@example.com",
      }),
      signer,
    );
  const seen = (fact: Fact, by = author) => approvalsOf(stateOf([fact], by), read);
  it("is its signer's", () => {
    expect(seen({ kind: "approved", body: { envelope: approval() } })[0]?.by).toEqual({
      address: "author@example.com",
      kind: "person",
    });
  });
  it("an envelope of somebody else in an entry of one's own counts for nobody", () => {
    expect(seen({ kind: "approved", body: { envelope: approval() } }, owner)[0]?.by).toEqual({
      problem: "signed by another key than its entry",
    });
  });
  it("a signature that its key did not make counts for nobody", () => {
    const envelope = approval();
    const forged = {
      ...envelope,
      signatures: [{ keyid: author.signer.keyId, sig: approval(owner.signer).signatures[0]?.sig ?? "" }],
    };
    expect(seen({ kind: "approved", body: { envelope: forged } })[0]?.by).toEqual({
      problem: expect.stringMatching(/did not make/),
    });
  });
  it("a key that the policy does not list counts for nobody", () => {
    expect(seen({ kind: "approved", body: { envelope: approval(newSigner()) } })[0]?.by).toEqual({
      problem: expect.stringMatching(/does not count here/),
    });
  });
  it("what is no approval is left out", () => {
    const envelope = { ...approval(), payload: Buffer.from("{}").toString("base64") };
    expect(seen({ kind: "approved", body: { envelope } })).toEqual([]);
  });
});

describe("the policy that counts", () => {
  const key = newSigner();
  const stranger = newSigner();
  const people = [personLine("owner@example.com", [{ key }]), personLine("other@example.com", [{ key: stranger }])];
  const text = (version: number, more: string[] = []) =>
    policyText({ version, owners: ["owner@example.com"], people, more });
  const current = (version: number) => {
    const parsed = parseYaml(text(version), "policy.yaml", policySchema);
    return { policy: parsed, digest: sha256(text(version)), version, text: text(version) };
  };
  const counting = (inForce: number, fileText: string, signers: (typeof key)[]) =>
    countingPolicy(
      "claims-triage",
      "claims.triage",
      { policy: current(inForce) },
      {
        policy: parseYaml(fileText, "policy.yaml", policySchema),
        path: "policy.yaml",
        digest: sha256(fileText),
        text: fileText,
        signaturesPath: "policy.sigs.jsonl",
        signatures: signers.map((signer) => signText(fileText, signer)),
      },
      NOW,
    );
  const problem = ({ policy: said }: ReturnType<typeof counting>) => (said.known ? said.value.problem : said.why);
  it("is the file, when it is the one in force", () => expect(problem(counting(2, text(2), []))).toBeUndefined());
  it("is a later one that its owners signed, which is adopted first", () => {
    const said = counting(2, text(3), [key]);
    expect(problem(said)).toBeUndefined();
    expect(said.first).toEqual({ kind: "policy.adopted", body: { policy: recordOf(text(3), [key]) } });
  });
  it.each([
    ["edited by hand", text(2, ["# looser"]), [], /a changed policy needs a higher version/],
    ["edited by hand, and signed", text(2, ["# looser"]), [key], /a changed policy needs a higher version/],
    ["an older one put back", text(1), [key], /version 1 is older than version 2/],
    ["signed by nobody", text(3), [], /signed by 0 of 1/],
    ["signed by who is no owner", text(3), [stranger], /other@example.com is not in role policy-owner/],
  ] satisfies [string, string, (typeof key)[], RegExp][])("is not one that is %s", (_, file, signers, why) => {
    const said = counting(2, file, signers);
    expect(problem(said)).toMatch(why);
    expect(said.first).toBeUndefined();
  });
});

describe("registries", () => {
  const { view, state } = stateOf([registered(1)]);
  const head = `${view.head.seq}:${view.head.hash}`;
  const model = (tags: Record<string, string>, aliases: Record<string, string> = {}) => ({
    name: "prod.x",
    tags,
    aliases,
  });
  it.each([
    ["the end of the chain", head, undefined],
    ["none", undefined, undefined],
    ["an end that the chain lacks", `9:${"a".repeat(64)}`, /entries are missing/],
    ["another entry of that number", `2:${"a".repeat(64)}`, /history was changed/],
    ["what is no anchor", "x", /./],
    ["an empty number", `:${view.head.hash}`, /./],
  ] satisfies [string, string | undefined, RegExp | undefined][])("anchor: %s", (_, anchor, why) => {
    const said = anchorProblem(
      model(anchor === undefined ? {} : { "factory.ledger.head": anchor }),
      "prod",
      view.entries,
    );
    if (why === undefined) expect(said).toBeUndefined();
    else expect(said).toMatch(why);
  });
  it("a version made by hand is a stranger, also under a number that the ledger knows", () => {
    const version = (number: string, createdAt: number) => ({
      model: "prod.x",
      version: number,
      createdAt,
      runId: undefined,
      tags: {},
      aliases: [],
    });
    const said = registryDifferences(
      {
        environment: "prod",
        isFirst: false,
        model: model({}, { champion: "2" }),
        versions: [version("1", 5), version("2", 6)],
      },
      state.environment("prod"),
      [{ version: "1", digest: sha256("x"), createdAt: 4 }],
      NOTHING_LEFT,
    );
    expect(said).toEqual([
      "alias champion of prod is v2 in the registry, but none in the ledger",
      expect.stringMatching(/prod v1 was made by hand/),
      expect.stringMatching(/prod v2 was made by hand/),
    ]);
  });
});

describe("roles and people", () => {
  interface Vote {
    person: string;
    role: string;
  }
  /** All ways to give each person one of their roles: the most places that any fills. */
  function most(asked: readonly { role: string; count: number }[], votes: readonly Vote[]): number {
    const people = [...new Set(votes.map((vote) => vote.person))];
    const best = (i: number, left: ReadonlyMap<string, number>): number => {
      const person = people[i];
      if (person === undefined) return 0;
      const roles = votes.filter((vote) => vote.person === person && (left.get(vote.role) ?? 0) > 0);
      return Math.max(
        best(i + 1, left),
        ...roles.map(({ role }) => 1 + best(i + 1, new Map(left).set(role, (left.get(role) ?? 0) - 1))),
      );
    };
    return best(0, new Map(asked.map(({ role, count }) => [role, count])));
  }

  it("fills as many places as can be filled, each person once and in a role of theirs", () => {
    let seed = 7;
    const random = (below: number) => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return Math.floor((seed / 2_147_483_648) * below);
    };
    let full = 0;
    for (let i = 0; i < 2000; i++) {
      const asked = Array.from({ length: 1 + random(3) }, (_, role) => ({ role: `r${role}`, count: 1 + random(3) }));
      const votes = Array.from({ length: random(9) }, () => ({ person: `p${random(5)}`, role: `r${random(4)}` }));
      const used = assignRoles(asked, votes, (vote) => vote);
      const all = used.flat();
      expect(all).toHaveLength(most(asked, votes));
      expect(new Set(all.map((vote) => vote.person)).size).toBe(all.length);
      used.forEach((those, index) => {
        expect(those.every((vote) => vote.role === asked[index]?.role)).toBe(true);
        expect(those.length).toBeLessThanOrEqual(asked[index]?.count ?? 0);
      });
      if (all.length === asked.reduce((sum, each) => sum + each.count, 0)) full++;
    }
    expect(full).toBeGreaterThan(200);
  });
});
