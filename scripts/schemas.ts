import * as z from "zod";
import type { Usage } from "../src/cli/command.ts";
import { jsonSchemaOf, overviewSchema } from "../src/cli/document-schema.ts";
import { COMMANDS } from "../src/commands.ts";
import { policySchema } from "../src/policy/policy.ts";
import { projectSchema } from "../src/project/project.ts";

/** Every published schema by name: the two YAML files, and the `--json` document of each command. */
export async function allSchemas(): Promise<Record<string, unknown>> {
  const named: Record<string, unknown> = {
    factory: z.toJSONSchema(projectSchema, { io: "input" }),
    policy: z.toJSONSchema(policySchema, { io: "input" }),
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
