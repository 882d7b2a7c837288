import type { DecisionFacts } from "./facts.ts";
import type { Rule, Verdict } from "./rule.ts";
import { APPROVAL_RULES } from "./rules-approvals.ts";
import { CANDIDATE_RULES } from "./rules-candidate.ts";
import { EVIDENCE_RULES } from "./rules-evidence.ts";
import { GATE_RULES } from "./rules-gates.ts";
import { WORLD_RULES } from "./rules-world.ts";

/** The table of rules. A later rule is a new row. */
export const RULES: readonly Rule[] = [
  ...CANDIDATE_RULES,
  ...EVIDENCE_RULES,
  ...GATE_RULES,
  ...APPROVAL_RULES,
  ...WORLD_RULES,
];

/** Every rule's verdict on the facts. Pure. */
export function decide(facts: DecisionFacts, rules: readonly Rule[] = RULES): Verdict[] {
  return rules
    .filter((rule) => rule.actions.includes(facts.action))
    .map((rule) => ({ rule: rule.name, ...rule.judge(facts) }));
}

/** The verdict on all: any no is a no, even beside what could not be told; nothing at all is no yes. */
export function outcomeOf(verdicts: readonly Verdict[]): Verdict["verdict"] {
  if (verdicts.some((each) => each.verdict === "no") || verdicts.length === 0) return "no";
  return verdicts.some((each) => each.verdict === "cannot tell") ? "cannot tell" : "yes";
}
