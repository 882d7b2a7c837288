import * as z from "zod";
import { stateLine } from "../cli/background-server.ts";
import { defineCommand } from "../cli/command.ts";
import { sandboxStatus } from "../sandbox/sandbox.ts";

export const command = defineCommand({
  name: "sandbox status",
  summary: "say whether the rehearsal workspace runs, and where",
  description: "Looks at the process and the port of the rehearsal workspace. Exit 0 when it runs, 3 when it does not.",
  options: [],
  examples: ["factory sandbox status", "factory sandbox status --json"],
  input: z.object({}),
  output: z.object({
    state: z.enum(["running", "stopped", "crashed", "unresponsive"]),
    message: z.string(),
    hint: z.string().optional(),
    url: z.string().optional(),
    pid: z.int().optional(),
    catalogs: z.array(z.string()).optional(),
    schemas: z.array(z.string()).optional(),
    profiles: z.string().optional(),
    keep: z.boolean().optional(),
    since: z.string().optional(),
    folder: z.string(),
  }),
  async run(_, context) {
    const host = await context.clients.sandboxHost();
    const { state, message, hint, sandbox, since } = await sandboxStatus(host);
    const data = {
      ...{ state, message, folder: host.folder },
      ...(hint !== undefined && { hint }),
      ...(since !== undefined && { since }),
      ...(sandbox !== undefined && {
        ...{ url: sandbox.url, catalogs: sandbox.catalogs, schemas: sandbox.schemas },
        ...{ profiles: sandbox.profiles, keep: sandbox.keep },
        ...(sandbox.pid !== undefined && { pid: sandbox.pid }),
      }),
    };
    return { ok: state === "running", data };
  },
  render(data, style) {
    return [
      stateLine(data, style),
      ...(data.url === undefined
        ? []
        : [style.dim(`  ${data.url}  process ${data.pid ?? "?"}, since ${data.since ?? "?"}`)]),
      ...(data.profiles === undefined ? [] : [style.dim(`  DATABRICKS_CONFIG_FILE=${data.profiles}`)]),
      ...(data.hint === undefined ? [] : [`  → ${data.hint}`]),
    ].join("\n");
  },
});
