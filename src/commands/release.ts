import * as z from "zod";
import { defineCommand } from "../cli/command.ts";
import { alsoNamed, KEY_OPTION, LINE_OPTIONS, namedData, namedShape, withLineWorld } from "../cli/line-world.ts";
import { MARK, type Style } from "../cli/style.ts";
import {
  couldNotTell,
  goneShape,
  goneText,
  nothingWritten,
  recordedData,
  recordedShape,
  shortDigest,
  verdictCount,
  verdictLines,
  verdictShape,
} from "../cli/verdict-lines.ts";
import type { RollbackTarget } from "../ledger/entry.ts";
import { candidateOf, parseVersionName } from "../line/find-candidate.ts";
import { signerOn } from "../line/listed-keys.ts";
import { openForWriting } from "../release/open-for-writing.ts";
import { demandStrategy, release } from "../release/release.ts";
import { ticketsOf } from "../tickets/file-register.ts";

const output = z.object({
  outcome: z.enum(["released", "planned", "refused", "cannot tell"]),
  model: z.string(),
  number: z.string(),
  environment: z.string(),
  name: z.string(),
  version: z.string(),
  digest: z.string(),
  evidence: z.string(),
  strategy: z.string(),
  before: z.string().optional().describe("version that served before"),
  rollback: z
    .object({ version: z.string(), digest: z.string(), signature: z.string() })
    .nullable()
    .describe("null: none, since nothing serves"),
  gone: goneShape,
  endpoint: z.string().optional().describe("serving endpoint whose requests go to it; absent: jobs read the alias"),
  ticket: z.string().optional(),
  verdicts: z.array(verdictShape),
  entry: z.int().optional(),
  resumed: z.boolean().optional(),
  recorded: recordedShape,
  named: namedShape,
  again: z.boolean().optional().describe("it served already; nothing was written"),
});
type Output = z.infer<typeof output>;

export const command = defineCommand({
  name: "release",
  summary: "let a promoted version serve, with its way back fixed first",
  description:
    "Decides again by every rule, reads the bytes again, fixes the rollback target, and moves the alias champion. Strategy direct:\n" +
    "batch and streaming jobs read the alias and take the new version at their next run. With release.endpoint in factory.yaml the " +
    "version is brought up at that serving endpoint first, gets all requests, and must answer one. Exit 3: a rule says no.",
  arguments: [
    { name: "version", description: "its number in the first environment: 7, or claims.triage/7", required: true },
  ],
  options: [
    { flags: "--env <environment>", description: "where; it must have been promoted there" },
    { flags: "--strategy <name>", description: "default: the policy's, else that of factory.yaml" },
    ...LINE_OPTIONS,
    KEY_OPTION,
  ],
  examples: ["factory release 7 --env prod", "factory release claims.triage/7 --env prod --dry-run"],
  writes: true,
  input: z.object({
    version: z.string().min(1),
    env: z.string({ error: "in which environment: --env NAME" }).min(1),
    strategy: z.string().min(1).optional(),
    policy: z.string().min(1).optional(),
    project: z.string().min(1).optional(),
    key: z.string().min(1).optional(),
  }),
  output,
  async run(input, context) {
    const { model, number } = parseVersionName(input.version);
    if (input.strategy !== undefined) demandStrategy(input.strategy);
    const where = { cwd: context.cwd, policy: input.policy, project: input.project, model };
    const signer = await signerOn(where, input.key, context);
    const { line, policyFile, recorded } = await openForWriting(where, signer, context);
    const candidate = candidateOf(line, number);
    const tickets = policyFile && ticketsOf(policyFile.policy, policyFile.path);
    const question = { action: "release" as const, candidate, environment: input.env, ticket: undefined };
    const result = await withLineWorld(context, { signer, tickets }, (world) =>
      release(question, input.strategy, line, world, context.dryRun),
    );
    const { plan } = result;
    const data = {
      model: plan.model,
      number,
      environment: plan.environment,
      name: plan.name,
      version: plan.version,
      digest: plan.digest,
      evidence: plan.evidence,
      strategy: plan.strategy,
      ...(plan.champion !== undefined && { before: plan.champion.version }),
      rollback: rollbackOf(plan.rollback),
      ...(plan.gone !== undefined && { gone: { version: plan.gone.version, at: plan.gone.at } }),
      ...(plan.endpoint !== undefined && { endpoint: plan.endpoint }),
      ...(plan.ticket !== undefined && { ticket: plan.ticket }),
      verdicts: [...plan.verdicts],
      ...recordedData(recorded),
    };
    if (result.kind === "released")
      return {
        ok: true,
        data: {
          outcome: "released" as const,
          ...data,
          entry: result.entry.seq,
          resumed: result.resumed,
          again: result.again,
          ...namedData(input),
        },
      };
    if (result.kind === "cannot tell") {
      const failure = couldNotTell(plan.verdicts, "Could not tell whether it may be released");
      return { ok: false, data: { outcome: "cannot tell" as const, ...data }, failure };
    }
    return { ok: result.kind === "planned", data: { outcome: result.kind, ...data } };
  },
  render: renderRelease,
});

function rollbackOf(target: RollbackTarget) {
  return target === "none" ? null : { version: target.version, digest: target.digest, signature: target.signature };
}

function renderRelease(data: Output, style: Style): string {
  const back =
    data.rollback === null
      ? `none: ${data.gone === undefined ? "first release" : goneText(data.gone)}`
      : `v${data.rollback.version} (signature ${data.rollback.signature})`;
  if (data.again === true)
    return `${style.ok(`${MARK.pass} ${data.name} v${data.version}`)} serves already, since ledger entry ${data.entry}; rollback target: ${data.rollback === null ? "none" : back}`;
  if (data.outcome === "released")
    return [
      `${style.ok(`${MARK.pass} ${data.name}`)} champion ${data.before === undefined ? "→" : `v${data.before} →`} v${data.version}   ${shortDigest(data.digest)}   ledger entry ${data.entry}${data.resumed === true ? style.dim("  carried on after an interruption") : ""}`,
      ...(data.endpoint === undefined
        ? []
        : [
            `  endpoint ${data.endpoint}: 100 % of requests to v${data.version}, one answered${data.before === undefined ? "" : `; v${data.before} stands by`}`,
          ]),
      `  rollback target: ${back}   ${verdictCount(data.verdicts)}`,
      `  to go back: ${alsoNamed(`factory rollback --env ${data.environment} --reason "WHY"`, data.named)}`,
    ].join("\n");
  const all = data.outcome === "planned";
  const serves = data.before === data.version;
  return [
    style.bold(
      `Release ${data.model} ${data.number} in ${data.environment}: ${data.name}${data.version === "?" ? "" : ` v${data.version}`}, strategy ${data.strategy}`,
    ),
    data.version === "?"
      ? `  version   none was promoted to ${data.environment}`
      : `  champion  ${serves ? `v${data.version} already` : `${data.before === undefined ? (data.gone === undefined ? "none yet" : `none (${goneText(data.gone)})`) : `v${data.before}`} → v${data.version}`}`,
    ...(data.endpoint === undefined
      ? []
      : [`  endpoint  ${data.endpoint}: brought up without requests, then all of them, then one is tried`]),
    ...(serves ? [] : [`  rollback  ${back}`]),
    ...verdictLines(data.verdicts, style, all),
    all
      ? `${style.ok(MARK.pass)} would release. Nothing was written.`
      : `${data.outcome === "refused" ? style.bad(`${MARK.fail} Not allowed`) : style.warn(`${MARK.error} Could not tell`)}: ${verdictCount(data.verdicts)}. ${nothingWritten(data.recorded)}`,
  ].join("\n");
}
