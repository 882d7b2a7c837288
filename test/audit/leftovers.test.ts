import { describe, expect, test } from "vitest";
import { auditLeftovers } from "../../src/audit/audit-leftovers.ts";
import { registryFindings } from "../../src/audit/audit-registry.ts";
import { auditOpenStarts, refusedRollback } from "../../src/audit/audit-starts.ts";
import { type Finding, outcomeOf } from "../../src/audit/finding.ts";
import type { Look } from "../../src/audit/look.ts";
import type { Fact } from "../../src/ledger/entry.ts";
import { sha256 } from "../../src/lib/hash.ts";
import { leftovers, leftVersion, recordedVersions, registryDifferences } from "../../src/line/registry-differences.ts";
import { manifestOf, modelDigest } from "../../src/registry/manifest.ts";
import type { ModelRegistry, ModelVersion } from "../../src/registry/registry.ts";
import { type Chain, chain, minutes, promoted, released, rolledback } from "./chain.ts";

/** v1 serves in prod; a promotion of model 2 is begun there at minute 3, by entry 8. */
const TWO = [...promoted(1, 2, 1), ...released(1, "none", 5, 2), ...promoted(2, 7, 3).slice(0, 2)];
const abandoned: Fact = { kind: "abandoned", body: { started: 8, environment: "prod", reason: "the runner died" } };
const open = chain(TWO);
const given = chain([...TWO, { fact: abandoned, minute: 4 }]);
const DIGEST = sha256("model 2");
const BEGUN = minutes(3).getTime();

function version(n: number, createdAt: number, digest?: string): ModelVersion {
  return {
    model: "prod.claims.triage",
    version: String(n),
    createdAt,
    runId: undefined,
    tags: digest === undefined ? {} : { "factory.digest": digest },
    aliases: [],
  };
}
const served = version(1, 1001);
const picture = (versions: ModelVersion[], challenger?: string, champion = "1") => ({
  environment: "prod",
  isFirst: false,
  model: { name: "prod.claims.triage", tags: {}, aliases: { champion, ...(challenger && { challenger }) } },
  versions,
});
const BY_HAND = "prod v2 was made by hand: the ledger does not know it";
const ALIAS = "alias challenger of prod is v2 in the registry, but none in the ledger";

describe("what a decision excuses", () => {
  const differences = (line: Chain, seen: ReturnType<typeof picture>, again?: string) => {
    const here = line.state.environment("prod");
    const recorded = recordedVersions(line.state, "prod");
    return registryDifferences(seen, here, recorded, leftovers(seen, here, recorded, again));
  };
  const made = version(2, BEGUN, DIGEST);

  test.each<[string, Chain, ReturnType<typeof picture>, string[]]>([
    ["its version and alias, while it is open", open, picture([made, served], "2"), []],
    ["its version, once it is abandoned", given, picture([made, served]), []],
    ["no alias, once it is abandoned", given, picture([made, served], "2"), [ALIAS]],
    ["a clock that is five minutes behind", given, picture([version(2, BEGUN - 300_000, DIGEST), served]), []],
    ["none that is older", given, picture([version(2, BEGUN - 300_001, DIGEST), served]), [BY_HAND]],
    [
      "none that is older, of an open one either",
      open,
      picture([version(2, BEGUN - 300_001, DIGEST), served]),
      [BY_HAND],
    ],
    ["none whose time is no time", given, picture([version(2, Number.NaN, DIGEST), served]), [BY_HAND]],
    ["none with another digest", given, picture([version(2, BEGUN, sha256("other")), served]), [BY_HAND]],
    ["none without a digest", open, picture([version(2, BEGUN), served]), [BY_HAND]],
  ])("%s", (_, line, seen, expected) => {
    expect(differences(line, seen)).toEqual(expected);
  });

  test("none with a number that was there before", () => {
    const seen = picture([version(1, BEGUN, DIGEST)]);
    expect(differences(given, seen)).toEqual(["prod v1 was made by hand: the ledger does not know it"]);
    expect(leftVersion(seen.versions, DIGEST, given.state.environment("prod"))).toBeUndefined();
  });

  test("the alias of an abandoned one, when the same candidate is promoted again, and no other", () => {
    const seen = picture([made, served], "2");
    expect(differences(given, seen, DIGEST)).toEqual([]);
    expect(differences(given, seen, sha256("model 1"))).toEqual([ALIAS]);
    expect(leftVersion(seen.versions, DIGEST, given.state.environment("prod"))).toBe("2");
  });
});

describe("what verify excuses", () => {
  const BYTES = "two";
  const file = { path: "MLmodel", sha256: sha256(BYTES), bytes: BYTES.length };
  const digest = modelDigest(manifestOf([file]));
  /** The same story about bytes that can be read. */
  const real = (facts: typeof TWO) =>
    chain(
      facts.map(({ fact, minute }) =>
        fact.kind === "promotion.started" && fact.body.digest === DIGEST
          ? { fact: { ...fact, body: { ...fact.body, digest } }, minute }
          : { fact, minute },
      ),
    );
  const isOpen = real(TWO);
  const isAbandoned = real([...TWO, { fact: abandoned, minute: 4 }]);
  const made = version(2, BEGUN, digest);
  const refused: Finding = { part: "ledger", verdict: "no", message: "decided again, approvals: 0 of 1" };
  const untold: Finding = { part: "ledger", verdict: "cannot tell", message: "the store did not answer" };

  async function found(line: Chain, seen: ReturnType<typeof picture>, against: Finding[] = [], bytes = BYTES) {
    const here = line.state.environment("prod");
    const filesOf: ModelRegistry["filesOf"] = () => ({
      label: "v2",
      files: async () => [{ path: "MLmodel", bytes: bytes.length }],
      fetch: () => Promise.reject(new Error("it is only read")),
      digest: async () => ({ sha256: sha256(bytes), bytes: bytes.length }),
    });
    const recorded = recordedVersions(line.state, "prod");
    const look: Pick<Extract<Look, { answered: true }>, "picture"> & { registry: Pick<ModelRegistry, "filesOf"> } = {
      picture: seen,
      registry: { filesOf },
    };
    const { left, findings } = await auditLeftovers(
      look,
      here,
      recorded,
      async () => against,
      () => {},
    );
    const all = [...findings, ...registryFindings(seen, line.state, line.view.entries, left)];
    const told = all.filter((each) => !each.message.includes("holds no anchor"));
    return { outcome: outcomeOf(told), said: told.map((each) => `${each.verdict}: ${each.message}`).join("\n") };
  }

  test("nothing was left", async () => {
    expect(await found(isOpen, picture([served]))).toEqual({ outcome: "yes", said: "" });
    expect(await found(isAbandoned, picture([served]))).toEqual({ outcome: "yes", said: "" });
  });

  test.each<[string, Parameters<typeof found>, string, RegExp]>([
    [
      "a version of an abandoned one is named for ever",
      [isAbandoned, picture([made, served])],
      "yes",
      /^note: prod v2 is not in the ledger: entry 8 .* of ci@example.com made it, and was abandoned/,
    ],
    [
      "its alias is not excused",
      [isAbandoned, picture([made, served], "2")],
      "no",
      /no: alias challenger of prod is v2/,
    ],
    [
      "nor other bytes",
      [isAbandoned, picture([made, served]), [], "worse"],
      "no",
      /no: the bytes of prod v2 are sha256:/,
    ],
    [
      "nor what the rules refuse",
      [isAbandoned, picture([made, served]), [refused]],
      "no",
      /approvals: 0 of 1[\s\S]*made by hand/,
    ],
    [
      "what nobody can decide",
      [isAbandoned, picture([made, served]), [untold]],
      "cannot tell",
      /the store did not answer/,
    ],
    ["a version of an open one", [isOpen, picture([made, served])], "cannot tell", /entry 8 .* is not ended/],
    ["its alias", [isOpen, picture([made, served], "2")], "cannot tell", /cannot tell: alias challenger of prod is v2/],
    ["other bytes of an open one", [isOpen, picture([made, served], "2"), [], "worse"], "no", /made by hand/],
    [
      "an open one that the rules refuse",
      [isOpen, picture([made, served], "2"), [refused]],
      "no",
      /no: alias challenger/,
    ],
    [
      "champion moved while a promotion is open",
      [isOpen, picture([made, served], undefined, "2")],
      "no",
      /no: alias champion/,
    ],
  ])("%s", async (_, args, outcome, said) => {
    const answer = await found(...args);
    expect(answer.said).toMatch(said);
    expect(answer.outcome).toBe(outcome);
  });

  test("an alias that an open release may have moved cannot be told, and is a no when the rules refuse it", async () => {
    const line = chain([
      ...promoted(1, 2, 1),
      ...released(1, "none", 5, 2),
      ...promoted(2, 7, 3),
      ...released(2, 1, 10, 4).slice(0, 1),
    ]);
    const seen = picture([version(2, 1002), served], undefined, "2");
    expect(await found(line, seen)).toMatchObject({ outcome: "cannot tell" });
    expect(await found(line, seen, [refused])).toMatchObject({ outcome: "no" });
    expect(await found(line, picture([version(2, 1002), served], "2"))).toEqual({ outcome: "yes", said: "" });
  });

  test("everything that is open is told and decided again", async () => {
    const findings = await auditOpenStarts(open.state, async () => [refused]);
    expect(findings.map((each) => each.verdict)).toEqual(["note", "no"]);
    expect(findings[0]?.message).toMatch(/^prod: entry 8 \(promotion.started\) of ci@example.com, .* is not ended$/);
    expect(await auditOpenStarts(given.state, async () => [refused])).toEqual([]);
  });

  test.each([
    ["what was released", 1, undefined],
    ["nothing, where a way back was fixed", "none", /goes back to nothing, but v1 was fixed/],
    ["what never was", 3, /goes back to v3, but v1 was fixed/],
  ] as const)("a rollback that is begun goes back to %s", (_, to, why) => {
    const line = chain([
      ...promoted(1, 2, 1),
      ...released(1, "none", 5, 2),
      ...promoted(2, 7, 3),
      ...released(2, 1, 10, 4),
      ...rolledback(2, to, 12, 11, 5).slice(0, 1),
    ]);
    const begun = line.view.entries.at(-1);
    if (begun?.kind !== "rollback.started") throw new Error("no rollback was begun");
    const said = refusedRollback(begun, line.state);
    if (why === undefined) expect(said).toBeUndefined();
    else expect(said).toMatch(why);
  });
});
