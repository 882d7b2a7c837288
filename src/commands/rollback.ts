import * as z from "zod";
import { defineCommand } from "../cli/command.ts";
import { KEY_OPTION, LINE_OPTIONS, withLineWorld } from "../cli/line-world.ts";
import { MARK, type Style, seconds } from "../cli/style.ts";
import { shortDigest, verdictLines, verdictShape } from "../cli/verdict-lines.ts";
import { reasonText } from "../ledger/entry.ts";
import { usageError } from "../lib/error.ts";
import { momentOf } from "../policy/local-time.ts";
import { findLine } from "../promotion/find-line.ts";
import { rollback } from "../release/rollback.ts";

const version = z.object({ version: z.string(), digest: z.string() });
const output = z.object({
  outcome: z.enum(["rolledback", "planned", "refused"]),
  model: z.string(),
  environment: z.string(),
  from: version.optional(),
  to: z
    .union([version, z.literal("none")])
    .optional()
    .describe("none: a first release was withdrawn, champion is removed"),
  reason: z.string(),
  incident: z.string().optional(),
  detectedAt: z.string().optional().describe("absent: not stated"),
  detectedToRestoredMs: z.number().optional(),
  verdicts: z.array(verdictShape),
  undoes: z.int().optional().describe("number of the ledger's entry of the release that is undone"),
  entry: z.int().optional(),
  resumed: z.boolean().optional(),
});
type Output = z.infer<typeof output>;

export const command = defineCommand({
  name: "rollback",
  summary: "go back to the version that served before, fixed when it was released",
  description:
    "Reads every byte of the target first, then moves the alias champion back. No freeze, ticket or approval stops it. After a\n" +
    "first release there is no version to go back to: champion is removed, and scoring code refuses to score.",
  options: [
    { flags: "--env <environment>", description: "where" },
    { flags: "--reason <text>", description: "why; one line, no personal data" },
    { flags: "--incident <id>", description: "the incident that it belongs to" },
    {
      flags: "--detected-at <time>",
      description: "when the trouble was seen; without a zone in the policy's time zone",
    },
    ...LINE_OPTIONS,
    KEY_OPTION,
  ],
  examples: [
    'factory rollback --env prod --reason "escalations doubled"',
    'factory rollback --env prod --reason "escalations doubled" --incident INC-77 --detected-at "2026-11-25 09:12"',
  ],
  writes: true,
  input: z.object({
    env: z.string({ error: "in which environment: --env NAME" }).min(1),
    reason: z.string({ error: 'a rollback needs a reason: --reason "…"' }).pipe(reasonText),
    incident: z.string().min(1).max(100).optional(),
    detectedAt: z.string().min(1).optional(),
    policy: z.string().min(1).optional(),
    project: z.string().min(1).optional(),
    key: z.string().min(1).optional(),
  }),
  output,
  async run(input, context) {
    const where = { cwd: context.cwd, policy: input.policy, project: input.project, model: undefined };
    const find = async () => (await findLine(where, context.clients.ledger, context.now())).line;
    const line = await find();
    const zone = line.policy.known ? line.policy.value.inForce.policy.timezone : "UTC";
    const detectedAt = input.detectedAt === undefined ? undefined : momentOf(input.detectedAt, zone);
    if (detectedAt !== undefined && detectedAt > context.now())
      throw usageError(
        "flags.detected-at",
        `--detected-at ${input.detectedAt} lies in the future`,
        "give the moment at which it was seen",
      );
    const signer = await context.signer({ name: input.key });
    const request = {
      environment: input.env,
      reason: input.reason,
      incident: input.incident,
      detectedAt: detectedAt?.toISOString(),
    };
    const result = await withLineWorld(context, { signer, tickets: undefined }, (world) =>
      rollback(request, line, find, world, context.dryRun),
    );
    const { plan } = result;
    const data = {
      model: line.model,
      environment: input.env,
      ...(plan.from !== undefined && { from: { version: plan.from.version, digest: plan.from.digest } }),
      ...(plan.to !== undefined && {
        to: plan.to === "none" ? ("none" as const) : { version: plan.to.version, digest: plan.to.digest },
      }),
      reason: input.reason,
      ...(input.incident !== undefined && { incident: input.incident }),
      ...(request.detectedAt !== undefined && { detectedAt: request.detectedAt }),
      verdicts: [...plan.verdicts],
    };
    if (result.kind !== "rolledback") return { ok: result.kind === "planned", data: { outcome: result.kind, ...data } };
    const { entry } = result;
    return {
      ok: true,
      data: {
        outcome: "rolledback" as const,
        ...data,
        ...(detectedAt !== undefined && { detectedToRestoredMs: Date.parse(entry.at) - detectedAt.getTime() }),
        ...(entry.body.undoes !== undefined && { undoes: entry.body.undoes }),
        entry: entry.seq,
        resumed: result.resumed,
      },
    };
  },
  render: renderRollback,
});

function renderRollback(data: Output, style: Style): string {
  const from = `v${data.from?.version ?? "?"}`;
  const to = data.to === undefined ? "?" : data.to === "none" ? "none: scoring refuses" : `v${data.to.version}`;
  if (data.outcome === "rolledback")
    return [
      `${style.ok(`${MARK.pass} champion ${from} → ${to}`)}${data.to === undefined || data.to === "none" ? "" : `   ${shortDigest(data.to.digest)}, every byte read before`}`,
      `  undoes the release of ledger entry ${data.undoes ?? "?"}; ledger entry ${data.entry}   detected → restored: ${data.detectedToRestoredMs === undefined ? "not stated (--detected-at)" : seconds(data.detectedToRestoredMs)}`,
    ].join("\n");
  return [
    style.bold(`Roll back ${data.model} in ${data.environment}: champion ${from} → ${to}`),
    ...verdictLines(data.verdicts, style, true),
    data.outcome === "planned"
      ? `${style.ok(MARK.pass)} would roll back. Nothing was written.`
      : `${style.bad(`${MARK.fail} Not possible`)}. Nothing was written.`,
  ].join("\n");
}
