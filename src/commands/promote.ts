import * as z from "zod";
import { defineCommand } from "../cli/command.ts";
import { approvedLines, deploymentData, deploymentShape } from "../cli/deployment-lines.ts";
import { KEY_OPTION, LINE_OPTIONS, withLineWorld } from "../cli/line-world.ts";
import { MARK, type Style } from "../cli/style.ts";
import {
  couldNotTell,
  type Gone,
  goneShape,
  goneText,
  shortDigest,
  verdictCount,
  verdictLines,
  verdictShape,
} from "../cli/verdict-lines.ts";
import { reasonText } from "../ledger/entry.ts";
import { usageError } from "../lib/error.ts";
import { listingIn } from "../policy/listing.ts";
import { stageOf } from "../policy/stage-of.ts";
import { abandon } from "../promotion/abandon.ts";
import { candidateOf, parseVersionName } from "../promotion/find-candidate.ts";
import type { Line } from "../promotion/line.ts";
import { signerOn } from "../promotion/listed-keys.ts";
import type { PromotionPlan } from "../promotion/plan-promotion.ts";
import { type PromotionResult, promote } from "../promotion/promote.ts";
import { openForWriting } from "../release/open-for-writing.ts";
import { takeEndpointBack } from "../release/take-back.ts";
import { ticketsOf } from "../tickets/file-register.ts";

const output = z.object({
  outcome: z.enum(["promoted", "planned", "refused", "cannot tell", "abandoned"]),
  model: z.string(),
  digest: z.string().optional(),
  evidence: z.string().optional(),
  from: z.object({ environment: z.string(), version: z.string() }).optional(),
  to: z.object({ environment: z.string(), name: z.string(), version: z.string().optional() }),
  number: z.string().optional().describe("number in the first environment"),
  ticket: z.string().optional(),
  champion: z.string().optional().describe("version that serves at the target; it stays"),
  gone: goneShape,
  files: z.int().optional(),
  bytes: z.int().optional(),
  verdicts: z.array(verdictShape),
  entry: z.int().optional(),
  bundle: z.string().optional(),
  resumed: z.boolean().optional().describe("an interrupted promotion was carried on"),
  would: z
    .object({ version: z.boolean(), alias: z.boolean(), entries: z.int(), begun: z.int().optional() })
    .optional()
    .describe(
      "of a dry run: whether a version would be made and challenger moved, how many ledger entries; begun: what would be carried on",
    ),
  already: z.boolean().optional().describe("it had been promoted before; nothing was left to do"),
  next: z.string().optional().describe("the environment after this one"),
  nextAsks: z
    .object({ approvals: z.boolean(), ticket: z.boolean() })
    .optional()
    .describe("what the policy asks for there"),
  abandoned: z.array(z.int()).optional(),
  deployment: deploymentShape.optional().describe("what the deployment job of the new version was told"),
});
type Output = z.infer<typeof output>;

export const command = defineCommand({
  name: "promote",
  summary: "take a version to the next environment: the same bytes, by the policy's rules",
  description:
    "Decides by every rule of the table, then copies the very bytes, evidence and decision to the next environment, proves them " +
    "there by digest and makes the version challenger; what serves stays. Run again after an interruption it carries on.\n" +
    "Exit 3: a rule says no; nothing is written. Exit 4: a rule could not tell. Exit 5: somebody else was faster.",
  arguments: [{ name: "version", description: "its number in the first environment: 7, or claims.triage/7" }],
  options: [
    { flags: "--to <environment>", description: "the very next environment" },
    { flags: "--ticket <id>", description: "the change ticket" },
    { flags: "--abandon", description: "end what was started there and not finished" },
    { flags: "--reason <text>", description: "why, for --abandon; one line, no personal data" },
    ...LINE_OPTIONS,
    KEY_OPTION,
  ],
  examples: [
    "factory promote 7 --to test",
    "factory promote 7 --to prod --ticket CHG-2041 --dry-run",
    'factory promote --to prod --abandon --reason "the runner died"',
  ],
  writes: true,
  input: z.object({
    version: z.string().min(1).optional(),
    to: z.string({ error: "which environment: --to NAME" }).min(1),
    ticket: z.string().min(1).max(100).optional(),
    abandon: z.boolean().default(false),
    reason: reasonText.optional(),
    policy: z.string().min(1).optional(),
    project: z.string().min(1).optional(),
    key: z.string().min(1).optional(),
  }),
  output,
  async run(input, context) {
    const named = input.version === undefined ? undefined : parseVersionName(input.version);
    const { cwd, clients } = context;
    const where = { cwd, policy: input.policy, project: input.project, model: named?.model };
    const signer = await signerOn(where, input.key, context);
    const { line, policyFile } = await openForWriting(where, clients.ledger, signer, context.now, context.dryRun);
    if (input.abandon) {
      if (input.reason === undefined) throw usageError("flags.reason", "--abandon needs --reason", '--reason "why"');
      const result = await abandon(line, input.to, input.reason, signer, context.now, context.dryRun, {
        registry: clients.registry,
        takeEndpointBack: (started, environment) =>
          takeEndpointBack(started, line.state, environment, {
            serving: clients.serving,
            report: context.report,
            signal: context.signal,
          }),
        report: context.report,
      });
      if ("refused" in result) {
        const verdicts = [{ rule: "abandon", verdict: "no" as const, why: result.refused }];
        return {
          ok: false,
          data: { outcome: "refused" as const, model: line.model, to: { environment: input.to, name: "" }, verdicts },
        };
      }
      const to = { environment: input.to, name: "" };
      return {
        ok: true,
        data: {
          outcome: context.dryRun ? ("planned" as const) : ("abandoned" as const),
          model: line.model,
          to,
          verdicts: [],
          abandoned: result.abandoned,
        },
      };
    }
    if (named === undefined)
      throw usageError(
        "version.missing",
        "which version: its number in the first environment",
        "factory promote 7 --to test",
      );
    const candidate = candidateOf(line, named.number);
    const tickets = policyFile && ticketsOf(policyFile.policy, policyFile.path);
    const result = await withLineWorld(context, { signer, tickets }, (world) =>
      promote(
        { action: "promote", candidate, environment: input.to, ticket: input.ticket },
        line,
        world,
        context.dryRun,
      ),
    );
    const data = dataOf(result.plan, named.number);
    if (result.kind === "promoted") {
      const { promoted, resumed } = result;
      const already = promoted.entry.seq <= line.view.head.seq;
      const next = environmentAfter(line, input.to);
      return {
        ok: true,
        data: {
          ...data,
          outcome: "promoted" as const,
          to: { ...data.to, version: promoted.version },
          entry: promoted.entry.seq,
          bundle: promoted.bundle,
          resumed: resumed && !already,
          already,
          ...deploymentData(promoted.deployment),
          ...(next !== undefined && { next: next.name, nextAsks: next.asks }),
        },
      };
    }
    if (result.kind === "cannot tell")
      return {
        ok: false,
        data: { ...data, outcome: "cannot tell" as const },
        failure: couldNotTell(result.plan.verdicts, `Could not tell whether it may go to ${input.to}`),
      };
    if (result.kind === "planned") return { ok: true, data: { ...data, outcome: result.kind, ...wouldOf(result) } };
    return { ok: false, data: { ...data, outcome: result.kind } };
  },
  render: (data, style) => renderPromotion(data, style),
});

function environmentAfter({ policy: known, project }: Line, name: string) {
  if (!known.known) return undefined;
  const { policy } = known.value.inForce;
  const next = policy.environments[policy.environments.findIndex((each) => each.name === name) + 1];
  if (next === undefined) return undefined;
  const { approvals = [], ticket } = stageOf(policy, listingIn(policy, project)?.riskTier ?? "", next.name);
  return { name: next.name, asks: { approvals: approvals.length > 0, ticket: ticket === "required" } };
}

function wouldOf({ plan: { champion, to }, already, begun, entries }: Extract<PromotionResult, { kind: "planned" }>) {
  if (already !== undefined) return { already: true, entry: already.seq };
  const alias = to.version === undefined || to.version !== champion;
  return { would: { version: to.version === undefined, alias, entries, ...(begun !== undefined && { begun }) } };
}

function dataOf(plan: PromotionPlan, number: string) {
  const { ticket, champion, gone } = plan;
  return {
    model: plan.model,
    digest: plan.digest,
    evidence: plan.evidence,
    from: plan.from,
    to: {
      environment: plan.to.environment,
      name: plan.to.name,
      ...(plan.to.version !== undefined && { version: plan.to.version }),
    },
    number,
    ...(ticket !== undefined && { ticket }),
    ...(champion !== undefined && { champion }),
    ...(gone !== undefined && { gone: { version: gone.version, at: gone.at } }),
    files: plan.files,
    bytes: plan.bytes,
    verdicts: [...plan.verdicts],
  };
}

function renderPromotion(data: Output, style: Style): string {
  const { to, from, number } = data;
  // Only a refusal to abandon speaks of no version.
  if (number === undefined && data.outcome === "refused")
    return `${style.bad(`${MARK.fail} Not abandoned`)}: ${data.verdicts.map((each) => each.why).join("; ")}. Nothing was written.`;
  if (data.outcome === "abandoned" || data.abandoned !== undefined)
    return `${style.ok(MARK.pass)} ${to.environment}: ${data.outcome === "planned" ? "would abandon" : "abandoned"} what entr${data.abandoned?.length === 1 ? "y" : "ies"} ${data.abandoned?.join(", ")} started`;
  const head = `${data.model} ${number}: ${from?.environment ?? "?"} → ${to.environment}`;
  if (data.outcome === "promoted") return promotedLines(data, style).join("\n");
  const facts = [
    from?.version === "?"
      ? `  bytes     ${shortDigest(data.digest ?? "")}, not in ${from.environment} yet`
      : `  bytes     ${from?.environment} v${from?.version} ${shortDigest(data.digest ?? "")} → ${to.name} ${to.version === undefined ? "(a new version)" : `v${to.version} (there already)`}, copied, never retrained`,
    `  champion  ${data.champion === undefined ? noneText(data.gone, "none serves there") : `v${data.champion} stays`}`,
    `  evidence  ${shortDigest(data.evidence ?? "")}`,
  ];
  const all = data.outcome === "planned";
  const serves = data.champion !== undefined && data.champion === to.version;
  return [
    style.bold(`Promote ${head}`),
    ...facts,
    ...verdictLines(data.verdicts, style, all),
    all
      ? `${style.ok(MARK.pass)} ${wouldText(data)}. Nothing was written.`
      : data.outcome === "refused"
        ? `${style.bad(`${MARK.fail} Not allowed`)}: ${verdictCount(data.verdicts)}. Nothing was written.${serves ? ` v${to.version} serves there already: nothing is left to promote.` : ""}`
        : `${style.warn(`${MARK.error} Could not tell`)}: ${verdictCount(data.verdicts)}. Nothing was written.`,
  ].join("\n");
}

function wouldText({ already, entry, would }: Output): string {
  if (already === true) return `promoted before, ledger entry ${entry}: nothing is left to do`;
  const begun = would?.begun === undefined ? "" : `carry on what ledger entry ${would.begun} began`;
  const parts = [
    ...(would?.version === false ? [] : ["1 version"]),
    ...(would?.alias === false ? [] : ["1 alias"]),
    "evidence and bundle",
    `${would?.entries} ledger entr${would?.entries === 1 ? "y" : "ies"}`,
  ];
  return `would ${begun || "promote"}: ${parts.join(", ")}`;
}

function noneText(gone: Gone, never: string): string {
  return gone === undefined ? never : `none serves: ${goneText(gone)}`;
}

function promotedLines({ to, from, number, ...data }: Output, style: Style): string[] {
  const serves = data.champion !== undefined && data.champion === to.version;
  const before =
    data.already === true ? "  promoted before" : data.resumed === true ? "  carried on after an interruption" : "";
  const alias = serves ? `v${to.version} is the champion` : `challenger → v${to.version}`;
  const champion =
    data.champion === undefined
      ? `   ${noneText(data.gone, "nothing serves yet")}`
      : serves
        ? ""
        : `   champion stays v${data.champion}`;
  const release = serves ? "" : `factory release ${number} --env ${to.environment}`;
  // An approval covers promotion and release; promoting before it was given would only be refused.
  const step = data.nextAsks?.approvals === true ? "approve" : "promote";
  const further =
    data.next === undefined
      ? ""
      : `factory ${step} ${number} --to ${data.next}${data.nextAsks?.ticket === true ? " --ticket ID" : ""}`;
  const next = [release, further].filter((each) => each !== "").join(", or ");
  return [
    `${style.ok(`${MARK.pass} ${to.name} v${to.version}`)} = ${from?.environment} v${from?.version}   ${shortDigest(data.digest ?? "")} (digest checked at the destination)${style.dim(before)}`,
    `${style.ok(MARK.pass)} ${alias}${champion}   ledger entry ${data.entry}   ${verdictCount(data.verdicts)}`,
    ...approvedLines(data.deployment, style),
    ...(next === "" ? [] : [`  next: ${next}`]),
  ];
}
