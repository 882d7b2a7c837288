import { expect, it } from "vitest";
import { decide } from "../../src/rules/decide.ts";
import { known } from "../../src/rules/facts.ts";
import { missingAfter } from "../../src/rules/rules-approvals.ts";
import { champion, two, twoRoles } from "./case-parts.ts";
import { type Changes, DAY_MS, goodFacts, later, person } from "./good-facts.ts";

/** What a rule says to do, beside why it says no. */
type Way = [name: string, rule: string, changes: Changes, fix: RegExp | undefined];

const OTHER = { approval: { ticket: "CHG-1001" } };
const at = (expected: string) => known({ at: undefined, expected });
const NOWHERE = { standing: at("prod") };
const NO_TICKET = { ticket: known(undefined) };
/** Of the run that the evidence is about: the latest one may be another. */
const CHECK_AGAIN = /^at commit 1{12}: factory check --run 3f2c3f2c, factory register/;
const ASK = /^ask someone of role model-risk who neither/;

it.each<Way>([
  ["an approval for another ticket", "approvals", { approvals: [OTHER] }, /: --ticket CHG-1001$/],
  ["one of another ticket that counts for nobody", "approvals", { approvals: [{ ...OTHER, withdrawn: true }] }, ASK],
  ["too few for another ticket", "approvals", two([OTHER]), ASK],
  ["none", "approvals", { approvals: [] }, ASK],
  ["a release, whose ticket is that of its promotion", "approvals", { action: "release", approvals: [OTHER] }, ASK],
  [
    "a release of what was never promoted",
    "order",
    { action: "release", facts: NOWHERE },
    /^first: factory promote 7 --to prod --ticket ID$/,
  ],
  ["a step left out", "order", { facts: { standing: at("test") } }, /^first: factory promote 7 --to test$/],
  [
    "a ticket for what was never promoted",
    "ticket",
    { action: "release", facts: { ...NOWHERE, ...NO_TICKET } },
    undefined,
  ],
  [
    "a release of what was promoted without a ticket",
    "ticket",
    { action: "release", facts: NO_TICKET },
    /: factory promote 7 --to prod --ticket ID$/,
  ],
  ["a promotion without its ticket", "ticket", { facts: NO_TICKET }, /^--ticket ID$/],
  ["another version serves by now", "champion", { facts: { champion: champion() } }, CHECK_AGAIN],
  [
    "evidence that is too old",
    "evidence age",
    { evidence: { finished: later(-15 * DAY_MS).toISOString() } },
    CHECK_AGAIN,
  ],
])("%s: %s", (_, rule, changes, fix) => {
  const said = decide(goodFacts(changes)).find((each) => each.rule === rule);
  expect(said?.verdict).toBe("no");
  if (fix === undefined) expect(said?.fix).toBeUndefined();
  else expect(said?.fix).toMatch(fix);
});

it("says in which roles somebody else has to approve too", () => {
  const after = (changes: Changes) =>
    missingAfter(goodFacts(changes), { person: "approver@example.com", role: "model-risk" });
  expect(after({ approvals: [] })).toEqual([]);
  expect(after(two([]))).toEqual(["model-risk"]);
  expect(after(two([{ by: person("second@example.com") }]))).toEqual([]);
  expect(after(twoRoles([]))).toEqual(["compliance"]);
});
