import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import type { Usage } from "../src/cli/command.ts";
import { jsonSchemaOf, overviewSchema } from "../src/cli/document-schema.ts";
import { COMMANDS } from "../src/commands.ts";
import { sha256 } from "../src/lib/hash.ts";
import { policySchema } from "../src/policy/policy.ts";
import { projectSchema } from "../src/project/project.ts";
import type { BuiltIn } from "../src/scaffold/built-in.ts";
import { listTemplates, readTemplate } from "../src/scaffold/read-template.ts";
import { ticketsSchema } from "../src/tickets/file-register.ts";

/** Every published schema by name: the YAML files, and the `--json` document of each command. */
export async function allSchemas(): Promise<Record<string, unknown>> {
  const named: Record<string, unknown> = {
    factory: z.toJSONSchema(projectSchema, { io: "input" }),
    policy: z.toJSONSchema(policySchema, { io: "input" }),
    tickets: z.toJSONSchema(ticketsSchema, { io: "input" }),
    "output/factory": z.toJSONSchema(jsonSchemaOf("factory", overviewSchema), { io: "output" }),
  };
  for (const entry of COMMANDS) {
    const command = await entry.load();
    named[`output/${entry.name.replaceAll(" ", "-")}`] = z.toJSONSchema(jsonSchemaOf(command.name, command.output), {
      io: "output",
    });
  }
  return named;
}

/** How each command is called, as plain data: the build keeps it in the program. */
export async function allUsages(): Promise<Record<string, Usage>> {
  const named: Record<string, Usage> = {};
  for (const entry of COMMANDS) {
    const { input: _input, output: _output, run: _run, render: _render, ...usage } = await entry.load();
    named[entry.name] = usage;
  }
  return named;
}

/** The built-in templates by the digest of their template.yaml, checked: the build keeps them in the program. */
export async function allTemplates(folder: string): Promise<Record<string, BuiltIn>> {
  const named: Record<string, BuiltIn> = {};
  for (const { folder: path, manifest } of await listTemplates(folder)) {
    const { digest } = readTemplate(path, manifest);
    named[sha256(readFileSync(join(path, "template.yaml")))] = { manifest, digest };
  }
  return named;
}
