import { existsSync } from "node:fs";
import { resolve } from "node:path";
import * as z from "zod";
import { defineCommand } from "../cli/command.ts";
import { count, MARK } from "../cli/style.ts";
import { policyLedger, sayWhose } from "../ledger/ask-policy.ts";
import { planCopy } from "../ledger/copy.ts";
import { printHead } from "../ledger/entry.ts";
import { sourceOfCopy } from "../ledger/place.ts";
import { changedError, usageError } from "../lib/error.ts";
import { policyAround, projectAround } from "../project/policy-around.ts";

export const command = defineCommand({
  name: "ledger copy",
  summary: "move a ledger into the Delta table that the policy names",
  description:
    "The policy says the new place already (ledger: kind delta); --from or --from-git says where the chain is now. It is verified whole, " +
    "and written byte for byte, all of it or nothing, into an empty place only. The source stays as it is: put it away, since nobody " +
    "reads it any more. The new policy still has to be signed and adopted like every policy.",
  options: [
    { flags: "--from <file>", description: "a ledger of kind file: .factory/ledger.jsonl, or a copy of it" },
    { flags: "--from-git <place>", description: "a ledger of kind git: URL#branch" },
    { flags: "--policy <file>", description: "default: the project's, else the nearest policy.yaml upward" },
    { flags: "--project <name>", description: "whose ledger; default: the project here" },
  ],
  examples: [
    "factory ledger copy --from .factory/ledger.jsonl --dry-run",
    "factory ledger copy --from-git git@example.com:governance/ledger.git#ledger --project claims-triage",
  ],
  writes: true,
  input: z.object({
    from: z.string().min(1).optional(),
    fromGit: z.string().min(1).optional(),
    policy: z.string().min(1).optional(),
    project: z.string().min(1).optional(),
  }),
  output: z.object({
    source: z.string(),
    place: z.string(),
    action: z.enum(["copy", "none", "refuse"]).describe("none: the same chain is there already"),
    entries: z.int().optional(),
    head: z.string().optional(),
    dryRun: z.boolean(),
    why: z.string().optional(),
    fix: z.string().optional(),
  }),
  async run({ from, fromGit, policy, project }, context) {
    const around = policyAround(context.cwd, policy);
    const asked = policyLedger(around, projectAround(context.cwd), project);
    if (asked === undefined) throw usageError("project.missing", "whose ledger?", sayWhose(around));
    const path = from === undefined ? undefined : resolve(context.cwd, from);
    if (path !== undefined && !existsSync(path)) throw usageError("file.missing", `ledger not found: ${path}`);
    const source = await context.clients.ledger(sourceOfCopy(path, fromGit, asked.project));
    const target = await context.clients.ledger(asked.place);
    if (target.begin === undefined)
      throw usageError(
        "ledger.kind",
        `the policy does not name a Delta table, but ${target.place}`,
        "write the new place into policy.yaml first: ledger: { kind: delta, … }",
      );
    const plan = planCopy(await source.read(), await target.read(), asked.project);
    const base = { source: source.place, place: target.place, action: plan.action, dryRun: context.dryRun };
    if (plan.action === "refuse") return { ok: false, data: { ...base, why: plan.why, fix: plan.fix } };
    if (plan.action === "copy" && !context.dryRun) {
      if (!(await target.begin(plan.text)))
        throw changedError(
          "ledger.changed",
          `${target.place} got a chain meanwhile`,
          "run it again: it says what is there",
        );
      if (!(await target.read()).text.equals(plan.text))
        throw changedError(
          "ledger.changed",
          `${target.place} does not hold what was written`,
          "factory ledger verify says what is there; the source is as it was",
        );
    }
    return { ok: true, data: { ...base, entries: plan.entries, head: printHead(plan.head) } };
  },
  render(data, style) {
    if (data.action === "refuse") return `${style.bad(MARK.fail)} Nothing was changed: ${data.why}.\n  ${data.fix}`;
    const now = `${count(data.entries ?? 0)} entries, head ${data.head}`;
    const what = data.action === "none" ? "holds already" : data.dryRun ? "would hold" : "holds";
    return [`${style.ok(MARK.pass)} ${data.place} ${what} the chain: ${now}`, style.dim(`  from ${data.source}`)].join(
      "\n",
    );
  },
});
