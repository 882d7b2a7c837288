import * as z from "zod";
import { ownPort } from "../cli/background-server.ts";
import { defineCommand } from "../cli/command.ts";
import { MARK } from "../cli/style.ts";
import { findHome } from "../local/home.ts";
import { startLocalServer } from "../local/local-server.ts";

export const command = defineCommand({
  name: "local start",
  summary: "start a real MLflow server on this machine",
  description:
    "Starts an MLflow server on SQLite, on 127.0.0.1 only, in the background. Its database, artifacts and log are in .factory/local " +
    "beside policy.yaml (else the project, else this folder). The first start installs MLflow into factory's own Python environment.",
  options: [
    {
      flags: "--port <number>",
      description: "default: the port of the first environment's registry in policy.yaml, else 5210",
    },
    { flags: "--dir <folder>", description: "the folder that the server belongs to" },
  ],
  examples: ["factory local start", "factory local start --port 5300 --dir ~/models"],
  input: z.object({
    port: ownPort,
    dir: z.string().min(1).optional(),
  }),
  output: z.object({
    uri: z.string(),
    port: z.int(),
    pid: z.int().optional(),
    mlflow: z.string(),
    folder: z.string(),
    started: z.boolean().describe("false: it ran already"),
    backup: z.string().optional().describe("copy of the database, made before a newer MLflow changed it"),
  }),
  async run(input, context) {
    const { home, defaultPort } = findHome(context.cwd, input.dir, input.port === undefined);
    const host = await context.clients.localHost();
    const server = await startLocalServer(
      {
        home,
        defaultPort,
        report: context.report,
        signal: context.signal,
        ...(input.port !== undefined && { port: input.port }),
      },
      host,
    );
    const { uri, port, pid, version: mlflow, folder, started, backup } = server;
    return {
      ok: true,
      data: {
        uri,
        port,
        mlflow,
        folder,
        started,
        ...(pid !== undefined && { pid }),
        ...(backup !== undefined && { backup }),
      },
    };
  },
  render: (data, style) =>
    [
      `${style.ok(MARK.pass)} MLflow ${data.mlflow} ${data.started ? "runs" : "runs already"} at ${style.bold(data.uri)}${data.pid === undefined ? "" : style.dim(`  (process ${data.pid})`)}`,
      style.dim(`  database, artifacts, log: ${data.folder}`),
      ...(data.backup === undefined ? [] : [style.dim(`  copy of the database from before: ${data.backup}`)]),
      style.dim("  stop it: factory local stop"),
    ].join("\n"),
});
