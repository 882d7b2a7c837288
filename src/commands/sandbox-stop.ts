import * as z from "zod";
import { defineCommand } from "../cli/command.ts";
import { MARK } from "../cli/style.ts";
import { stopSandbox } from "../sandbox/sandbox.ts";

export const command = defineCommand({
  name: "sandbox stop",
  summary: "stop the rehearsal workspace",
  description: "Ends the rehearsal workspace. Without --keep at its start, what it held and its profiles are gone.",
  options: [],
  examples: ["factory sandbox stop"],
  input: z.object({}),
  output: z.object({
    ended: z.int().describe("processes that were ended; 0: it had stopped already"),
    kept: z.boolean().describe("its state stays for the next start with --keep"),
    folder: z.string(),
  }),
  async run(_, context) {
    const host = await context.clients.sandboxHost();
    return { ok: true, data: await stopSandbox({ report: context.report, signal: context.signal }, host) };
  },
  render: (data, style) =>
    `${style.ok(MARK.pass)} ${data.ended === 0 ? "no sandbox was running" : "the sandbox is stopped"}${data.kept ? `\n${style.dim(`  kept: ${data.folder}`)}` : ""}`,
});
