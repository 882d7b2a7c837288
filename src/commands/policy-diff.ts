import * as z from "zod";
import { defineCommand } from "../cli/command.ts";
import { maySignLines } from "../cli/policy-lines.ts";
import { MARK } from "../cli/style.ts";
import { askPolicy, policyLedger, sayWhose } from "../ledger/ask-policy.ts";
import { usageError } from "../lib/error.ts";
import { policyDifference } from "../policy/difference.ts";
import { policyFileState } from "../policy/in-force.ts";
import { demandPolicy, projectAround } from "../project/policy-around.ts";

export const command = defineCommand({
  name: "policy diff",
  summary: "show how policy.yaml differs from the policy in force",
  description:
    "A line for each key that was added (+), removed (-) or changed (~). Exit 0 when the file is what is in force, or when enough " +
    "owners signed it; exit 3 when it is neither, with who may sign.",
  options: [
    { flags: "--policy <file>", description: "default: the project's, else the nearest policy.yaml upward" },
    { flags: "--project <name>", description: "whose ledger is asked; default: the project here" },
  ],
  examples: ["factory policy diff", "factory policy diff --project claims-triage --json"],
  input: z.object({ policy: z.string().min(1).optional(), project: z.string().min(1).optional() }),
  output: z.object({
    path: z.string(),
    state: z.enum(["same", "can be adopted", "not in force"]),
    version: z.int(),
    inForce: z.int().nullable().describe("version that is in force; null: none"),
    difference: z.array(z.string()),
    problem: z.string().optional(),
    maySign: z.array(z.string()),
  }),
  async run(input, context) {
    const file = demandPolicy(context.cwd, input.policy);
    const ledger = policyLedger(file, projectAround(context.cwd), input.project);
    if (ledger === undefined)
      throw usageError(
        "policy.project",
        "which policy is in force is written in a project's ledger, and no project is here",
        sayWhose(file),
      );
    const { inForce } = await askPolicy(ledger, context.clients.ledger);
    const state = policyFileState(inForce, file, context.now());
    const refused = state === "same" || "adopt" in state ? undefined : state;
    return {
      ok: refused === undefined,
      data: {
        path: file.path,
        state:
          state === "same"
            ? ("same" as const)
            : refused === undefined
              ? ("can be adopted" as const)
              : ("not in force" as const),
        version: file.policy.version,
        inForce: inForce?.version ?? null,
        difference: state === "same" || inForce === undefined ? [] : policyDifference(inForce.policy, file.policy),
        ...(refused !== undefined && { problem: refused.problem }),
        maySign: [...(refused?.maySign ?? [])],
      },
    };
  },
  render(data, style) {
    if (data.state === "same") return `${style.ok(MARK.pass)} ${data.path} is the policy in force, v${data.version}`;
    const head =
      data.inForce === null
        ? `No policy is in force yet; ${data.path} is v${data.version}.`
        : `${data.path} (v${data.version}) against v${data.inForce}, which is in force:`;
    const colour = (line: string): string =>
      line.startsWith("+") ? style.ok(line) : line.startsWith("-") ? style.bad(line) : style.warn(line);
    const lines =
      data.inForce !== null && data.difference.length === 0
        ? ["  only comments or layout differ"]
        : data.difference.map((line) => `  ${colour(line)}`);
    const end =
      data.problem === undefined
        ? [
            `${style.ok(MARK.pass)} signed by enough owners: the next command that writes to the ledger puts it in force`,
          ]
        : [
            `${style.bad(MARK.fail)} not in force: ${data.problem} (exit 3)`,
            ...maySignLines(data.maySign, data.version, data.inForce ?? undefined, style),
          ];
    return [head, ...lines, ...end].join("\n");
  },
});
