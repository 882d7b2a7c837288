import * as z from "zod";
import { patternMatches } from "./pattern.ts";

/** `template.yaml`: what a template is called and what it asks. Unknown keys are errors. Shape: docs/templates.md. */

export type AnswerValue = string | number | boolean;
export type Answers = Readonly<Record<string, AnswerValue>>;

/** Variables that every template has besides its answers; a question cannot take their names. */
const DERIVED_NAMES: readonly string[] = [
  "package",
  "model_name",
  "policy_path",
  "year",
  "template_name",
  "template_version",
  "factory_version",
];

const value = z.union([z.string(), z.number(), z.boolean()]);

const question = z
  .strictObject({
    name: z.string().regex(/^[a-z][a-z0-9_]{0,40}$/, "lower-case letters, digits and _, starting with a letter"),
    type: z.enum(["string", "number", "boolean", "choice"]),
    prompt: z.string().min(1).max(200),
    default: value.optional(),
    choices: z.array(z.string().min(1).max(100)).min(1).optional(),
    pattern: z.string().min(1).max(200).optional(),
    when: z.record(z.string(), value).optional(),
  })
  .superRefine((asked, context) => {
    const issue = (path: string, message: string) => context.addIssue({ code: "custom", path: [path], message });
    if (asked.type === "choice" && asked.choices === undefined) issue("choices", "a choice needs choices");
    if (asked.type !== "choice" && asked.choices !== undefined)
      issue("choices", "only a question of type choice has choices");
    if (asked.choices !== undefined && new Set(asked.choices).size < asked.choices.length)
      issue("choices", "a choice is listed twice");
    if (asked.pattern !== undefined && asked.type !== "string")
      issue("pattern", "only a question of type string has a pattern");
    if (asked.pattern !== undefined && !isPattern(asked.pattern)) issue("pattern", "is not a regular expression");
    else if (asked.default !== undefined) {
      const wrong = problemOfAnswer(asked, asked.default);
      if (wrong !== undefined) issue("default", `the default is not a valid answer: ${wrong}`);
    }
  });
export type Question = z.infer<typeof question>;

export const templateSchema = z
  .strictObject({
    factory: z.literal(1, { error: "this factory reads format 1; a later one needs a newer factory" }),
    name: z.string().regex(/^[a-z][a-z0-9-]{0,62}$/, "lower-case letters, digits and -, starting with a letter"),
    version: z.string().regex(/^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?$/, "a version such as 1.0.0"),
    description: z.string().min(1).max(300),
    questions: z.array(question).min(1).max(100),
  })
  .superRefine((template, context) => {
    const issue = (at: number, path: string, message: string) =>
      context.addIssue({ code: "custom", path: ["questions", at, path], message });
    const first = template.questions[0];
    if (first?.name !== "project" || first.type !== "string" || first.when !== undefined) {
      issue(0, "name", "the first question is project, of type string, without when: factory new NAME answers it");
    }
    const earlier = new Map<string, Question>();
    template.questions.forEach((asked, at) => {
      if (earlier.has(asked.name)) issue(at, "name", `${asked.name} is asked twice`);
      if (asked.name in {}) issue(at, "name", `${asked.name} has a meaning of its own in JavaScript`);
      if (DERIVED_NAMES.includes(asked.name)) issue(at, "name", `${asked.name} is a variable that factory gives`);
      for (const [name, wanted] of Object.entries(asked.when ?? {})) {
        const other = earlier.get(name);
        const wrong = other === undefined ? `no earlier question is called ${name}` : problemOfAnswer(other, wanted);
        if (wrong !== undefined) issue(at, "when", `can never be true: ${wrong}`);
      }
      earlier.set(asked.name, asked);
    });
  });
export type TemplateManifest = z.infer<typeof templateSchema>;

function isPattern(pattern: string): boolean {
  try {
    new RegExp(pattern, "u");
    return true;
  } catch {
    return false;
  }
}

/** What is wrong with an answer to a question, in words that follow the question's name; `undefined` if nothing is. */
export function problemOfAnswer(
  asked: Pick<Question, "name" | "type" | "choices" | "pattern">,
  answer: AnswerValue,
): string | undefined {
  switch (asked.type) {
    case "boolean":
      return typeof answer === "boolean" ? undefined : `${asked.name} is yes or no, not ${JSON.stringify(answer)}`;
    case "number":
      return typeof answer === "number" && Number.isFinite(answer)
        ? undefined
        : `${asked.name} is a number, not ${JSON.stringify(answer)}`;
    case "choice":
      return asked.choices?.some((choice) => choice === answer)
        ? undefined
        : `${asked.name} is one of ${(asked.choices ?? []).join(", ")}, not ${JSON.stringify(answer)}`;
    case "string":
      return problemOfText(asked, answer);
  }
}

function problemOfText(asked: Pick<Question, "name" | "pattern">, answer: AnswerValue): string | undefined {
  if (typeof answer !== "string") return `${asked.name} is text, not the ${typeof answer} ${answer}: put it in quotes`;
  if (answer.trim() === "") return `${asked.name} is empty`;
  if (answer.length > 500) return `${asked.name} has ${answer.length} characters, at most 500 are allowed`;
  if (/[\p{Cc}\u2028\u2029]/u.test(answer) || !answer.isWellFormed())
    return `${asked.name} is one line without control characters`;
  if (asked.pattern === undefined) return undefined;
  switch (patternMatches(asked.pattern, answer)) {
    case "yes":
      return undefined;
    case "no":
      return `${asked.name} must match ${asked.pattern}, ${JSON.stringify(answer)} does not`;
    case "timeout":
      return `${asked.name} could not be matched against ${asked.pattern} in time: the pattern is too costly`;
  }
}
