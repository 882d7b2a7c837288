import * as z from "zod";
import { defineCommand } from "../cli/command.ts";
import { deploymentData, deploymentShape, withdrawnLines } from "../cli/deployment-lines.ts";
import { KEY_OPTION, LINE_OPTIONS } from "../cli/line-world.ts";
import { MARK } from "../cli/style.ts";
import { recordedData, recordedShape } from "../cli/verdict-lines.ts";
import { reasonText } from "../ledger/entry.ts";
import { candidateOf, parseVersionName } from "../line/find-candidate.ts";
import { demandEnvironment } from "../line/line.ts";
import { signerOn } from "../line/listed-keys.ts";
import { momentOfTakingBack } from "../line/moment-of-taking-back.ts";
import { untellAfterWithdrawal } from "../promotion/deployment-approval.ts";
import { planWithdrawal, standingApprovals, type Withdrawal, withdraw } from "../promotion/withdraw.ts";
import { openForWriting } from "../release/open-for-writing.ts";

export const command = defineCommand({
  name: "approve withdraw",
  summary: "take back an approval",
  description:
    "Puts a signed withdrawal into the ledger; what was approved does not count from then on. You take back your own approvals, a " +
    "policy owner anyone's. What was promoted or released already stays: roll it back.",
  arguments: [
    { name: "version", description: "its number in the first environment: 7, or claims.triage/7", required: true },
  ],
  options: [
    { flags: "--to <environment>", description: "for which environment it was given" },
    { flags: "--reason <text>", description: "why; one line, no personal data" },
    ...LINE_OPTIONS,
    KEY_OPTION,
  ],
  examples: ['factory approve withdraw claims.triage/7 --to prod --reason "a complaint came in"'],
  writes: true,
  input: z.object({
    version: z.string().min(1),
    to: z.string({ error: "for which environment: --to NAME" }).min(1),
    reason: z.string({ error: 'a withdrawal needs a reason: --reason "WHY"' }).pipe(reasonText),
    policy: z.string().min(1).optional(),
    project: z.string().min(1).optional(),
    key: z.string().min(1).optional(),
  }),
  output: z.object({
    outcome: z.enum(["withdrawn", "planned", "refused"]),
    model: z.string(),
    number: z.string(),
    environment: z.string(),
    approvals: z.array(z.object({ entry: z.int(), approver: z.string() })),
    entries: z.array(z.int()),
    why: z.string().optional(),
    recorded: recordedShape,
    deployment: deploymentShape.optional().describe("the deployment job of the version that stands there"),
  }),
  async run(input, context) {
    const { model, number } = parseVersionName(input.version);
    const where = { cwd: context.cwd, policy: input.policy, project: input.project, model };
    const signer = await signerOn(where, input.key, context);
    const { line, recorded } = await openForWriting(where, signer, context);
    const candidate = candidateOf(line, number);
    const found = standingApprovals(line.state, candidate.digest, input.to);
    if (found.length === 0) demandEnvironment(line, input.to);
    const base = {
      model: line.model,
      number,
      environment: input.to,
      approvals: shown(found),
      ...recordedData(recorded),
    };
    const at = await momentOfTakingBack(line, input.to, context.clients.registry, context.now);
    const plan = planWithdrawal(line, found, signer.keyId, at);
    if ("refused" in plan)
      return { ok: false, data: { outcome: "refused" as const, ...base, entries: [], why: plan.refused } };
    const mine = { ...base, approvals: shown(plan.approvals) };
    if (context.dryRun) return { ok: true, data: { outcome: "planned" as const, ...mine, entries: [] } };
    const withdrawn = await withdraw(line, plan.approvals, input.reason, { by: plan.by, signer }, at);
    const untold = await untellAfterWithdrawal(
      line,
      { digest: candidate.digest, environment: input.to },
      withdrawn,
      context.clients.registry,
    );
    const entries = withdrawn.map((each) => each.seq);
    return { ok: true, data: { outcome: "withdrawn" as const, ...mine, entries, ...deploymentData(untold) } };
  },
  render(data, style) {
    const whose = data.approvals.map((each) => `${each.approver} (entry ${each.entry})`).join(", ") || "nobody";
    if (data.outcome === "refused") return `${style.bad(`${MARK.fail} Not withdrawn`)}: ${data.why}`;
    if (data.outcome === "planned")
      return `would withdraw for ${data.environment}, ${data.model} ${data.number}: ${whose}. Nothing was written.`;
    const entries = `ledger entr${data.entries.length === 1 ? "y" : "ies"} ${data.entries.join(", ")}`;
    return [
      `${style.ok(MARK.pass)} withdrawn for ${data.environment}: ${whose}; ${entries}`,
      ...withdrawnLines(data.deployment, style),
    ].join("\n");
  },
});

function shown(found: readonly Withdrawal[]): { entry: number; approver: string }[] {
  return found.map((each) => ({ entry: each.approval.seq, approver: each.approver }));
}
