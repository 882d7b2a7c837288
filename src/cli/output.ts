import type { FactoryError, Problem } from "../lib/error.ts";
import { escapeHidden, showHidden } from "../lib/hidden-characters.ts";
import { redact, stripControls } from "../lib/redact.ts";
import type { Style } from "./style.ts";

/** The name of a command's document, `factory.local-start/v1`. */
export function schemaId(command: string): string {
  return `factory.${command.replaceAll(" ", "-")}/v1`;
}

/** The `--json` document of an answer; secrets are masked in each string, so that the document stays whole. */
export function dataDocument(command: string, ok: boolean, data: unknown, secrets: readonly string[]): string {
  return document({ schema: schemaId(command), ok, data }, secrets);
}

/** The `--json` document of an error. */
export function errorDocument(command: string, error: FactoryError, secrets: readonly string[]): string {
  const { code, exit, message, hint, problems } = error;
  const more = { ...(hint !== undefined && { hint }), ...(problems.length > 0 && { problems }) };
  return document({ schema: schemaId(command), ok: false, error: { code, exit, message, ...more } }, secrets);
}

function document(value: unknown, secrets: readonly string[]): string {
  const masked = (_: string, member: unknown) => (typeof member === "string" ? redact(member, secrets) : member);
  return `${escapeHidden(JSON.stringify(value, masked, 2))}\n`;
}

/** An error as a person reads it: what, where, how to fix. */
export function errorText(error: FactoryError, style: Style, debug: boolean): string {
  const lines = [`${style.bad("✖")} ${plain(error.message)}`];
  for (const problem of error.problems) lines.push(problemLine(problem, style));
  if (error.hint !== undefined) lines.push(`  ${style.dim("→")} ${plain(error.hint)}`);
  if (debug || error.exit === 1) {
    for (let at: unknown = error; at instanceof Error; at = at.cause)
      lines.push(style.dim(plain(at.stack ?? at.message)));
  }
  return lines.join("\n");
}

function problemLine(problem: Problem, style: Style): string {
  const where =
    problem.file === undefined ? "" : `${problem.file}${problem.line === undefined ? "" : `:${problem.line}`}: `;
  const path = problem.path === undefined || problem.path === "" ? "" : `${problem.path}: `;
  const hint = problem.hint === undefined ? "" : style.dim(`  (${plain(problem.hint)})`);
  return `    ${style.dim(plain(where))}${plain(path)}${plain(problem.message)}${hint}`;
}

/** What goes to a screen: without secrets, and with every character to be seen. Control sequences in it are our own. */
export function clean(text: string, secrets: readonly string[]): string {
  return showHidden(redact(text, secrets));
}

/** For text that comes from outside and goes to a terminal. */
export const plain = stripControls;

/** The data of an answer as a screen may show it: names, summaries and reasons in it were written by others. */
export function shown(data: unknown): unknown {
  if (typeof data === "string") return plain(data);
  if (Array.isArray(data)) return data.map(shown);
  if (typeof data !== "object" || data === null) return data;
  return Object.fromEntries(Object.entries(data).map(([name, value]) => [plain(name), shown(value)]));
}
