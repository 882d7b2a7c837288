import * as z from "zod";
import { askedMoment } from "../audit/asked-moment.ts";
import { changesOf, servedAt } from "../audit/history.ts";
import { defineCommand } from "../cli/command.ts";
import { historyShape, renderHistory } from "../cli/history-lines.ts";
import { LINE_OPTIONS } from "../cli/line-world.ts";
import { demandWhole } from "../ledger/open-ledger.ts";
import { usageError } from "../lib/error.ts";
import { findLine } from "../line/find-line.ts";
import { unknownEnvironment } from "../policy/unknown-environment.ts";

export const command = defineCommand({
  name: "history",
  summary: "say what served when and what was deployed, by whom and on whose approval",
  description:
    "From the ledger alone, every entry verified first; no registry is asked. Without --at: every change of the champion and every " +
    "deployment, newest first. With --at: who served at that moment in each environment. The order of the chain decides, not its times.",
  options: [
    { flags: "--env <environment>", description: "of this environment only" },
    {
      flags: "--at <time>",
      description: "a moment; without a zone in the policy's time zone, without a time the first moment of the day",
    },
    ...LINE_OPTIONS,
  ],
  examples: ["factory history", 'factory history --at "2026-11-21 14:00"', "factory history --env prod --json"],
  input: z.object({
    env: z.string().min(1).optional(),
    at: z.string().min(1).optional(),
    policy: z.string().min(1).optional(),
    project: z.string().min(1).optional(),
  }),
  output: historyShape,
  async run(input, context) {
    const where = { cwd: context.cwd, policy: input.policy, project: input.project, model: undefined };
    const { line } = await findLine(where, context.clients.ledger, context.now());
    const view = demandWhole(line.view, line.ledger.place);
    const policy = view.policy?.policy;
    const names = [...new Set([...(policy?.environments.map(({ name }) => name) ?? []), ...line.state.environments])];
    if (input.env !== undefined && !names.includes(input.env))
      throw names.length === 0
        ? usageError("environment.unknown", `no environment is called ${input.env}`, "the ledger is empty")
        : unknownEnvironment(input.env, names);
    const base = { project: line.project, model: line.model };
    if (input.at === undefined) return { ok: true, data: { ...base, changes: changesOf(view, input.env) } };
    const { at, means } = askedMoment(input.at, policy?.timezone ?? "UTC", line.project, view.entries);
    if (at > context.now())
      throw usageError("flags.at", `--at ${input.at} lies in the future`, "give a moment that has been");
    const served = servedAt(view, input.env === undefined ? names : [input.env], at);
    return { ok: true, data: { ...base, at: at.toISOString(), ...(means !== undefined && { means }), served } };
  },
  render: renderHistory,
});
