import * as z from "zod";
import { defineCommand } from "../cli/command.ts";
import type { Context } from "../cli/context.ts";
import { deploymentData } from "../cli/deployment-lines.ts";
import { KEY_OPTION, LINE_OPTIONS, namedData, withLineWorld } from "../cli/line-world.ts";
import { promotionOutput, renderPromotion } from "../cli/promotion-lines.ts";
import { couldNotTell, recordedData } from "../cli/verdict-lines.ts";
import { reasonText } from "../ledger/entry.ts";
import { usageError } from "../lib/error.ts";
import type { Signer } from "../lib/signing.ts";
import { environmentAfter } from "../line/environment-after.ts";
import { candidateOf, parseVersionName } from "../line/find-candidate.ts";
import type { Line } from "../line/line.ts";
import { signerOn } from "../line/listed-keys.ts";
import { abandon } from "../promotion/abandon.ts";
import type { PromotionPlan } from "../promotion/plan-promotion.ts";
import { type PromotionResult, promote } from "../promotion/promote.ts";
import { openForWriting } from "../release/open-for-writing.ts";
import { takeUnmovedBack } from "../release/take-release-back.ts";
import { ticketsOf } from "../tickets/file-register.ts";

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
  output: promotionOutput,
  async run(input, context) {
    const named = input.version === undefined ? undefined : parseVersionName(input.version);
    const where = { cwd: context.cwd, policy: input.policy, project: input.project, model: named?.model };
    const signer = await signerOn(where, input.key, context);
    const { line, policyFile, recorded } = await openForWriting(where, signer, context);
    if (input.abandon) return abandonThere(line, input.to, input.reason, signer, recorded, context);
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
    const data = { ...dataOf(result.plan, named.number), ...recordedData(recorded) };
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
          ...namedData(input),
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
  render: renderPromotion,
});

async function abandonThere(
  line: Line,
  environment: string,
  reason: string | undefined,
  signer: Signer,
  recorded: readonly number[],
  { clients, now, dryRun, report, signal }: Context,
) {
  if (reason === undefined) throw usageError("flags.reason", "--abandon needs --reason", '--reason "why"');
  const { registry, serving } = clients;
  const result = await abandon(line, environment, reason, signer, now, dryRun, {
    registry,
    takeReleaseBack: (started, place) =>
      takeUnmovedBack(started, line.state, place, { registry, serving, report, signal }),
    report,
  });
  const data = { model: line.model, to: { environment, name: "" }, ...recordedData(recorded) };
  if ("refused" in result) {
    const verdicts = [{ rule: "abandon", verdict: "no" as const, why: result.refused }];
    return { ok: false, data: { ...data, outcome: "refused" as const, verdicts } };
  }
  const outcome = dryRun ? ("planned" as const) : ("abandoned" as const);
  return { ok: true, data: { ...data, outcome, verdicts: [], abandoned: result.abandoned } };
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
