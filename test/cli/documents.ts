import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { expect } from "vitest";
import { factory, type Ran, type RunOptions } from "../support/factory.ts";
import { root } from "../support/paths.ts";

const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false });
const compiled = new Map<string, ValidateFunction>();

export interface Document {
  schema: string;
  ok: boolean;
  data?: unknown;
  error?: {
    code: string;
    exit: number;
    message: string;
    hint?: string;
    problems?: { message: string; file?: string; line?: number; hint?: string }[];
  };
}

/** Runs with `--json`; stdout must be exactly one document that fits the published schema of the command. */
export async function runJson(
  command: string,
  args: readonly string[],
  options: RunOptions,
): Promise<Ran & { document: Document }> {
  const ran = await factory([...args, "--json"], options);
  return { ...ran, document: documentOf(command, ran) };
}

/** The one document on stdout, valid by its schema and in agreement with the exit status. */
export function documentOf(command: string, ran: Ran): Document {
  let parsed: Document;
  try {
    parsed = JSON.parse(ran.stdout);
  } catch {
    throw new Error(
      `stdout of factory ${command} is not one JSON document (exit ${ran.status}):\n${ran.stdout.slice(0, 2000)}\n${ran.stderr.slice(-2000)}`,
    );
  }
  const validate = schemaOf(command);
  expect(validate(parsed), `${command}: ${ajv.errorsText(validate.errors)}\n${ran.stdout.slice(0, 1500)}`).toBe(true);
  expect(parsed.ok).toBe(ran.status === 0);
  if (parsed.error !== undefined) expect(parsed.error.exit).toBe(ran.status);
  else expect([0, 3]).toContain(ran.status);
  expect(ran.stdout.endsWith("}\n")).toBe(true);
  return parsed;
}

function schemaOf(command: string): ValidateFunction {
  const name = command.replaceAll(" ", "-");
  let validate = compiled.get(name);
  if (validate === undefined) {
    validate = ajv.compile(JSON.parse(readFileSync(join(root, "schemas/output", `${name}.schema.json`), "utf8")));
    compiled.set(name, validate);
  }
  return validate;
}
