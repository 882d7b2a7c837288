import { type Problem, usageError } from "../lib/error.ts";
import { nearest } from "../lib/nearest.ts";
import { redact } from "../lib/redact.ts";
import { type Answers, type AnswerValue, problemOfAnswer, type Question } from "./template-manifest.ts";

export interface Settled {
  /** Answers so far, in the order of the questions; a question whose condition is not met has none. */
  answers: Record<string, AnswerValue>;
  /** Questions that are asked and have no answer yet, in order. */
  open: readonly Question[];
}

/**
 * What is answered and what is still to ask. Throws a usage error with every answer that is wrong, belongs to no
 * question, or belongs to a question that is not asked.
 */
export function settleAnswers(
  questions: readonly Question[],
  given: Answers,
  options: { takeDefaults: boolean },
): Settled {
  const answers: Record<string, AnswerValue> = {};
  const open: Question[] = [];
  const problems: Problem[] = unknownAnswers(questions, given);
  for (const asked of questions) {
    const condition = conditionOf(asked, answers, open);
    const answer = given[asked.name] ?? (options.takeDefaults && condition === "met" ? asked.default : undefined);
    if (condition === "not met") {
      if (given[asked.name] !== undefined)
        problems.push({
          message: `${asked.name} is not asked here: it needs ${conditionText(asked)}`,
          path: asked.name,
        });
    } else if (answer === undefined) {
      if (condition === "met") open.push(asked);
    } else {
      const wrong = problemOfAnswer(asked, answer) ?? secretIn(asked, answer);
      if (wrong === undefined) answers[asked.name] = answer;
      else problems.push({ message: wrong, path: asked.name, ...hintFor(asked, answer) });
    }
  }
  if (problems.length > 0) throw invalidAnswers(problems);
  return { answers, open };
}

/** `cannot tell` while the question that the condition looks at has no answer. */
function conditionOf(asked: Question, answers: Answers, open: readonly Question[]): "met" | "not met" | "cannot tell" {
  const wanted = Object.entries(asked.when ?? {});
  if (wanted.some(([name, value]) => answers[name] !== undefined && answers[name] !== value)) return "not met";
  if (wanted.some(([name]) => open.some((other) => other.name === name))) return "cannot tell";
  return wanted.every(([name, value]) => answers[name] === value) ? "met" : "not met";
}

function conditionText(asked: Question): string {
  return Object.entries(asked.when ?? {})
    .map(([name, value]) => `${name}=${value}`)
    .join(" and ");
}

function unknownAnswers(questions: readonly Question[], given: Answers): Problem[] {
  const names = questions.map((each) => each.name);
  return Object.keys(given)
    .filter((key) => !names.includes(key))
    .map((key) => {
      const guess = nearest(key, names);
      return {
        message: `no question is called ${JSON.stringify(key)}`,
        path: key,
        hint: guess === undefined ? `there are: ${names.join(", ")}` : `did you mean ${JSON.stringify(guess)}?`,
      };
    });
}

function hintFor(asked: Question, answer: AnswerValue): { hint: string } | undefined {
  const guess = typeof answer === "string" && asked.choices ? nearest(answer, asked.choices) : undefined;
  return guess === undefined ? undefined : { hint: `did you mean ${JSON.stringify(guess)}?` };
}

function secretIn(asked: Question, answer: AnswerValue): string | undefined {
  return typeof answer === "string" && redact(answer) !== answer
    ? `${asked.name} looks like a secret; answers are kept in the project and tracked by git`
    : undefined;
}

function invalidAnswers(problems: readonly Problem[]): Error {
  const [first] = problems;
  return usageError(
    "answers.invalid",
    problems.length === 1 ? (first?.message ?? "") : `${problems.length} answers are wrong`,
    problems.length === 1 ? first?.hint : undefined,
    problems,
  );
}

/** Throws a usage error that names the flag for every question that is still open. */
export function refuseOpen(open: readonly Question[], reason: "no terminal" | "no default"): void {
  if (open.length === 0) return;
  const problems = open.map((asked) => ({
    message: asked.prompt.endsWith("?") ? asked.prompt : `${asked.prompt}?`,
    path: asked.name,
    hint: flagOf(asked),
  }));
  const flags = open.map(flagOf).join(" ");
  const what =
    open.length === 1
      ? `an answer is missing: ${open[0]?.prompt}`
      : `${open.length} answers are missing: ${open.map((asked) => asked.name).join(", ")}`;
  const hint =
    reason === "no terminal"
      ? `without a terminal, give ${flags} (or --answers FILE, or --yes for the defaults)`
      : `there is no default: give ${flags}`;
  throw usageError("answers.missing", what, hint, problems);
}

/** The flag that answers a question: `--set risk_tier=low|medium|high`. */
export function flagOf(asked: Pick<Question, "name" | "type" | "choices">): string {
  const value =
    asked.choices?.join("|") ?? { string: "TEXT", number: "NUMBER", boolean: "yes|no", choice: "CHOICE" }[asked.type];
  return `--set ${asked.name}=${value}`;
}

/** An answer as typed on a flag or at a prompt; text that is no number or yes/no stays text, and is refused later by type. */
export function typedAnswer(asked: Pick<Question, "type">, text: string): AnswerValue {
  if (asked.type === "boolean") {
    if (/^(?:true|yes|y)$/i.test(text)) return true;
    if (/^(?:false|no|n)$/i.test(text)) return false;
  }
  if (asked.type === "number" && /^[+-]?\d{1,15}(?:\.\d{1,15})?(?:e[+-]?\d{1,2})?$/i.test(text)) return Number(text);
  return text;
}

/** Answers given as `key=value`. Throws a usage error for one without `=`, or given twice. */
export function answersFromFlags(questions: readonly Question[], sets: readonly string[]): Answers {
  const answers: Record<string, AnswerValue> = {};
  for (const set of sets) {
    const at = set.indexOf("=");
    if (at < 1)
      throw usageError(
        "answers.set",
        `--set ${set} is not key=value`,
        `such as ${flagOf(questions[1] ?? { name: "risk_tier", type: "string" })}`,
      );
    const key = set.slice(0, at).trim();
    if (Object.hasOwn(answers, key)) throw usageError("answers.set", `--set ${key} is given twice`);
    const asked = questions.find((each) => each.name === key);
    Object.defineProperty(answers, key, {
      value: typedAnswer(asked ?? { type: "string" }, set.slice(at + 1)),
      enumerable: true,
    });
  }
  return answers;
}
