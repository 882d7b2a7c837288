import { describe, expect, test } from "vitest";
import { auditLedger } from "../../src/audit/audit-ledger.ts";
import { registryFindings, usesOf } from "../../src/audit/audit-registry.ts";
import { type Finding, outcomeOf } from "../../src/audit/finding.ts";
import { placeAsksNetwork } from "../../src/audit/network.ts";
import { statusOf } from "../../src/audit/status.ts";
import { type Fact, printHead } from "../../src/ledger/entry.ts";
import { NOTHING_LEFT, type RegistryPicture } from "../../src/line/registry-differences.ts";
import type { ModelVersion } from "../../src/registry/registry.ts";
import { known, unknown } from "../../src/rules/facts.ts";
import { registered } from "../support/line.ts";
import { type Chain, chain, deployed, minutes, POLICY, promoted, released } from "./chain.ts";

const finding = (verdict: Finding["verdict"]): Finding => ({ part: "ledger", verdict, message: "" });

test.each([
  [[], "yes"],
  [["note"], "yes"],
  [["cannot tell", "note"], "cannot tell"],
  [["cannot tell", "no"], "no"],
] as const)("%j is %s", (verdicts, outcome) => {
  expect(outcomeOf(verdicts.map(finding))).toBe(outcome);
});

test.each([
  [{ kind: "file", path: "/x" }, false],
  [{ kind: "git", url: "/srv/ledger.git", branch: "ledger", project: "p" }, false],
  [{ kind: "git", url: "file:///srv/ledger.git", branch: "ledger", project: "p" }, false],
  [{ kind: "git", url: "https://git.example.com/ledger.git", branch: "ledger", project: "p" }, true],
  [{ kind: "git", url: "git@git.example.com:ledger.git", branch: "ledger", project: "p" }, true],
] as const)("reading %j asks the network: %s", (place, asks) => {
  expect(placeAsksNetwork(place)).toBe(asks);
});

/** v1 serves in prod, v2 is its challenger. */
const line = chain([...promoted(1, 2, 1), ...released(1, "none", 5, 2), ...promoted(2, 7, 3)]);

const misplaced = registered(1);
const inProd: Fact = { ...misplaced, body: { ...misplaced.body, environment: "prod" } };

describe("the ledger about itself", () => {
  const audit = (
    change: Partial<Parameters<typeof auditLedger>[0]> = {},
    pending: string[] = [],
    given?: string,
    now = minutes(60),
  ) => auditLedger({ ...line, project: "claims-triage", policy: unknown("none"), ...change }, pending, given, now);

  test("five minutes ahead are how clocks differ; of many entries ahead five are named", () => {
    const ahead = (ms: number) => audit({}, [], undefined, new Date(minutes(3).getTime() - ms)).findings;
    expect(ahead(300_000)).toEqual([]);
    expect(ahead(300_001)).toHaveLength(3);
    expect(ahead(300_001)[0]).toMatchObject({
      verdict: "no",
      message: `entry 7 (registered) of ci@example.com is dated ${minutes(3).toISOString()}: this machine says 2026-11-25T07:57:59.999Z`,
    });
    expect(ahead(86_400_000).map((each) => each.message)).toEqual([
      ...Array.from({ length: 5 }, (_, i) => expect.stringMatching(new RegExp(`^entry ${i + 1} \\(`))),
      "4 more entries are dated in the future",
    ]);
  });

  test("a sound chain", () => {
    expect(audit({}, [], POLICY.digest)).toMatchObject({
      entries: 9,
      firstPolicy: POLICY.digest,
      policy: { version: 1, digest: POLICY.digest },
      findings: [],
    });
  });

  test.each([
    ["torn", audit({ view: { ...line.view, tornBytes: 7 } }), "7 bytes of a line"],
    [
      "a problem of the chain",
      audit({ view: { ...line.view, problems: [{ seq: 4, message: "entry 4 is bad" }] } }),
      "entry 4 is bad",
    ],
    [
      "a problem of the order",
      audit({
        state: { ...line.state, problems: [{ seq: 5, hash: "5".repeat(64), message: "ends what was never started" }] },
      }),
      "entry 5 ends what",
    ],
    ["another project", audit({ project: "other" }), "not of other"],
    ["pending", audit({}, ["a.json", "b.json"]), "2 files in .factory/pending"],
    ["another first policy", audit({}, [], "0".repeat(64)), "not under sha256:000"],
    [
      "a registration where only a promotion goes",
      audit({ state: chain([{ fact: inProd, minute: 1 }]).state }),
      "entry 2 of ci@example.com registers v1 in prod, not in dev",
    ],
    ["empty", audit({ view: { ...line.view, entries: [] } }), "nothing proves nothing"],
  ])("%s is a no with what to do", (_, { findings }, message) => {
    expect(findings).toHaveLength(1);
    expect(findings[0]).toMatchObject({
      verdict: "no",
      message: expect.stringContaining(message),
      fix: expect.any(String),
    });
  });
});

function version(n: number, more: Partial<ModelVersion> = {}): ModelVersion {
  return {
    model: "prod.claims.triage",
    version: String(n),
    createdAt: 1000 + n,
    runId: undefined,
    tags: {},
    aliases: [],
    ...more,
  };
}

describe("the registry against the ledger", () => {
  const picture = (change: Partial<RegistryPicture> = {}, anchor = printHead(line.view.head)): RegistryPicture => ({
    environment: "prod",
    isFirst: false,
    model: {
      name: "prod.claims.triage",
      tags: { "factory.ledger.head": anchor },
      aliases: { champion: "1", challenger: "2" },
    },
    versions: [version(2), version(1)],
    ...change,
  });
  const found = (change: Partial<RegistryPicture>, anchor?: string) =>
    registryFindings(picture(change, anchor), line.state, line.view.entries, NOTHING_LEFT).map(
      ({ verdict, message }) => [verdict, message],
    );
  const aliases = (champion: string | undefined, challenger: string | undefined) => ({
    model: {
      name: "prod.claims.triage",
      tags: { "factory.ledger.head": printHead(line.view.head) },
      aliases: { ...(champion && { champion }), ...(challenger && { challenger }) },
    },
  });

  test("as it should be", () => {
    expect(found({})).toEqual([]);
  });

  test.each<[string, Partial<RegistryPicture>, string[]]>([
    ["champion moved", aliases("2", "2"), ["alias champion of prod is v2 in the registry, but v1 in the ledger"]],
    [
      "champion gone",
      aliases(undefined, "2"),
      ["alias champion of prod is none in the registry, but v1 in the ledger"],
    ],
    ["challenger moved", aliases("1", "1"), ["alias challenger of prod is v1 in the registry, but v2 in the ledger"]],
    [
      "by hand",
      { versions: [version(3), version(2), version(1)] },
      ["prod v3 was made by hand: the ledger does not know it"],
    ],
    [
      "by hand, with a digest that the ledger knows",
      {
        versions: [
          version(3, { tags: { "factory.digest": line.state.registered[0]?.body.digest ?? "" } }),
          version(2),
          version(1),
        ],
      },
      ["prod v3 was made by hand: the ledger does not know it"],
    ],
    ["deleted", { versions: [version(1)] }, ["prod v2 is in the ledger, and not in the registry"]],
    [
      "another one under its number",
      { versions: [version(2), version(1, { createdAt: 5 })] },
      [
        "prod v1 was made by hand: the ledger does not know it",
        "prod v1 is another version than the one in the ledger: made 1970-01-01T00:00:00.005Z, not 1970-01-01T00:00:01.001Z",
      ],
    ],
    [
      "a time that is none",
      { versions: [version(2), version(1, { createdAt: 9e99 })] },
      ["prod v1 was made by hand: the ledger does not know it", expect.stringContaining("made 9e+99")],
    ],
  ])("%s", (_, change, messages) => {
    expect(found(change)).toEqual(messages.map((message) => ["no", message]));
  });

  test.each([
    ["cut", `99:${"a".repeat(64)}`, "no", "entries are missing"],
    ["changed", `3:${"a".repeat(64)}`, "no", "history was changed"],
    ["nonsense", "nonsense", "no", "history was changed"],
    ["none", "", "note", "holds no anchor"],
  ])("an anchor that is %s", (_, anchor, verdict, message) => {
    expect(found({}, anchor)).toEqual([[verdict, expect.stringContaining(message)]]);
  });

  test("an earlier anchor is fine", () => {
    const third = line.view.entries[2];
    expect(found({}, `3:${third?.hash}`)).toEqual([]);
  });

  test("the bytes that matter are those of champion, challenger and rollback target, each once", () => {
    const two = chain([
      ...promoted(1, 2, 1),
      ...released(1, "none", 5, 2),
      ...promoted(2, 7, 3),
      ...released(2, 1, 10, 4),
      ...promoted(3, 12, 5),
    ]);
    expect(usesOf(two.state.environment("prod")).map(({ version, as }) => [version, as])).toEqual([
      ["2", "champion"],
      ["3", "challenger"],
      ["1", "rollback target"],
    ]);
    expect(usesOf(two.state.environment("dev")).map(({ version, as }) => [version, as])).toEqual([["3", "challenger"]]);
  });
});

describe("status", () => {
  const open = chain([...promoted(1, 2, 1), ...released(1, "none", 5, 2), ...promoted(2, 7, 3).slice(0, 2)]);
  const policy = open.view.policy;
  if (policy === undefined) throw new Error("no policy");
  const statusOfChain = (told: Chain, endpoints: Finding[] = []) =>
    statusOf(
      {
        ...told,
        project: "claims-triage",
        model: "claims.triage",
        ledger: { place: "", local: true, view: async () => told.view, append: async () => undefined },
        policy: known({ inForce: policy, problem: undefined, fix: undefined }),
        first: undefined,
      },
      { looks: [], endpoints },
      policy.policy,
      minutes(60),
    );
  const status = statusOfChain(open);

  test("what was deployed, and a deployment whose end is not known; the next one that is done takes its place", () => {
    const prod = (told: Chain) => statusOfChain(told).environments.find((each) => each.environment === "prod");
    const begun = [...promoted(1, 2, 1), ...deployed(1, 5, 2), ...deployed(1, 7, 4, false)];
    expect(prod(open)).toMatchObject({ deployed: undefined, deploying: undefined });
    const one = { version: "1", number: "1", by: "ci@example.com" };
    expect(prod(chain(begun))).toMatchObject({
      deployed: { ...one, seq: 6, at: minutes(2).toISOString(), workspace: "https://adb-1.azuredatabricks.net" },
      deploying: { ...one, seq: 7, at: minutes(4).toISOString(), fix: "factory deploy 1 --env prod" },
    });
    expect(prod(chain([...begun, ...deployed(1, 8, 5)]))).toMatchObject({
      deployed: { ...one, seq: 9 },
      deploying: undefined,
    });
  });

  test("what is begun names its holder and what to do", () => {
    expect(status.environments.find((each) => each.environment === "prod")).toMatchObject({
      champion: { version: "1", number: "1", rollback: "none", by: "ci@example.com" },
      challenger: undefined,
      open: [
        {
          kind: "promotion.started",
          by: "ci@example.com",
          number: "2",
          at: minutes(3).toISOString(),
          fix: "factory promote 2 --to prod carries on; --abandon ends it",
        },
      ],
    });
  });

  test("its place in the product line", () => {
    expect(status.listed).toEqual({ riskTier: "low", productLine: "claims", slot: 1, capacity: 4, noSlot: undefined });
  });
});
