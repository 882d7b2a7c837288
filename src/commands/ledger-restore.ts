import { existsSync } from "node:fs";
import { resolve } from "node:path";
import * as z from "zod";
import { defineCommand } from "../cli/command.ts";
import { count, MARK } from "../cli/style.ts";
import { printHead } from "../ledger/entry.ts";
import { ledgerPlaceOf } from "../ledger/place.ts";
import { planRestore } from "../ledger/restore.ts";
import { usageError } from "../lib/error.ts";
import { openProject } from "../project/read-project.ts";

export const command = defineCommand({
  name: "ledger restore",
  summary: "bring back a ledger file from a whole copy",
  description:
    "For ledgers of kind file. The copy must be whole and hold every entry that counts in the ledger that is there: nothing that " +
    "somebody signed goes away by this. What was there is kept beside it. A ledger in git needs no such command: its branch keeps " +
    "every version.",
  arguments: [{ name: "file", description: "the copy", required: true }],
  examples: ["factory ledger restore backup/ledger.jsonl --dry-run", "factory ledger restore backup/ledger.jsonl"],
  writes: true,
  input: z.object({ file: z.string().min(1) }),
  output: z.object({
    place: z.string(),
    action: z
      .enum(["place", "extend", "replace", "none", "refuse"])
      .describe("place: nothing was there; replace: what was there did not hold; none: the copy is the same"),
    entries: z.int().optional(),
    head: z.string().optional(),
    kept: z.string().optional().describe("where the ledger that was there is now"),
    dryRun: z.boolean(),
    why: z.string().optional(),
    fix: z.string().optional(),
  }),
  async run(input, context) {
    const { project, folder, policy } = openProject(context.cwd);
    const store = await context.clients.ledger(ledgerPlaceOf(policy?.policy, folder, project.project));
    if (store.replace === undefined)
      throw usageError(
        "ledger.kind",
        `${store.place} keeps every version by itself`,
        "git log on that branch, or DESCRIBE HISTORY of that table, shows who changed what; factory ledger copy fills an empty place",
      );
    const path = resolve(context.cwd, input.file);
    if (!existsSync(path)) throw usageError("file.missing", `copy not found: ${path}`);
    const copy = await (await context.clients.ledger({ kind: "file", path })).read();
    const present = await store.read();
    const plan = planRestore(present, copy, project.project);
    const base = { place: store.place, action: plan.action, dryRun: context.dryRun };
    if (plan.action === "refuse") return { ok: false, data: { ...base, why: plan.why, fix: plan.fix } };
    const data = { ...base, entries: plan.entries, head: printHead(plan.head) };
    if (plan.action === "none" || context.dryRun) return { ok: true, data };
    const { kept } = await store.replace(plan.text, present);
    return { ok: true, data: { ...data, ...(kept !== undefined && { kept }) } };
  },
  render(data, style) {
    if (data.action === "refuse") return `${style.bad(MARK.fail)} Nothing was changed: ${data.why}.\n  ${data.fix}`;
    const now = `${count(data.entries ?? 0)} entries, head ${data.head}`;
    if (data.action === "none") return `${style.ok(MARK.pass)} ${data.place} is the same as the copy: ${now}`;
    return [
      `${style.ok(MARK.pass)} ${data.place} ${data.dryRun ? "would be" : "is"} the copy: ${now}`,
      ...(data.kept === undefined ? [] : [`  what was there: ${data.kept}`]),
    ].join("\n");
  },
});
