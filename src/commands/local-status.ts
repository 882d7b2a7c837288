import * as z from "zod";
import { stateLine } from "../cli/background-server.ts";
import { defineCommand } from "../cli/command.ts";
import { findHome } from "../local/home.ts";
import { localServerStatus } from "../local/local-server.ts";

export const command = defineCommand({
  name: "local status",
  summary: "say whether it runs, where, and whose it is",
  description:
    "Looks at the processes, the port and the identity of the MLflow server of this folder. Exit 0 when it runs, 3 when it does not.",
  options: [{ flags: "--dir <folder>", description: "the folder that the server belongs to" }],
  examples: ["factory local status", "factory local status --json"],
  input: z.object({ dir: z.string().min(1).optional() }),
  output: z.object({
    state: z.enum(["running", "starting", "stopped", "crashed", "unresponsive", "foreign"]),
    message: z.string(),
    hint: z.string().optional(),
    uri: z.string(),
    port: z.int(),
    pid: z.int().optional(),
    processes: z.array(z.int()),
    mlflow: z.string().optional(),
    since: z.string().optional(),
    folder: z.string(),
  }),
  async run(input, context) {
    const { home, defaultPort } = findHome(context.cwd, input.dir, false);
    const host = await context.clients.localHost();
    const { pid, version, since, hint, ...status } = await localServerStatus(home, defaultPort, host);
    const data = {
      ...status,
      processes: [...status.processes],
      ...(pid !== undefined && { pid }),
      ...(version !== undefined && { mlflow: version }),
      ...(since !== undefined && { since }),
      ...(hint !== undefined && { hint }),
    };
    return { ok: status.state === "running", data };
  },
  render(data, style) {
    return [
      stateLine(data, style),
      ...(data.state === "running"
        ? [
            style.dim(
              `  ${data.uri}  MLflow ${data.mlflow ?? "?"}, process ${data.pid ?? "?"}, since ${data.since ?? "?"}`,
            ),
          ]
        : []),
      ...(data.hint === undefined ? [] : [`  → ${data.hint}`]),
      style.dim(`  database, artifacts, log: ${data.folder}`),
    ].join("\n");
  },
});
