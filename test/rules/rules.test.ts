import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { decide, outcomeOf, RULES } from "../../src/rules/decide.ts";
import type { Action } from "../../src/rules/facts.ts";
import { CASES } from "./cases.ts";
import { goodFacts } from "./good-facts.ts";

describe("the table of rules", () => {
  it.each(["approve", "promote", "release"] satisfies Action[])(
    "says yes to all when nothing is against it: %s",
    (action) => {
      const verdicts = decide(goodFacts({ action }));
      expect(verdicts.filter((each) => each.verdict !== "yes")).toEqual([]);
      expect(verdicts.length).toBeGreaterThan(12);
      expect(outcomeOf(verdicts)).toBe("yes");
    },
  );

  it("names each rule once", () => {
    expect(new Set(RULES.map((each) => each.name)).size).toBe(RULES.length);
  });

  it.each(RULES.map((rule) => rule.name))("has a pass, a refusal and a cannot tell for %s", (name) => {
    expect([...new Set((CASES[name] ?? []).map(([, verdict]) => verdict))].sort()).toEqual([
      "cannot tell",
      "no",
      "yes",
    ]);
  });

  it("has no cases for a rule that is not there", () => {
    expect(Object.keys(CASES).filter((name) => !RULES.some((rule) => rule.name === name))).toEqual([]);
  });

  it.each(RULES.map((rule) => [rule.name, rule.actions] as const))(
    "is explained, with its commands: %s",
    (name, actions) => {
      const rows = readFileSync(join(import.meta.dirname, "../../docs/rules.md"), "utf8")
        .split("\n")
        .filter((line) => line.startsWith(`| \`${name}\` |`));
      expect(rows).toHaveLength(1);
      const order: Action[] = ["approve", "promote", "release"];
      expect(rows[0]?.split(" | ")[2]).toBe(order.filter((each) => actions.includes(each)).join(", "));
    },
  );

  it("says no when nothing was asked, and a no beats what cannot be told", () => {
    expect(outcomeOf([])).toBe("no");
    expect(decide(goodFacts(), [])).toEqual([]);
    const say = (verdict: "yes" | "no" | "cannot tell") => ({ rule: "x", verdict, why: "" });
    expect(outcomeOf([say("yes"), say("cannot tell"), say("no")])).toBe("no");
    expect(outcomeOf([say("yes"), say("cannot tell")])).toBe("cannot tell");
    expect(outcomeOf([say("yes")])).toBe("yes");
  });
});

for (const [name, cases] of Object.entries(CASES)) {
  describe(`rule ${name}`, () => {
    it.each(cases)("%s: %s", (_, verdict, changes, why) => {
      const verdicts = decide(goodFacts(changes));
      const said = verdicts.find((each) => each.rule === name);
      expect(said, `${name} decides for ${changes.action ?? "promote"}`).toBeDefined();
      expect(said).toMatchObject({ verdict, why: why === undefined ? expect.any(String) : expect.stringMatching(why) });
      if (verdict !== "yes") expect(outcomeOf(verdicts)).not.toBe("yes");
    });
  });
}
