import { describe, expect, test } from "vitest";
import { parseYaml } from "../../src/lib/yaml-document.ts";
import { normaliseName } from "../../src/policy/address.ts";
import { identityOfKey, listedKey, personOf } from "../../src/policy/identity.ts";
import { type Policy, policySchema } from "../../src/policy/policy.ts";
import { effectiveSignedBy } from "../../src/policy/signed-by.ts";
import { slotProblem, slotsOf } from "../../src/policy/slots.ts";
import { newSigner, personLine, policyText } from "./world.ts";

const [now, soon, past, service] = [newSigner(), newSigner(), newSigner(), newSigner()];
const policy = (zone = "UTC", more: readonly string[] = []): Policy =>
  parseYaml(
    policyText({
      timezone: zone,
      people: [
        personLine(
          "ann@example.com",
          [{ key: now }, { key: soon, from: "2026-12-01" }, { key: past, until: "2026-10-31" }],
          'aliases: [Ann-GH, "12+ann@users.noreply.example.com"], ',
        ),
        personLine("ci@example.com", [{ key: service }], "kind: service, "),
        "web-flow: { kind: bot, aliases: [noreply@example.com] }",
      ],
      more,
    }),
    "policy.yaml",
    policySchema,
  );
const AT = new Date("2026-11-25T12:00:00Z");

test("whose key it is, and why it counts for nobody", () => {
  const of = (key: { keyId: string }, at = AT, zone = "UTC") => identityOfKey(policy(zone), key.keyId, at);
  expect(of(now)).toEqual({ address: "ann@example.com", kind: "person" });
  expect(of(service)).toEqual({ address: "ci@example.com", kind: "service" });
  expect(of(soon)).toEqual({ problem: "the key of ann@example.com counts from 2026-12-01 only" });
  expect(of(past)).toEqual({ problem: "the key of ann@example.com ended on 2026-10-31" });
  expect(of(newSigner())).toEqual({ problem: expect.stringContaining("is listed under people") });
  expect(identityOfKey(policy(), "", AT)).toHaveProperty("problem");
});

test.each([
  ["UTC", "2026-11-30T23:59:59Z", false],
  ["UTC", "2026-12-01T00:00:00Z", true],
  ["Europe/Zurich", "2026-11-30T22:59:59Z", false],
  ["Europe/Zurich", "2026-11-30T23:00:00Z", true],
  ["Pacific/Kiritimati", "2026-11-30T10:00:00Z", true],
  ["Pacific/Pago_Pago", "2026-12-01T10:59:59Z", false],
])("a key from 2026-12-01 in %s at %s", (zone, at, counts) => {
  expect("address" in identityOfKey(policy(zone), soon.keyId, new Date(at))).toBe(counts);
  const ends = new Date(new Date(at).getTime() - 30 * 86_400_000);
  expect("address" in identityOfKey(policy(zone), past.keyId, ends)).toBe(!counts);
});

test("the public key of an id, whoever has it", () => {
  expect(listedKey(policy(), past.keyId)).toBe(past.publicKey);
  expect(listedKey(policy(), newSigner().keyId)).toBeUndefined();
});

test.each([
  ["ann@example.com", "ann@example.com"],
  ["ANN@Example.COM", "ann@example.com"],
  ["ann+work@example.com.", "ann@example.com"],
  ["ann-gh", "ann@example.com"],
  ["ANN-GH", "ann@example.com"],
  ["12+other@users.noreply.example.com", "ann@example.com"],
  ["noreply@example.com", "web-flow"],
  ["аnn@example.com", undefined],
  ["ann@examp1e.com", undefined],
  ["constructor", undefined],
  ["__proto__", undefined],
  ["", undefined],
])("%j is %s", (name, person) => expect(personOf(policy(), name)).toBe(person));

test.each([
  ["Risk-1", "risk-1"],
  ["<Application Id>", "<application id>"],
  ["ｒｉｓｋ", "risk"],
  ["a\nb", undefined],
  ["", undefined],
  ["ünder", undefined],
  ["@x", undefined],
  ["a@", undefined],
])("the name %j is compared as %j", (name, normal) => expect(normaliseName(name)).toBe(normal));

describe("who may sign evidence", () => {
  test("as the environment says", () => {
    const named = {
      ...policy(),
      environments: policy().environments.map((each) => ({ ...each, evidence: { signedBy: ["ann@example.com"] } })),
    };
    expect(effectiveSignedBy(named, "dev")).toEqual(["ann@example.com"]);
    expect(effectiveSignedBy(named, "prod")).toEqual(["ann@example.com"]);
  });
  test("else services for the last one, anyone listed for the others", () => {
    expect(effectiveSignedBy(policy(), "prod")).toEqual(["ci@example.com"]);
    expect(effectiveSignedBy(policy(), "dev")).toBeUndefined();
    expect(effectiveSignedBy(policy(), "nowhere")).toBeUndefined();
  });
  test("anyone listed where there is no service", () => {
    const { "ci@example.com": _, ...people } = policy().people;
    expect(effectiveSignedBy({ ...policy(), people }, "prod")).toBeUndefined();
  });
});

test("slots go in the order of the file", () => {
  const full = policy("UTC", [
    "productLines: { claims: { capacity: 2, owner: c@example.com }, revenue: { capacity: 0, owner: r@example.com } }",
    "projects:",
    ...["one", "two", "three"].map((name) => `  ${name}: { productLine: claims, riskTier: low, owner: o@example.com }`),
    "  four: { productLine: revenue, riskTier: low, owner: o@example.com }",
  ]);
  expect(slotsOf(full)).toEqual([
    { productLine: "claims", owner: "c@example.com", capacity: 2, projects: ["one", "two", "three"] },
    { productLine: "revenue", owner: "r@example.com", capacity: 0, projects: ["four"] },
  ]);
  expect(["one", "two", "pilot"].map((name) => slotProblem(full, name))).toEqual([undefined, undefined, undefined]);
  expect(slotProblem(full, "three")).toBe("product line claims has 2 slots (taken by: one, two)");
  expect(slotProblem(full, "four")).toBe("product line revenue has 0 slots (taken by: none)");
});
