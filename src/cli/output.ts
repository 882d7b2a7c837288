import * as z from "zod";
import type { FactoryError, Problem } from "../lib/error.ts";
import { redact, stripControls } from "../lib/redact.ts";
import type { Style } from "./style.ts";

/** The one document that `--json` prints. `ok` is true only for exit status 0. */
export function jsonSchemaOf(command: string, data: z.ZodType): z.ZodType {
  return z.union([
    z.strictObject({ schema: z.literal(schemaId(command)), ok: z.boolean(), data }),
    z.strictObject({ schema: z.literal(schemaId(command)), ok: z.literal(false), error: errorShape }),
  ]);
}

const problemShape = z.strictObject({
  message: z.string(),
  file: z.string().optional(),
  line: z.int().optional(),
  path: z.string().optional(),
  hint: z.string().optional(),
});

export const errorShape = z.strictObject({
  code: z.string(),
  exit: z.union([z.literal(1), z.literal(2), z.literal(4), z.literal(5), z.literal(130)]),
  message: z.string(),
  hint: z.string().optional(),
  problems: z.array(problemShape).optional(),
});

/** The name of a command's document, `factory.local-start/v1`. */
export function schemaId(command: string): string {
  return `factory.${command.replaceAll(" ", "-")}/v1`;
}

export function dataDocument(command: string, ok: boolean, data: unknown): string {
  return JSON.stringify({ schema: schemaId(command), ok, data }, undefined, 2);
}

export function errorDocument(command: string, error: FactoryError): string {
  const problems = error.problems.length > 0 ? { problems: error.problems } : {};
  const hint = error.hint === undefined ? {} : { hint: error.hint };
  return JSON.stringify(
    {
      schema: schemaId(command),
      ok: false,
      error: { code: error.code, exit: error.exit, message: error.message, ...hint, ...problems },
    },
    undefined,
    2,
  );
}

/** An error as a person reads it: what, where, how to fix. */
export function errorText(error: FactoryError, style: Style, debug: boolean): string {
  const lines = [`${style.bad("✖")} ${error.message}`];
  for (const problem of error.problems) lines.push(problemLine(problem, style));
  if (error.hint !== undefined) lines.push(`  ${style.dim("→")} ${error.hint}`);
  if (debug || error.exit === 1) {
    for (let at: unknown = error; at instanceof Error; at = at.cause) lines.push(style.dim(at.stack ?? at.message));
  }
  return lines.join("\n");
}

function problemLine(problem: Problem, style: Style): string {
  const where =
    problem.file === undefined ? "" : `${problem.file}${problem.line === undefined ? "" : `:${problem.line}`}: `;
  const path = problem.path === undefined || problem.path === "" ? "" : `${problem.path}: `;
  const hint = problem.hint === undefined ? "" : style.dim(`  (${problem.hint})`);
  return `    ${style.dim(where)}${path}${problem.message}${hint}`;
}

/** What leaves the program: without secrets and without control sequences that are not ours. */
export function clean(text: string, secrets: readonly string[]): string {
  return redact(text, secrets);
}

/** For text that comes from outside and goes to a terminal. */
export const plain = stripControls;
