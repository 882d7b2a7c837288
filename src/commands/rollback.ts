import * as z from "zod";
import { defineCommand } from "../cli/command.ts";
import { KEY_OPTION, LINE_OPTIONS, withLineWorld } from "../cli/line-world.ts";
import { MARK, type Style, seconds } from "../cli/style.ts";
import {
  nothingWritten,
  recordedData,
  recordedShape,
  shortDigest,
  verdictLines,
  verdictShape,
} from "../cli/verdict-lines.ts";
import { reasonText } from "../ledger/entry.ts";
import { usageError } from "../lib/error.ts";
import { signerOn } from "../line/listed-keys.ts";
import { momentOf } from "../policy/local-time.ts";
import type { RollbackPlan } from "../release/plan-rollback.ts";
import { openForRollback, rollbackEitherWay } from "../release/rollback-either-way.ts";

const version = z.object({ version: z.string(), digest: z.string() });
const output = z.object({
  outcome: z
    .enum(["rolledback", "unrecorded", "planned", "refused"])
    .describe(
      "unrecorded: done, but the ledger could not be read or written; it is recorded by your next writing command",
    ),
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
  recorded: recordedShape,
  again: z.boolean().optional().describe("of a dry run: it was done before, and nothing new would be recorded"),
  pending: z.string().optional().describe("file that waits for the ledger"),
});
type Output = z.infer<typeof output>;

export const command = defineCommand({
  name: "rollback",
  summary: "go back to the version that served before, fixed when it was released",
  description:
    "Reads every byte of the target first, then moves the alias champion back. No freeze, ticket or approval stops it. After a " +
    "first release there is no version to go back to: champion is removed, and scoring code refuses to score.",
  options: [
    { flags: "--env <environment>", description: "where" },
    { flags: "--reason <text>", description: "why; one line, no personal data" },
    { flags: "--incident <id>", description: "the incident that it belongs to" },
    { flags: "--further", description: "go back past an earlier rollback, on purpose" },
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
    reason: z.string({ error: 'a rollback needs a reason: --reason "WHY"' }).pipe(reasonText),
    incident: z.string().min(1).max(100).optional(),
    further: z.boolean().default(false),
    detectedAt: z.string().min(1).optional(),
    policy: z.string().min(1).optional(),
    project: z.string().min(1).optional(),
    key: z.string().min(1).optional(),
  }),
  output,
  async run(input, context) {
    const where = { cwd: context.cwd, policy: input.policy, project: input.project, model: undefined };
    const { dryRun, now } = context;
    const signer = await signerOn(where, input.key, context);
    const { env: environment, reason, incident, further } = input;
    const opened = await openForRollback(where, environment, signer, context);
    const detectedAt = momentDetected(input.detectedAt, opened.timezone, now())?.toISOString();
    const request = { environment, reason, incident, detectedAt, further };
    const result = await withLineWorld(context, { signer, tickets: undefined }, (world) =>
      rollbackEitherWay(request, opened, world, dryRun),
    );
    const { words } = result;
    const data = {
      outcome: result.kind,
      model: opened.model,
      ...shown(result.plan),
      reason: words.reason,
      ...(words.incident !== undefined && { incident: words.incident }),
      ...(words.detectedAt !== undefined && { detectedAt: words.detectedAt }),
      ...recordedData(opened.recorded),
    };
    const took = (restored: string) =>
      words.detectedAt === undefined
        ? {}
        : { detectedToRestoredMs: Date.parse(restored) - Date.parse(words.detectedAt) };
    switch (result.kind) {
      case "rolledback": {
        const { entry, resumed } = result;
        const { undoes, effectiveAt } = entry.body;
        const more = {
          ...took(effectiveAt ?? entry.at),
          ...(undoes !== undefined && { undoes }),
          entry: entry.seq,
          resumed,
        };
        return { ok: true, data: { ...data, ...more } };
      }
      case "unrecorded": {
        const { at, pending, resumed } = result;
        return { ok: true, data: { ...data, ...took(at), pending, resumed } };
      }
      case "planned":
        return { ok: true, data: { ...data, ...(result.again && { again: true }) } };
      case "refused":
        return { ok: false, data };
    }
  },
  render: renderRollback,
});

function shown({ from, to, environment, verdicts }: RollbackPlan) {
  const place = to === undefined || to === "none" ? to : { version: to.version, digest: to.digest };
  return {
    environment,
    ...(from !== undefined && { from: { version: from.version, digest: from.digest } }),
    ...(place !== undefined && { to: place }),
    verdicts: [...verdicts],
  };
}

function momentDetected(text: string | undefined, zone: string, now: Date): Date | undefined {
  const at = text === undefined ? undefined : momentOf(text, zone, "--detected-at");
  if (at !== undefined && at > now)
    throw usageError(
      "flags.detected-at",
      `--detected-at ${text} lies in the future`,
      "give the moment at which it was seen",
    );
  return at;
}

function renderRollback(data: Output, style: Style): string {
  const from = `v${data.from?.version ?? "?"}`;
  const to = data.to === undefined ? "?" : data.to === "none" ? "none: scoring refuses" : `v${data.to.version}`;
  const took =
    data.detectedToRestoredMs === undefined ? "not stated (--detected-at)" : seconds(data.detectedToRestoredMs);
  if (data.outcome === "unrecorded")
    return [
      `${style.ok(`${MARK.pass} champion ${from} → ${to}`)}   detected → restored: ${took}`,
      style.bad(
        `${MARK.note} NOT IN THE LEDGER: it could not be read or written, or does not hold. It waits, signed, in ${data.pending}`,
      ),
      "  Your next register, promote, release or rollback here puts it there; until then factory verify is not green.",
    ].join("\n");
  if (data.outcome === "rolledback")
    return [
      `${style.ok(`${MARK.pass} champion ${from} → ${to}`)}${data.to === undefined || data.to === "none" ? "" : `   ${shortDigest(data.to.digest)}, every byte read before`}`,
      `  undoes the release of ledger entry ${data.undoes ?? "?"}; ledger entry ${data.entry}   detected → restored: ${took}${data.resumed === true ? style.dim("   this was done before: the same words are the same rollback") : ""}`,
    ].join("\n");
  return [
    style.bold(
      `Roll back ${data.model} in ${data.environment}${data.from === undefined ? "" : `: champion ${from} → ${to}`}`,
    ),
    ...verdictLines(data.verdicts, style, true),
    data.outcome === "planned"
      ? `${style.ok(MARK.pass)} ${data.again === true ? "done before: nothing new would be recorded" : "would roll back"}. Nothing was written.`
      : `${style.bad(`${MARK.fail} Not possible`)}. ${nothingWritten(data.recorded)}`,
  ].join("\n");
}
