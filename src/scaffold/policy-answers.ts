import { usageError } from "../lib/error.ts";
import { listingIn } from "../policy/listing.ts";
import type { Policy } from "../policy/policy.ts";
import { stageOf } from "../policy/stage-of.ts";
import type { Answers, AnswerValue, Question } from "./template-manifest.ts";

/** A question as it is asked here, with a note beside each choice. */
export interface OfferedQuestion extends Question {
  notes?: Readonly<Record<string, string>>;
}

/** The questions with what the policy says in place of a template's own product lines and risk tiers. */
export function offerPolicy(questions: readonly Question[], policy: Policy | undefined): OfferedQuestion[] {
  if (policy === undefined) return [...questions];
  const lines = Object.fromEntries(Object.keys(policy.productLines).map((line) => [line, slotsText(policy, line)]));
  const tiers = Object.fromEntries(Object.keys(policy.riskTiers).map((tier) => [tier, tierText(policy, tier)]));
  return questions.map((asked) => {
    if (asked.name === "product_line") return withChoices(asked, lines);
    if (asked.name === "risk_tier") return withChoices(asked, tiers);
    return asked;
  });
}

function withChoices(asked: Question, notes: Readonly<Record<string, string>>): OfferedQuestion {
  const choices = Object.keys(notes);
  const [first] = choices;
  if (first === undefined) return asked;
  const { pattern: _, default: usual, ...rest } = asked;
  const kept = typeof usual === "string" && choices.includes(usual) ? usual : first;
  return { ...rest, type: "choice", choices, notes, default: kept };
}

/** `1 of 4 slots used`: the projects that the policy lists in this product line. */
function slotsText(policy: Policy, line: string): string {
  const used = Object.values(policy.projects).filter((project) => project.productLine === line).length;
  const capacity = policy.productLines[line]?.capacity ?? 0;
  return `${used} of ${capacity} slots used`;
}

function tierText(policy: Policy, tier: string): string {
  const last = policy.environments.at(-1);
  const stage = last === undefined ? {} : stageOf(policy, tier, last.name);
  const approvals = (stage.approvals ?? []).reduce((sum, each) => sum + each.count, 0);
  const words = [approvals === 0 ? "no approver" : approvals === 1 ? "1 approver" : `${approvals} approvers`];
  if (stage.ticket === "required") words.push("a ticket");
  if (stage.strategy !== undefined) words.push([stage.strategy].flat().join(" or "));
  if (stage.humanReview === "required") words.push("human review");
  return words.join(", ");
}

/**
 * The answers that the policy fixes for a listed project. Throws a usage error when an answer given differs:
 * the policy is the authority. Empty for a project that it does not list (a pilot).
 */
export function answersOfPolicy(
  questions: readonly Question[],
  policy: Policy | undefined,
  project: string,
  given: Answers,
): Answers {
  const listed = listingIn(policy, project);
  if (listed === undefined) return {};
  const fixed: Record<string, AnswerValue> = {};
  for (const [name, value] of Object.entries({
    product_line: listed.productLine,
    risk_tier: listed.riskTier,
    owner: listed.owner,
  })) {
    if (!questions.some((asked) => asked.name === name)) continue;
    const answer = given[name];
    if (answer !== undefined && answer !== value) {
      throw usageError(
        "answers.policy",
        `${name} is ${value} for ${project} in policy.yaml, not ${answer}`,
        "the policy decides: leave the answer out, or have the policy changed",
      );
    }
    fixed[name] = value;
  }
  return fixed;
}
