import * as z from "zod";
import { defineCommand } from "../cli/command.ts";
import type { Context } from "../cli/context.ts";
import { approvedLines, deploymentData, deploymentShape } from "../cli/deployment-lines.ts";
import { KEY_OPTION, LINE_OPTIONS, withLineWorld } from "../cli/line-world.ts";
import { MARK, type Style, table } from "../cli/style.ts";
import {
  couldNotTell,
  goneShape,
  goneText,
  recordedData,
  recordedShape,
  shortDigest,
  verdictCount,
  verdictLines,
  verdictShape,
} from "../cli/verdict-lines.ts";
import { usageError } from "../lib/error.ts";
import { stripControls } from "../lib/redact.ts";
import { candidateOf, parseVersionName } from "../line/find-candidate.ts";
import { signerOn } from "../line/listed-keys.ts";
import { stepAfter } from "../promotion/after-approval.ts";
import {
  APPROVAL_TRIES,
  type ApprovalPlan,
  applyApproval,
  isSameApproval,
  ledgerBusy,
  planApproval,
} from "../promotion/approve.ts";
import { tellAfterApproval } from "../promotion/deployment-approval.ts";
import { openForWriting } from "../release/open-for-writing.ts";
import { ticketsOf } from "../tickets/file-register.ts";
import { registerText } from "../tickets/ticket.ts";

const output = z.object({
  outcome: z.enum(["approved", "planned", "refused", "cannot tell", "declined"]),
  model: z.string(),
  number: z.string(),
  environment: z.string(),
  digest: z.string(),
  evidence: z.string(),
  rules: z.string().optional(),
  policy: z.string().optional(),
  ticket: z.string().optional(),
  ticketSeen: z
    .object({ state: z.string(), record: z.string(), register: z.object({ name: z.string(), digest: z.string() }) })
    .optional()
    .describe("the ticket's state, the digest of its record without it, and the register in which it was read"),
  role: z.string().optional(),
  approver: z.string().optional(),
  notAfter: z.string().optional(),
  gates: z.array(z.object({ gate: z.string(), verdict: z.string(), summary: z.string() })),
  authors: z.array(z.string()),
  rulesSince: z
    .object({ version: z.string(), same: z.boolean() })
    .optional()
    .describe("the version of the last release here, and whether it was released by the same rules"),
  gone: goneShape,
  recorded: recordedShape,
  verdicts: z.array(verdictShape),
  entry: z.int().optional(),
  key: z.string().optional(),
  deployment: deploymentShape.optional().describe("the deployment job of the version that stands there already"),
  next: z
    .object({ step: z.enum(["approve", "promote", "release"]), roles: z.array(z.string()) })
    .optional()
    .describe("what comes after it; approve: people of these roles have to approve too"),
});
type Output = z.infer<typeof output>;

export const command = defineCommand({
  name: "approve",
  summary: "sign that a version may go to an environment, after seeing its evidence",
  description:
    "Fetches the evidence by its digest, verifies it, shows what you sign, and puts your signed approval into the ledger. It covers " +
    "promotion into and release in that environment, until it ends. Where the ledger is one that is reached from anywhere (git, delta) " +
    "it needs no checkout of the project: policy, ledger and read rights on the registry. Refuses early what promote would refuse (exit 3), and signs nothing then.",
  arguments: [
    { name: "version", description: "its number in the first environment: 7, or claims.triage/7", required: true },
  ],
  options: [
    { flags: "--to <environment>", description: "for which environment" },
    { flags: "--ticket <id>", description: "the change ticket that it is for" },
    { flags: "--role <name>", description: "in which role; default: the first that is asked for and that you have" },
    ...LINE_OPTIONS,
    KEY_OPTION,
  ],
  examples: [
    "factory approve claims.triage/7 --to prod --ticket CHG-2041",
    "factory approve 7 --to prod --ticket CHG-2041 --role model-risk --dry-run",
  ],
  writes: true,
  input: z.object({
    version: z.string().min(1),
    to: z.string({ error: "for which environment: --to NAME" }).min(1),
    ticket: z.string().min(1).max(100).optional(),
    role: z.string().min(1).optional(),
    policy: z.string().min(1).optional(),
    project: z.string().min(1).optional(),
    key: z.string().min(1).optional(),
  }),
  output,
  async run(input, context) {
    const { model, number } = parseVersionName(input.version);
    const { cwd, dryRun } = context;
    const where = { cwd, policy: input.policy, project: input.project, model };
    const signer = await signerOn(where, input.key, context);
    let agreed: ApprovalPlan | undefined;
    const recorded: number[] = [];
    for (let attempt = 0; attempt < APPROVAL_TRIES; attempt++) {
      const opened = await openForWriting(where, signer, context);
      const { line, policyFile } = opened;
      recorded.push(...opened.recorded);
      const candidate = candidateOf(line, number);
      const tickets = policyFile && ticketsOf(policyFile.policy, policyFile.path);
      const question = {
        action: "approve" as const,
        candidate,
        environment: input.to,
        ticket: input.ticket,
        role: input.role,
      };
      const answer = await withLineWorld(context, { signer, tickets }, async (world) => {
        const { plan: found, gathered } = await planApproval(question, line, world);
        // What was agreed to is signed to the letter; what is another by now is asked anew.
        const same = agreed !== undefined && isSameApproval(agreed, found);
        const plan = same ? { ...found, notAfter: agreed?.notAfter } : found;
        const data = { ...dataOf(plan, number), ...recordedData(recorded) };
        if (plan.outcome === "no") return { ok: false, data: { ...data, outcome: "refused" as const } };
        if (plan.outcome === "cannot tell")
          return {
            ok: false,
            data: { ...data, outcome: "cannot tell" as const },
            failure: couldNotTell(plan.verdicts, "Could not tell what you would approve"),
          };
        if (dryRun) return { ok: true, data: { ...data, outcome: "planned" as const } };
        if (!same) {
          if (!(await confirmed(plan, number, agreed !== undefined, context)))
            return { ok: false, data: { ...data, outcome: "declined" as const } };
          agreed = plan;
          // An answer takes its time: freeze, ticket and registry are looked at once more, and the entry is of that moment.
          if (!context.yes) return undefined;
        }
        const entry = await applyApproval(plan, gathered, line, world);
        if (entry === undefined) return undefined;
        const deployment = deploymentData(await tellAfterApproval(gathered, line, entry, world));
        const next = stepAfter(plan, gathered, line.state);
        const signed = { entry: entry.seq, key: signer.keyId, ...deployment, next };
        return { ok: true, data: { ...data, outcome: "approved" as const, ...signed } };
      });
      if (answer !== undefined) return answer;
    }
    throw ledgerBusy();
  },
  render: renderApproval,
});

function dataOf(plan: ApprovalPlan, number: string) {
  const { rules, policy, ticket, ticketSeen, role, approver, notAfter, rulesSince, gone } = plan;
  return {
    model: plan.model,
    number,
    environment: plan.environment,
    digest: plan.digest,
    evidence: plan.evidence,
    ...(rules !== undefined && { rules }),
    ...(policy !== undefined && { policy }),
    ...(ticket !== undefined && { ticket }),
    ...(ticketSeen !== undefined && { ticketSeen }),
    ...(role !== undefined && { role }),
    ...(approver !== undefined && { approver }),
    ...(notAfter !== undefined && { notAfter }),
    ...(rulesSince !== undefined && { rulesSince }),
    ...(gone !== undefined && { gone: { version: gone.version, at: gone.at } }),
    gates: [...plan.gates],
    authors: [...plan.authors],
    verdicts: [...plan.verdicts],
  };
}

/** What is signed stands in the question itself, so that nothing keeps it from whoever is asked. */
async function confirmed(plan: ApprovalPlan, number: string, again: boolean, context: Context): Promise<boolean> {
  if (context.yes) return true;
  if (!context.prompts.interactive)
    throw usageError(
      "approve.confirm",
      "nobody can be asked whether this is approved",
      "look at it with --dry-run, then sign with --yes",
    );
  const lines = signedLines({ ...dataOf(plan, number), outcome: "planned" });
  const moved = again ? ["The ledger moved meanwhile, and what you would sign is another now:"] : [];
  const question = `Approve ${plan.model} ${number} for ${plan.environment}?`;
  const answer = await context.prompts.choose({
    message: [...moved, ...lines, question].map(stripControls).join("\n"),
    flag: "--yes",
    choices: [{ value: "no" }, { value: "yes" }],
    default: "no",
  });
  return answer === "yes";
}

/** What somebody signs, in words. */
function signedLines(data: Output): string[] {
  const rows = [
    ["model", `${data.model} ${data.number}  sha256:${data.digest}`],
    ["evidence", `sha256:${data.evidence}`],
    ["rules", `sha256:${data.rules ?? "?"}${rulesText(data)}`],
    ["policy", `sha256:${data.policy ?? "?"}`],
    ["ticket", ticketText(data)],
    ["as", `${data.approver ?? "?"}, role ${data.role ?? "?"}`],
    ["until", data.notAfter ?? "?"],
    ["code by", data.authors.join(", ") || "nobody"],
    ["gates", gatesText(data)],
  ];
  return table(rows).split("\n");
}

function ticketText({ ticket, ticketSeen }: Output): string {
  if (ticket === undefined) return "none";
  return ticketSeen === undefined ? ticket : `${ticket}  ${ticketSeen.state} in ${registerText(ticketSeen.register)}`;
}

function rulesText({ rulesSince, gone }: Output): string {
  if (rulesSince === undefined) return "  (nothing was released here before)";
  const { version, same } = rulesSince;
  const none = gone === undefined ? "" : `; none serves: ${goneText(gone)}`;
  return same ? `  (unchanged since v${version}${none})` : `  (changed since v${version} was released${none})`;
}

/** What was measured stands beside the limits of the environment, as the decision has it: the line of a gate is only what a check wrote. */
function gatesText({ gates, verdicts }: Output): string {
  const bad = gates.filter((each) => each.verdict !== "pass");
  const limits = verdicts.find((each) => each.rule === "thresholds");
  return bad.length > 0
    ? bad.map((each) => `${each.gate}: ${each.verdict}`).join(", ")
    : `${gates.length}: all pass${limits === undefined ? "" : `; ${limits.why}`}`;
}

function nextText({ step, roles }: NonNullable<Output["next"]>, { number, environment, ticket }: Output): string {
  if (step === "release") return `factory release ${number} --env ${environment}`;
  const who = step === "approve" ? `someone of role ${roles.join(" and ")} approves too: ` : "";
  return `${who}factory ${step} ${number} --to ${environment}${ticket === undefined ? "" : ` --ticket ${ticket}`}`;
}

function renderApproval(data: Output, style: Style): string {
  const signed = signedLines(data).map((line) => `    ${line}`);
  switch (data.outcome) {
    case "approved":
      return [
        `${style.ok(`${MARK.pass} Approved`)} for ${data.environment}: these bytes and this evidence`,
        ...signed,
        `${style.ok(MARK.pass)} signed by ${data.approver} (key ${data.key?.slice(0, 12)}…), ledger entry ${data.entry}`,
        ...approvedLines(data.deployment, style),
        ...(data.next === undefined ? [] : [`  next: ${nextText(data.next, data)}`]),
      ].join("\n");
    case "planned":
      return [
        style.bold(`You would approve for ${data.environment}:`),
        ...signed,
        ...verdictLines(data.verdicts, style, true),
        "Nothing was signed.",
      ].join("\n");
    case "declined":
      return `${style.warn(MARK.note)} not approved; nothing was signed`;
    default:
      return [
        `${data.outcome === "refused" ? style.bad(`${MARK.fail} Refused`) : style.warn(`${MARK.error} Could not tell`)}: ${data.model} ${data.number} for ${data.environment}, evidence ${shortDigest(data.evidence)}; ${verdictCount(data.verdicts)}`,
        ...verdictLines(data.verdicts, style, false),
        "Nothing was signed.",
      ].join("\n");
  }
}
