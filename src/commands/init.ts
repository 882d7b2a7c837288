import { existsSync, lstatSync, readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import * as z from "zod";
import { defineCommand } from "../cli/command.ts";
import { MARK } from "../cli/style.ts";
import { usageError } from "../lib/error.ts";
import { writeFileAtomic } from "../lib/files.ts";
import { parseYaml } from "../lib/yaml-document.ts";
import { policySchema } from "../policy/policy.ts";
import { starterPolicy } from "../policy/starter-policy.ts";
import { DEFAULT_LOCAL_URI } from "../project/read-project.ts";

const DEFAULT_ORGANISATION = "My organisation";

export const command = defineCommand({
  name: "init",
  summary: "Write a starter policy.yaml for an organisation",
  description: "The policy is closed to begin with: nobody can approve anything until people are named in it.",
  arguments: [{ name: "dir", description: "folder to write policy.yaml into (default: this one)" }],
  options: [
    { flags: "--organisation <name>", description: "name of the organisation" },
    { flags: "--uri <url>", description: `MLflow server of all environments (default: ${DEFAULT_LOCAL_URI})` },
  ],
  examples: ['factory init --organisation "Example Mutual"', "factory init governance --yes"],
  writes: true,
  input: z.object({
    dir: z.string().min(1).optional(),
    organisation: z.string().optional(),
    uri: z.string().optional(),
  }),
  output: z.object({ policy: z.string(), organisation: z.string(), uri: z.string(), dryRun: z.boolean() }),
  async run({ dir = ".", organisation, uri = DEFAULT_LOCAL_URI }, context) {
    const folder = resolve(context.cwd, dir);
    const path = join(folder, "policy.yaml");
    if (lstatSync(path, { throwIfNoEntry: false }) !== undefined)
      throw usageError(
        "init.exists",
        `${path} is there already`,
        "it is never overwritten: edit it, or choose another folder",
      );
    if (!/^https?:\/\/[^\s@]+$/.test(uri))
      throw usageError(
        "init.uri",
        `--uri ${uri} is not an http or https URL without credentials`,
        `such as ${DEFAULT_LOCAL_URI}`,
      );
    const name =
      organisation ??
      (context.yes
        ? DEFAULT_ORGANISATION
        : await context.prompts.ask({
            message: "Organisation",
            flag: "--organisation NAME",
            default: DEFAULT_ORGANISATION,
            validate: problemOfName,
          }));
    const wrong = problemOfName(name);
    if (wrong !== undefined)
      throw usageError("init.organisation", `--organisation ${wrong}`, 'such as --organisation "Example Mutual"');
    const text = starterPolicy({ organisation: name, uri });
    parseYaml(text, path, policySchema);
    if (!context.dryRun) {
      for (const name of ["policy.schema.json", "tickets.schema.json"]) {
        const schema = join(context.places.schemas, name);
        if (existsSync(schema)) writeFileAtomic(join(folder, ".factory", "schemas", name), readFileSync(schema));
      }
      writeFileAtomic(path, text);
    }
    return {
      ok: true,
      data: { policy: relative(context.cwd, path) || path, organisation: name, uri, dryRun: context.dryRun },
    };
  },
  render(data, style) {
    return `${style.ok(MARK.pass)} ${data.dryRun ? "would write " : ""}${data.policy} for ${data.organisation}: dev, test and prod on ${data.uri}
${style.warn(MARK.note)} nobody can approve anything yet: no one is named in it

Next:  make a key (factory keys new), name people and their roles in ${data.policy}, list your projects there,
       and make one: factory new NAME`;
  },
});

function problemOfName(name: string): string | undefined {
  if (name.trim() === "") return "is empty";
  if (name.length > 200) return "has more than 200 characters";
  return /[\p{Cc}\u2028\u2029]/u.test(name) ? "is one line without control characters" : undefined;
}
