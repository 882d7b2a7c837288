import { existsSync, lstatSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import * as z from "zod";
import { defineCommand } from "../cli/command.ts";
import { shellWord } from "../cli/shell-word.ts";
import { MARK } from "../cli/style.ts";
import { usageError } from "../lib/error.ts";
import { writeFileAtomic } from "../lib/files.ts";
import { gitUrlProblem } from "../policy/git-url.ts";
import { parsePolicy } from "../policy/parse-policy.ts";
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
    {
      flags: "--databricks",
      description: "models in Unity Catalog: catalogs and profiles dev, test and prod, to be edited",
    },
    { flags: "--ledger-url <url>", description: "keep the ledger on the branch `ledger` of this git repository" },
  ],
  examples: [
    'factory init --organisation "Example Mutual"',
    "factory init governance --databricks --ledger-url git@git.example.com:risk/governance.git",
  ],
  writes: true,
  input: z.object({
    dir: z.string().min(1).optional(),
    organisation: z.string().optional(),
    uri: z.string().optional(),
    databricks: z.boolean().default(false),
    ledgerUrl: z.string().optional(),
  }),
  output: z.object({
    policy: z.string(),
    organisation: z.string(),
    uri: z.string().optional().describe("absent: models are in Unity Catalog"),
    ledger: z.string(),
    dryRun: z.boolean(),
  }),
  async run({ dir = ".", organisation, uri, databricks, ledgerUrl }, context) {
    const folder = resolve(context.cwd, dir);
    const path = join(folder, "policy.yaml");
    if (lstatSync(path, { throwIfNoEntry: false }) !== undefined)
      throw usageError(
        "init.exists",
        `${path} is there already`,
        "it is never overwritten: edit it, or choose another folder",
      );
    if (databricks && uri !== undefined)
      throw usageError("init.uri", "--uri is an MLflow server, and --databricks has none", "give one of the two");
    const wrongLedger = ledgerUrl && gitUrlProblem(ledgerUrl);
    if (wrongLedger)
      throw usageError(
        "init.ledger",
        `--ledger-url ${ledgerUrl} ${wrongLedger}`,
        "such as git@git.example.com:risk/governance.git; a repository on this machine by its whole path",
      );
    const server = uri ?? DEFAULT_LOCAL_URI;
    if (!/^https?:\/\/[^\s@]+$/.test(server))
      throw usageError(
        "init.uri",
        `--uri ${server} is not an http or https URL without credentials`,
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
    const text = starterPolicy({
      organisation: name,
      registries: databricks ? { kind: "unity-catalog" } : { kind: "mlflow", uri: server },
      ...(ledgerUrl !== undefined && { ledger: { kind: "git", url: ledgerUrl, branch: "ledger" } }),
    });
    parsePolicy(text, path);
    if (!context.dryRun) {
      for (const name of ["policy.schema.json", "tickets.schema.json"]) {
        const schema = join(context.places.schemas, name);
        if (existsSync(schema)) writeFileAtomic(join(folder, ".factory", "schemas", name), readFileSync(schema));
      }
      writeFileAtomic(path, text);
    }
    return {
      ok: true,
      data: {
        policy: relative(context.cwd, path) || path,
        organisation: name,
        ...(databricks ? {} : { uri: server }),
        ledger: ledgerUrl === undefined ? "file" : "git",
        dryRun: context.dryRun,
      },
    };
  },
  render(data, style) {
    const folder = dirname(data.policy);
    return `${style.ok(MARK.pass)} ${data.dryRun ? "would write " : ""}${data.policy} for ${data.organisation}: dev, test and prod ${data.uri === undefined ? "in Unity Catalog, by the profiles of the same names" : `on ${data.uri}`}
${
  data.uri === undefined && data.ledger === "file"
    ? `${style.warn(MARK.note)} the ledger is a file: name a git repository or a Delta table in it before the first promotion
`
    : ""
}${style.warn(MARK.note)} nobody can approve anything yet: no one is named in it

Next:  ${data.uri === undefined ? "look at each workspace (factory doctor --env dev), " : ""}make a key (factory keys new), name people and their roles in ${data.policy}, list your projects there,
       and make one: factory new NAME${folder === "." ? "" : ` --dir ${shellWord(folder)}`}`;
  },
});

function problemOfName(name: string): string | undefined {
  if (name.trim() === "") return "is empty";
  if (name.length > 200) return "has more than 200 characters";
  return /[\p{Cc}\u2028\u2029]/u.test(name) ? "is one line without control characters" : undefined;
}
