import * as z from "zod";
import { minute, second, span } from "./moments.ts";
import { MARK, type Style, seconds } from "./style.ts";
import { shortDigest } from "./verdict-lines.ts";

const approvals = z.array(
  z.object({ approver: z.string(), role: z.string(), ticket: z.string().optional(), seq: z.int() }),
);
const number = z.string().optional().describe("in the first environment");
const release = z.object({
  seq: z.int().describe("of the entry in the ledger"),
  at: z.string(),
  by: z.string(),
  version: z.string(),
  digest: z.string(),
  number,
  ticket: z.string().optional(),
  approvals,
  evidence: z.string(),
  bundles: z.array(z.string()).describe("of the promotion and of the release"),
});
const version = z.object({ version: z.string(), digest: z.string() });
const common = { seq: z.int(), at: z.string(), environment: z.string(), name: z.string(), by: z.string() };

export const historyShape = z.object({
  project: z.string(),
  model: z.string(),
  changes: z
    .array(
      z.discriminatedUnion("kind", [
        z.object({
          ...common,
          kind: z.literal("released"),
          release,
          undoneBy: z.object({ seq: z.int(), at: z.string() }).optional(),
        }),
        z.object({
          ...common,
          kind: z.literal("rolledback"),
          from: version.optional(),
          to: version.optional().describe("absent: a first release was withdrawn, nothing serves"),
          reason: z.string(),
          incident: z.string().optional(),
          undoes: z.int().optional().describe("the entry of the release that it undoes"),
          detectedAt: z.string().optional().describe("absent: not stated"),
          detectedToRestoredMs: z.number().optional(),
        }),
        z.object({
          ...common,
          kind: z.literal("deployed"),
          deployment: z.object({
            ...version.shape,
            number,
            workspace: z.string(),
            tool: z.string(),
            files: z.string().describe("digest of the manifest of all that was deployed"),
            ticket: z.string().optional(),
            approvals,
          }),
        }),
      ]),
    )
    .optional()
    .describe("newest first; absent with --at"),
  at: z.string().optional(),
  means: z.string().optional().describe("which moment was taken, where --at named a day alone"),
  served: z
    .array(
      z.object({
        environment: z.string(),
        name: z.string(),
        champion: z
          .object({
            version: z.string(),
            digest: z.string(),
            createdAt: z.number(),
            since: z.object({ seq: z.int(), at: z.string() }),
          })
          .optional()
          .describe("absent: nothing served"),
        release: release.optional(),
        or: z.string().optional().describe("what served by another reading of clocks that differ; none: nothing"),
      }),
    )
    .optional()
    .describe("with --at"),
});
type History = z.infer<typeof historyShape>;
type Release = z.infer<typeof release>;
type Change = NonNullable<History["changes"]>[number];

export function renderHistory(data: History, style: Style): string {
  if (data.served !== undefined)
    return [
      style.dim(`at ${second(data.at ?? "")} UTC`),
      ...(data.means === undefined ? [] : [`${style.warn(MARK.note)} ${data.means}`]),
      ...data.served.flatMap((each) => servedLines(each, style)),
    ].join("\n");
  const changes = data.changes ?? [];
  if (changes.length === 0) return `Nothing of ${data.project} was released or deployed yet.   factory status`;
  return [
    `${style.bold(data.project)}  ${data.model}   ${style.dim("times in UTC")}`,
    ...changes.flatMap((each) => changeLines(each, style)),
  ].join("\n");
}

function servedLines(each: NonNullable<History["served"]>[number], style: Style): string[] {
  const { champion, release, name } = each;
  const unsure =
    each.or === undefined
      ? []
      : [
          `  ${style.warn(MARK.note)} clocks differed around that moment: it may have been ${each.or === "none" ? "nothing" : `v${each.or}`} already`,
        ];
  if (champion === undefined || release === undefined) return [`${name}  ${style.dim("nothing served")}`, ...unsure];
  const again = champion.since.seq === release.seq ? "" : `, again since ${second(champion.since.at)} (rollback)`;
  return [
    `${style.bold(`${name} v${champion.version}`)}  ${shortDigest(champion.digest)}  released by ${release.by} ${second(release.at)}${again}  ${approvedBy(release)}`,
    style.dim(`  evidence  sha256:${release.evidence}`),
    ...release.bundles.map((digest, i) =>
      style.dim(`  bundle    sha256:${digest} (${i === release.bundles.length - 1 ? "release" : "promotion"})`),
    ),
    ...unsure,
  ];
}

/** Two lines a change: what happened, and why it was right or wrong. */
function changeLines(change: Change, style: Style): string[] {
  const head = `${minute(change.at)}  ${change.environment}  `;
  const below = " ".repeat(head.length);
  const entry = style.dim(`entry ${change.seq}`);
  if (change.kind === "released") {
    const { release, undoneBy } = change;
    const undone =
      undoneBy === undefined
        ? ""
        : `   ${style.warn(`rolled back after ${span(Date.parse(undoneBy.at) - Date.parse(change.at))}`)}`;
    return [
      `${head}${style.bold(`v${release.version}`)}  ${shortDigest(release.digest)}  released by ${release.by}   ${entry}`,
      `${below}${approvedBy(release)}${undone}`,
    ];
  }
  if (change.kind === "deployed") {
    const { version, digest, workspace, tool } = change.deployment;
    return [
      `${head}${style.bold(`v${version}`)}  ${shortDigest(digest)}  wheel and bundle deployed by ${change.by}   ${entry}`,
      `${below}to ${workspace}, ${tool}   ${approvedBy(change.deployment)}`,
    ];
  }
  const from = change.from === undefined ? "?" : `v${change.from.version}`;
  const to = change.to === undefined ? "none" : `v${change.to.version}`;
  const took =
    change.detectedToRestoredMs === undefined ? "not stated" : seconds(Math.max(0, change.detectedToRestoredMs));
  return [
    `${head}${style.bad(`${from} → ${to}`)}  rolled back by ${change.by}: ${change.reason}${change.incident === undefined ? "" : ` (${change.incident})`}   ${entry}`,
    `${below}${change.undoes === undefined ? "" : `undoes the release of entry ${change.undoes}   `}detected → restored: ${took}`,
  ];
}

function approvedBy({ approvals, ticket }: Pick<Release, "approvals" | "ticket">): string {
  const whose = approvals.map(({ approver, role }) => `${approver} (${role})`).join(", ");
  const under = ticket === undefined ? "" : `, ${ticket}`;
  return approvals.length === 0 ? `no approval asked for${under}` : `approved by ${whose}${under}`;
}
