import * as z from "zod";
import { jsonSchemaOf } from "../src/cli/output.ts";
import { COMMANDS } from "../src/commands.ts";
import { policySchema } from "../src/policy/policy.ts";
import { projectSchema } from "../src/project/project.ts";

/** Every published schema by name: the two YAML files, and the `--json` document of each command. */
export async function allSchemas(): Promise<Record<string, unknown>> {
  const named: Record<string, unknown> = {
    factory: z.toJSONSchema(projectSchema, { io: "input" }),
    policy: z.toJSONSchema(policySchema, { io: "input" }),
  };
  for (const entry of COMMANDS) {
    const command = await entry.load();
    named[`output/${entry.name.replaceAll(" ", "-")}`] = z.toJSONSchema(jsonSchemaOf(command.name, command.output), {
      io: "output",
    });
  }
  return named;
}
