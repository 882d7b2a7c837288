import * as z from "zod";
import { defineCommand } from "../cli/command.ts";
import { table } from "../cli/style.ts";
import { listTemplates } from "../scaffold/read-template.ts";

const value = z.union([z.string(), z.number(), z.boolean()]);

export const command = defineCommand({
  name: "templates",
  summary: "List what factory new can make",
  examples: ["factory templates", "factory templates --json"],
  input: z.object({}),
  output: z.object({
    templates: z.array(
      z.object({
        name: z.string(),
        version: z.string(),
        description: z.string(),
        questions: z.array(
          z.object({
            name: z.string(),
            type: z.enum(["string", "number", "boolean", "choice"]),
            prompt: z.string(),
            default: value.optional(),
            choices: z.array(z.string()).optional(),
            pattern: z.string().optional(),
            when: z.record(z.string(), value).optional(),
          }),
        ),
      }),
    ),
  }),
  async run(_, context) {
    const templates = (await listTemplates(context.places.templates)).map(
      ({ manifest: { factory: _format, ...manifest } }) => manifest,
    );
    return { ok: true, data: { templates } };
  },
  render({ templates }, style) {
    if (templates.length === 0) return "No templates are installed.";
    const rows = templates.map((template) => [`  ${template.name}`, template.version, template.description]);
    const asked = templates.map(
      (template) => `  ${template.name} asks: ${template.questions.map((question) => question.name).join(", ")}`,
    );
    return `${table(rows)}\n\n${style.dim(asked.join("\n"))}\n\nMake one:  factory new NAME --template ${templates[0]?.name}`;
  },
});
