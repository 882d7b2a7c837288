import { describe, expect, test } from "vitest";
import type { Fact } from "../../src/ledger/entry.ts";
import { viewOf } from "../../src/ledger/view.ts";
import { signEnvelope } from "../../src/lib/dsse.ts";
import { chainOf, makePerson, opened, registered, type Said, signedPolicy } from "../support/line.ts";

const owner = makePerson("owner@example.com");
const second = makePerson("second@example.com");
const newcomer = makePerson("newcomer@example.com");
const stranger = makePerson("stranger@example.com");
const ci = makePerson("ci@example.com", { kind: "service" });
const late = makePerson("late@example.com", { from: "2026-11-26" });
const gone = makePerson("gone@example.com", { until: "2026-11-24" });
const people = [owner, second, ci, late, gone];
const first = signedPolicy({ people, owners: [owner, second], quorum: 2 });
const start: Said = { fact: opened(first), by: owner };
const approved: Fact = {
  kind: "approved",
  body: { envelope: signEnvelope(Buffer.from("{}"), owner.signer) },
};
const adopted = (wish: Parameters<typeof signedPolicy>[0]): Fact => ({
  kind: "policy.adopted",
  body: { policy: signedPolicy(wish) },
});
const later = (more: Partial<Parameters<typeof signedPolicy>[0]> = {}) =>
  adopted({ version: 2, people: [owner, newcomer, ci], owners: [owner], signedBy: [owner, second], ...more });
const at = (time: string) => new Date(`2026-11-25T${time}:00.000Z`);

describe("holds", () => {
  test.each<[string, Said[]]>([
    ["an entry of a person", [start, { fact: registered(1), by: second }]],
    ["an entry of a service", [start, { fact: registered(1), by: ci }]],
    ["an approval by a person", [start, { fact: approved, by: second }]],
    ["a chain that a service opens", [{ ...start, by: ci }]],
    [
      "a new policy that somebody adds whom it names first",
      [start, { fact: later(), by: newcomer }, { fact: registered(1), by: newcomer }],
    ],
    ["an entry dated just within five minutes before", [start, { fact: registered(1), by: owner, at: at("07:55") }]],
    [
      "a key on its first day, and on its last",
      [
        { ...start, at: at("23:59") },
        { fact: registered(1), by: late, at: new Date("2026-11-26T00:00:00.000Z") },
      ],
    ],
  ])("%s", (_, said) => {
    const view = viewOf(chainOf(said).text);
    expect(view.problems).toEqual([]);
    expect(view.entries.length).toBe(said.length);
  });
});

describe("does not hold", () => {
  test.each<[string, Said[], RegExp]>([
    [
      "a first entry that opens nothing",
      [{ fact: registered(1), by: owner }],
      /entry 1 is the first, and does not open/,
    ],
    ["a second opening", [start, start], /entry 2 opens a chain that is open/],
    [
      "a policy that too few owners signed",
      [{ ...start, fact: opened(signedPolicy({ people, owners: [owner, second], quorum: 2, signedBy: [owner] })) }],
      /signed by 1 of 2/,
    ],
    ["an opening by somebody whom its policy does not name", [{ ...start, by: stranger }], /no key with id/],
    [
      "an entry of somebody whom the policy does not name",
      [start, { fact: registered(1), by: stranger }],
      /no key with id/,
    ],
    [
      "an entry in another one's name",
      [start, { fact: registered(1), by: owner, name: second.address }],
      /in the name of second@.*key of owner@/,
    ],
    [
      "a name in capital letters",
      [start, { fact: registered(1), by: owner, name: "Owner@example.com" }],
      /in the name of Owner@/,
    ],
    ["a key before its first day", [start, { fact: registered(1), by: late }], /counts from 2026-11-26 only/],
    ["a key after its last day", [start, { fact: registered(1), by: gone }], /ended on 2026-11-24/],
    [
      "an approval by a service",
      [start, { fact: approved, by: ci }],
      /an approval signed by ci@example.com, a service/,
    ],
    [
      "a withdrawal by a service",
      [start, { fact: { kind: "approval.withdrawn", body: { approval: "0".repeat(64), reason: "because" } }, by: ci }],
      /a service/,
    ],
    ["a newcomer before the policy that names them", [start, { fact: registered(1), by: newcomer }], /no key with id/],
    [
      "a leaver after the policy that does not name them",
      [start, { fact: later(), by: owner }, { fact: registered(1), by: second }],
      /entry 3 .* no key with id/,
    ],
    ["a leaver who adds that policy", [start, { fact: later(), by: second }], /entry 2 .* no key with id/],
    [
      "a new policy signed by those whom it names itself",
      [start, { fact: later({ signedBy: [newcomer], owners: [newcomer] }), by: newcomer }],
      /brings a policy that does not count/,
    ],
    ["a new policy of the same version", [start, { fact: later({ version: 1 }), by: owner }], /needs a higher version/],
    [
      "an older policy put back",
      [
        start,
        { fact: later({ version: 3, people, owners: [owner, second] }), by: owner },
        { fact: adopted({ version: 2, people, owners: [owner, second] }), by: owner },
      ],
      /older than version 3/,
    ],
    [
      "an entry dated more than five minutes before",
      [start, { fact: registered(1), by: owner, at: at("07:54") }],
      /more than 5 minutes before/,
    ],
  ])("%s", (_, said, why) => {
    const view = viewOf(chainOf(said).text);
    expect(view.problems.map((each) => each.message).join("\n")).toMatch(why);
    expect(view.entries.length).toBe(said.length - 1);
  });
});

test("which policy was in force when an entry was written", () => {
  const view = viewOf(
    chainOf([
      start,
      { fact: registered(1), by: second },
      { fact: later(), by: newcomer },
      { fact: registered(2), by: ci },
    ]).text,
  );
  expect([0, 1, 2, 3, 4].map((seq) => view.policyAt(seq)?.version)).toEqual([undefined, 1, 1, 2, 2]);
  expect(view.policy?.version).toBe(2);
});
