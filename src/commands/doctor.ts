import { versions } from "node:process";
import * as z from "zod";
import { defineCommand } from "../cli/command.ts";
import { MARK } from "../cli/style.ts";
import { examineAll } from "../doctor/examine-all.ts";
import { findLine } from "../line/find-line.ts";
import { trackingCredentials } from "../training/child-environment.ts";

export const command = defineCommand({
  name: "doctor",
  summary: "check every prerequisite and connection",
  description:
    "Says for each what was found, what is missing and how to mend it. With --env: as whom a workspace is reached, by which credential, and each right that the next commands need there, with the grant to ask for. Changes nothing and starts no warehouse. Exit 3 when something needed is missing.",
  options: [{ flags: "--env <name>", description: "of the environments only this one, and every right in it" }],
  examples: ["factory doctor", "factory doctor --env prod"],
  input: z.object({ env: z.string().min(1).optional() }),
  output: z.object({
    checks: z.array(
      z.object({
        id: z.string(),
        verdict: z.enum(["ok", "warn", "missing"]),
        found: z.string(),
        fix: z.string().optional(),
      }),
    ),
  }),
  async run(input, context) {
    const [machine, host] = await Promise.all([context.clients.machine(), context.clients.localHost()]);
    const request = {
      cwd: context.cwd,
      node: versions.node,
      line: () => {
        const where = { cwd: context.cwd, policy: undefined, project: undefined, model: undefined };
        return findLine(where, context.clients.ledger, context.now());
      },
      credentialsFor: (uri: string) => Object.keys(trackingCredentials(context.variables, uri)),
      ...(input.env !== undefined && { environment: input.env }),
    };
    const checks = await examineAll(request, machine, host, (address) => context.clients.workspaceSight(address));
    return { ok: checks.every((check) => check.verdict !== "missing"), data: { checks } };
  },
  render({ checks }, style) {
    const width = Math.max(...checks.map((check) => check.id.length));
    const lines = checks.map((check) => {
      const mark = { ok: style.ok(MARK.pass), warn: style.warn(MARK.note), missing: style.bad(MARK.fail) }[
        check.verdict
      ];
      return `  ${mark} ${check.id.padEnd(width)}  ${check.found}${check.fix === undefined ? "" : style.dim(` → ${check.fix}`)}`;
    });
    const missing = checks.filter((check) => check.verdict === "missing").length;
    const end =
      missing === 0
        ? style.ok("Nothing that is needed is missing.")
        : style.bad(`${MARK.fail} ${missing} of ${checks.length} checks: something needed is missing. (exit 3)`);
    return [...lines, "", end].join("\n");
  },
});
