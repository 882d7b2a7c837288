import * as z from "zod";
import { ownPort } from "../cli/background-server.ts";
import { defineCommand } from "../cli/command.ts";
import { shellWord } from "../cli/shell-word.ts";
import { MARK } from "../cli/style.ts";
import { usageError } from "../lib/error.ts";
import { PROFILES } from "../sandbox/plan.ts";
import { startSandbox } from "../sandbox/sandbox.ts";

const SCHEMA = /^[a-z0-9_]{1,255}$/;

export const command = defineCommand({
  name: "sandbox start",
  summary: "start a stand-in for a Databricks workspace, to rehearse a release",
  description:
    "Starts factory's own stand-in for a Databricks workspace, on 127.0.0.1 only, in the background. Nothing of it is Databricks: it keeps what " +
    "it is told and enforces rights, but runs no job, no query and no model. It has the catalogs dev, test and prod, one service principal for each " +
    "with the least rights that it needs, and an admin; a file with their profiles is written for DATABRICKS_CONFIG_FILE.",
  options: [
    { flags: "--port <number>", description: "default: with --keep the one of the time before, else a free one" },
    {
      flags: "--schemas <names>",
      description: "schemas of the models, the first part of their names; default: claims",
    },
    { flags: "--keep", description: "keep the state in a folder, and the port, for the next start with --keep" },
  ],
  examples: ["factory sandbox start", "factory sandbox start --schemas claims,pricing --keep"],
  input: z.object({
    port: ownPort,
    schemas: z.string().min(1).default("claims"),
    keep: z.boolean().default(false),
  }),
  output: z.object({
    rehearsal: z.literal(true),
    url: z.string(),
    port: z.int(),
    pid: z.int().optional(),
    catalogs: z.array(z.string()),
    schemas: z.array(z.string()),
    profiles: z.string().describe("the file for DATABRICKS_CONFIG_FILE"),
    keep: z.boolean(),
    folder: z.string(),
    started: z.boolean().describe("false: it ran already"),
  }),
  async run(input, context) {
    const schemas = input.schemas.split(",").map((name) => name.trim().toLowerCase());
    const wrong = schemas.find((name) => !SCHEMA.test(name));
    if (wrong !== undefined)
      throw usageError("sandbox.schema", `--schemas: "${wrong}" is no name of a schema`, "letters, digits and _");
    const { port, keep } = input;
    const { report, signal } = context;
    const host = await context.clients.sandboxHost();
    const { pid, ...sandbox } = await startSandbox(
      { schemas, keep, report, signal, ...(port !== undefined && { port }) },
      host,
    );
    return { ok: true, data: { rehearsal: true as const, ...sandbox, ...(pid !== undefined && { pid }) } };
  },
  render: (data, style) =>
    [
      style.warn(
        "This is a rehearsal: factory's own stand-in, nothing of it is Databricks. What passes here can still fail there.",
      ),
      `${style.ok(MARK.pass)} the sandbox ${data.started ? "runs" : "runs already"} at ${style.bold(data.url)}${data.pid === undefined ? "" : style.dim(`  (process ${data.pid})`)}`,
      style.dim(
        `  catalogs ${data.catalogs.join(", ")}, each with schema ${data.schemas.join(", ")} and volume factory_evidence`,
      ),
      style.dim(`  profiles: ${PROFILES.map(({ profile, who }) => `${profile} (${who})`).join(", ")}`),
      `  export DATABRICKS_CONFIG_FILE=${shellWord(data.profiles)}`,
      style.dim(
        "  in policy.yaml: registry: { kind: unity-catalog, profile: dev }   (factory init --databricks writes it so)",
      ),
      style.dim(
        `  ${data.keep ? `state is kept in ${data.folder}, and port ${data.port}, for the next start with --keep` : "state is in memory, gone when it stops"}; stop it: factory sandbox stop`,
      ),
    ].join("\n"),
});
