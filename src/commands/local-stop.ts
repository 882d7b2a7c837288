import { existsSync } from "node:fs";
import * as z from "zod";
import { defineCommand } from "../cli/command.ts";
import { MARK } from "../cli/style.ts";
import { usageError } from "../lib/error.ts";
import { findHome } from "../local/home.ts";
import { stopLocalServer } from "../local/local-server.ts";

export const command = defineCommand({
  name: "local stop",
  summary: "stop it, and every process of it",
  description:
    "Ends the MLflow server of this folder and all its processes, also what a killed server left. Database and artifacts stay.",
  options: [{ flags: "--dir <folder>", description: "the folder that the server belongs to" }],
  examples: ["factory local stop", "factory local stop --dir ~/models"],
  input: z.object({ dir: z.string().min(1).optional() }),
  output: z.object({
    ended: z.int().describe("processes that were ended; 0: it had stopped already"),
    folder: z.string(),
  }),
  async run(input, context) {
    const { home } = findHome(context.cwd, input.dir, false);
    if (!existsSync(home))
      throw usageError("local.dir", `there is no folder ${home}`, "give the folder of the server with --dir");
    const host = await context.clients.localHost();
    return { ok: true, data: await stopLocalServer({ home, report: context.report, signal: context.signal }, host) };
  },
  render: (data, style) =>
    `${style.ok(MARK.pass)} ${data.ended === 0 ? "no server was running" : `stopped (${data.ended} ${data.ended === 1 ? "process" : "processes"})`}${existsSync(data.folder) ? `\n${style.dim(`  kept: ${data.folder}`)}` : ""}`,
});
