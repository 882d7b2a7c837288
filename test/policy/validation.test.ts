import { describe, expect, test } from "vitest";
import { FactoryError } from "../../src/lib/error.ts";
import { parseYaml } from "../../src/lib/yaml-document.ts";
import { policySchema } from "../../src/policy/policy.ts";
import { newSigner } from "./world.ts";

const KEYS = [newSigner().publicKey, newSigner().publicKey];
const [K1 = "", K2 = ""] = KEYS;
/** A policy in which everything is used; one line for each thing that a case changes. */
const GOOD = `factory: 1
version: 7
organisation: Example Mutual
timezone: Europe/Zurich
ledger: { kind: git, url: "git@example.com:governance/policy.git", branch: ledger }
environments:
  - { name: dev, catalog: dev, registry: { kind: mlflow, uri: http://127.0.0.1:5210 } }
  - name: prod
    catalog: prod
    registry: { kind: mlflow, uri: http://127.0.0.1:5210/ }
    evidence: { signedBy: [ci@example.com] }
    freeze: ["2026-12-20/2027-01-04"]
productLines: { claims: { capacity: 4, owner: claims@example.com } }
projects: { claims-triage: { productLine: claims, riskTier: medium, owner: claims@example.com } }
roles:
  policy-owner: [head@example.com]
  model-risk: [risk@example.com, head@example.com]
  reader: [ci@example.com, web-flow]
policyQuorum: 1
people:
  head@example.com: { keys: [{ key: "${K1}", from: 2026-11-01, until: 2027-10-31 }], aliases: [Head-GH, "12+head@users.noreply.example.com"] }
  risk@example.com: { kind: person, aliases: [risk-1] }
  ci@example.com: { kind: service, keys: [{ key: "${K2}", from: 2026-11-01 }], aliases: ["<application id>"] }
  web-flow: { kind: bot, aliases: [noreply@example.com] }
riskTiers:
  medium:
    firstRelease: deny
    prod: { gates: [unit], approvals: [{ role: model-risk, count: 1 }, { role: project-owner, count: 1 }], approvalTtl: P7D, strategy: [shadow, canary] }
tickets: { system: file, path: tickets.yaml }
`;
const lineOf = (words: string) => GOOD.split("\n").findIndex((line) => line.includes(words)) + 1;

test("the whole of it parses, and dates stay the texts that they are", () => {
  const policy = parseYaml(GOOD, "policy.yaml", policySchema);
  expect(policy.people["head@example.com"]?.keys?.[0]).toEqual({ key: K1, from: "2026-11-01", until: "2027-10-31" });
});

const replace = (from: string, to: string) => {
  if (!GOOD.includes(from)) throw new Error(`nothing to replace: ${from}`);
  return GOOD.replace(from, to);
};

describe("refused, by line", () => {
  test.each([
    ["a key that is none", replace(K1, "ed25519:AAAA"), 21, "is no ed25519 key"],
    ["a key of another kind", replace(K1, K1.replace("ed25519", "rsa")), 21, "is no ed25519 key"],
    [
      "a second spelling of one key",
      replace(K1, `${K1.slice(0, -2)}${nextLetter(K1.at(-2))}=`),
      21,
      "is no ed25519 key",
    ],
    ["one key for two people", replace(K2, K1), 23, "this key is listed for head@example.com already"],
    [
      "one key twice for one",
      replace("until: 2027-10-31 }", `until: 2027-10-31 }, { key: "${K1}", from: 2027-11-01 }`),
      21,
      "this key is listed for head@example.com already",
    ],
    [
      "a bot with a key",
      replace("kind: bot,", `kind: bot, keys: [{ key: "${newSigner().publicKey}", from: 2026-01-01 }],`),
      24,
      "a bot has no keys",
    ],
    ["a day that does not exist", replace("until: 2027-10-31", "until: 2027-02-29"), 21, "a day of the calendar"],
    ["a date that is none", replace("from: 2026-11-01, until", "from: 1.11.2026, until"), 21, "a day of the calendar"],
    ["a number for a date", replace("from: 2026-11-01, until", "from: 20261101, until"), 21, "expected string"],
    [
      "a key that ends before it begins",
      replace("2027-10-31", "2026-10-31"),
      21,
      "ends on 2026-10-31, before it begins on 2026-11-01",
    ],
    [
      "capital letters in an address",
      replace("  head@example.com: {", "  Head@Example.com: {"),
      21,
      "write it as head@example.com",
    ],
    [
      "a look-alike letter in an address",
      replace("  risk@example.com: {", "  risk@exаmple.com: {"),
      22,
      "neither a plain ASCII address",
    ],
    [
      "a person listed under an alias of another",
      replace("aliases: [risk-1]", "aliases: [head-gh]"),
      22,
      "head-gh belongs to head@example.com already",
    ],
    [
      "an alias that is another's address",
      replace("aliases: [risk-1]", "aliases: [HEAD+x@example.com]"),
      22,
      "belongs to head@example.com already",
    ],
    [
      "an alias twice",
      replace("aliases: [risk-1]", "aliases: [risk-1, Risk-1]"),
      22,
      "Risk-1 is listed for risk@example.com already",
    ],
    [
      "one's own address as an alias",
      replace("aliases: [risk-1]", "aliases: [risk@example.com]"),
      22,
      "is listed for risk@example.com already",
    ],
    [
      "an alias in other letters",
      replace("aliases: [risk-1]", "aliases: [rísk-1]"),
      22,
      "neither a plain ASCII address",
    ],
    [
      "an owner in capital letters",
      replace("riskTier: medium, owner: claims", "riskTier: medium, owner: Claims"),
      lineOf("projects:"),
      "write it as claims@example.com",
    ],
    [
      "a role whose member nobody knows",
      replace("[risk@example.com, head", "[riks@example.com, head"),
      17,
      "riks@example.com is not listed under people",
    ],
    [
      "a role with an alias for a member",
      replace("[risk@example.com, head", "[risk-1, head"),
      17,
      "risk-1 is not listed under people",
    ],
    [
      "a member in capital letters",
      replace("[risk@example.com, head", "[RISK@example.com, head"),
      17,
      "write it as risk@example.com",
    ],
    [
      "a member twice",
      replace("[risk@example.com, head@example.com]", "[head@example.com, head@example.com]"),
      17,
      "head@example.com is listed twice",
    ],
    [
      "a service that approves",
      replace("[risk@example.com, head", "[ci@example.com, head"),
      17,
      "ci@example.com is a service: only people decide",
    ],
    [
      "a bot that approves",
      replace("[risk@example.com, head", "[web-flow, head"),
      17,
      "web-flow is a bot: only people decide",
    ],
    [
      "a service that owns the policy",
      replace("policy-owner: [head", "policy-owner: [ci"),
      16,
      "ci@example.com is a service: only people decide",
    ],
    [
      "a list of project owners",
      replace("  reader: [", "  project-owner: ["),
      18,
      "is the owner of each project and cannot be listed",
    ],
    [
      "a quorum of more owners than there are",
      replace("policyQuorum: 1", "policyQuorum: 2"),
      19,
      "2 owners must sign, and only 1 are in role policy-owner",
    ],
    [
      "an approval by a role that nobody has",
      replace("role: model-risk", "role: model-rsik"),
      lineOf("approvals"),
      "no role is called model-rsik",
    ],
    [
      "an approval by one role twice",
      replace("role: project-owner", "role: model-risk"),
      lineOf("approvals"),
      "role model-risk is asked for twice",
    ],
    [
      "a freeze that ends before it begins",
      replace("2026-12-20/2027-01-04", "2027-01-04/2026-12-20"),
      12,
      "ends on 2026-12-20, before it begins on 2027-01-04",
    ],
    [
      "a freeze on a day that does not exist",
      replace("2026-12-20/2027-01-04", "2026-11-31/2026-12-04"),
      12,
      "there is no day 2026-11-31",
    ],
    [
      "a strategy that does not exist",
      replace("[shadow, canary]", "[shadow, canray]"),
      lineOf("strategy"),
      "one or more of direct",
    ],
    ["a strategy twice", replace("[shadow, canary]", "[canary, canary]"), lineOf("strategy"), "names a strategy twice"],
    ["a lifetime of no time", replace("P7D", "P0D"), lineOf("approvalTtl"), "lasts no time at all"],
    ["a lifetime in months", replace("P7D", "P1M"), lineOf("approvalTtl"), "ISO 8601"],
    [
      "evidence signed by nobody known",
      replace("signedBy: [ci@", "signedBy: [cd@"),
      11,
      "cd@example.com is not listed under people",
    ],
    [
      "evidence signed by a bot",
      replace("signedBy: [ci@example.com]", "signedBy: [web-flow]"),
      11,
      "web-flow is a bot",
    ],
    [
      "two environments in one place",
      replace("catalog: prod", "catalog: dev"),
      9,
      "each environment needs models of its own",
    ],
    ["a time zone that does not exist", replace("Europe/Zurich", "Europe/Zuerich"), 4, "is not an IANA time zone"],
    [
      "an organisation that steers a terminal",
      replace("organisation: Example Mutual", 'organisation: "a\\e[2J"'),
      3,
      "one line without control characters",
    ],
    ["a ledger behind a helper program", replace("git@example.com:governance/policy.git", "ext::sh -c id"), 5, "ASCII"],
    [
      "a ledger behind a helper program, no blanks",
      replace("git@example.com:governance/policy.git", "ext::id"),
      5,
      "helper program",
    ],
    [
      "a ledger that is a flag",
      replace("git@example.com:governance/policy.git", "--upload-pack=id"),
      5,
      "starts with a dash",
    ],
    [
      "a ledger with a password",
      replace("git@example.com:governance/policy.git", "https://u:p@example.com/x"),
      5,
      "holds credentials",
    ],
    [
      "a ledger on a host that is a flag",
      replace("git@example.com:governance/policy.git", "ssh://-oProxyCommand=id/x"),
      5,
      "starts with a dash",
    ],
    [
      "a ledger in a relative place",
      replace("git@example.com:governance/policy.git", "../ledger.git"),
      5,
      "no absolute path",
    ],
    ["a branch that is a flag", replace("branch: ledger", "branch: --force"), 5, "is no name of a branch"],
    ["a branch with a colon", replace("branch: ledger", 'branch: "a:refs/heads/main"'), 5, "is no name of a branch"],
  ])("%s", (_, text, line, words) => {
    const problems = problemsOf(text);
    expect(problems).toContainEqual(expect.objectContaining({ line, message: expect.stringContaining(words) }));
  });

  test("every problem is told at once", () => {
    const text = replace("policyQuorum: 1", "policyQuorum: 2").replace("Europe/Zurich", "Nowhere").replace(K2, K1);
    expect(problemsOf(text)).toHaveLength(3);
  });
});

test("a tier that an alias names again does not stand in the place of the first", () => {
  const twice = replace("  medium:", "  &m medium:").replace(
    "tickets: {",
    "  *m : { firstRelease: allow }\ntickets: {",
  );
  expect(problemsOf(twice)).toEqual([
    expect.objectContaining({
      message: "the key *m stands for another text: keys must be written out",
      line: lineOf("tickets: {"),
    }),
  ]);
});

test("a key and a freeze of one day are sound", () => {
  expect(problemsOf(replace("until: 2027-10-31", "until: 2026-11-01"))).toEqual([]);
  expect(problemsOf(replace("2026-12-20/2027-01-04", "2026-12-20/2026-12-20"))).toEqual([]);
});

test.each([
  "https://example.com/a.git",
  "ssh://git@example.com/a",
  "ssh://git@example.com:2222/a",
  "file:///srv/a.git",
  "/srv/a.git",
  "git@example.com:a/b.git",
])("%s may hold a ledger", (url) => {
  expect(problemsOf(replace("git@example.com:governance/policy.git", url))).toEqual([]);
});

function problemsOf(text: string) {
  try {
    parseYaml(text, "policy.yaml", policySchema);
    return [];
  } catch (error) {
    if (!(error instanceof FactoryError)) throw error;
    expect(error.exit).toBe(2);
    return error.problems;
  }
}

/** Another last digit of the base64 with the same bytes: only its unused bits differ. */
function nextLetter(letter = "A"): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  return alphabet[alphabet.indexOf(letter) + 1] ?? "B";
}
