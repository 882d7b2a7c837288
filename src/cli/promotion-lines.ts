import * as z from "zod";
import { approvedLines, deploymentShape } from "./deployment-lines.ts";
import { alsoNamed, namedShape } from "./line-world.ts";
import { MARK, type Style } from "./style.ts";
import {
  type Gone,
  goneShape,
  goneText,
  nothingWritten,
  recordedShape,
  shortDigest,
  verdictCount,
  verdictLines,
  verdictShape,
} from "./verdict-lines.ts";

/** What an environment asks for before it takes a version. */
export const nextAsksShape = z
  .object({ approvals: z.boolean(), ticket: z.boolean() })
  .optional()
  .describe("what the policy asks for there");

/** The command that brings a version further. An approval covers promotion and release; promoting before it was given would only be refused. */
export function wayTo(number: string | undefined, environment: string, asks: z.infer<typeof nextAsksShape>): string {
  const step = asks?.approvals === true ? "approve" : "promote";
  return `factory ${step} ${number ?? "VERSION"} --to ${environment}${asks?.ticket === true ? " --ticket ID" : ""}`;
}

export const promotionOutput = z.object({
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
  nextAsks: nextAsksShape,
  named: namedShape,
  abandoned: z.array(z.int()).optional(),
  recorded: recordedShape,
  deployment: deploymentShape.optional().describe("what the deployment job of the new version was told"),
});
type Output = z.infer<typeof promotionOutput>;

/** What `promote` did, or would do. */
export function renderPromotion(data: Output, style: Style): string {
  const { to, from, number } = data;
  // Only a refusal to abandon speaks of no version.
  if (number === undefined && data.outcome === "refused")
    return `${style.bad(`${MARK.fail} Not abandoned`)}: ${data.verdicts.map((each) => each.why).join("; ")}. ${nothingWritten(data.recorded)}`;
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
        ? `${style.bad(`${MARK.fail} Not allowed`)}: ${verdictCount(data.verdicts)}. ${nothingWritten(data.recorded)}${serves ? ` v${to.version} serves there already: nothing is left to promote.` : ""}`
        : `${style.warn(`${MARK.error} Could not tell`)}: ${verdictCount(data.verdicts)}. ${nothingWritten(data.recorded)}`,
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
  const further = data.next === undefined ? "" : wayTo(number, data.next, data.nextAsks);
  const next = [release, further]
    .filter((each) => each !== "")
    .map((each) => alsoNamed(each, data.named))
    .join(", or ");
  return [
    `${style.ok(`${MARK.pass} ${to.name} v${to.version}`)} = ${from?.environment} v${from?.version}   ${shortDigest(data.digest ?? "")} (digest checked at the destination)${style.dim(before)}`,
    `${style.ok(MARK.pass)} ${alias}${champion}   ledger entry ${data.entry}   ${verdictCount(data.verdicts)}`,
    ...approvedLines(data.deployment, style),
    ...(next === "" ? [] : [`  next: ${next}`]),
  ];
}
