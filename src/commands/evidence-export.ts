import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import * as z from "zod";
import { defineCommand } from "../cli/command.ts";
import type { Context } from "../cli/context.ts";
import { LINE_OPTIONS } from "../cli/line-world.ts";
import { count, MARK, table } from "../cli/style.ts";
import { applyExport, demandEmpty } from "../evidence/export.ts";
import { exportReadme } from "../evidence/export-readme.ts";
import { planExport } from "../evidence/plan-export.ts";
import { headOf, printHead } from "../ledger/entry.ts";
import { lineState } from "../ledger/line-state.ts";
import { demandWhole } from "../ledger/open-ledger.ts";
import type { LedgerStore } from "../ledger/store.ts";
import { viewOf } from "../ledger/view.ts";
import { usageError } from "../lib/error.ts";
import { findUpward } from "../lib/files.ts";
import { findCandidate, parseVersionName } from "../line/find-candidate.ts";
import { findLine } from "../line/find-line.ts";
import { entriesThatCount, misfitsOf } from "../line/misfits.ts";
import { PROJECT_FILE } from "../project/read-project.ts";

/** Python programs of the package's docs that go into every export. */
const SCRIPTS = ["verify.py", "verify_all.py"];

export const command = defineCommand({
  name: "evidence export",
  summary: "write everything that an auditor needs into a folder",
  description:
    "Writes the ledger, the evidence and bundles that it names, and a short Python script that verifies all of it with no network " +
    "and without factory. The ledger is always whole; evidence and bundles are those of one version and of what it was rolled back to, or all.",
  arguments: [{ name: "version", description: "a version, as MODEL/VERSION or its number in the first environment" }],
  options: [
    { flags: "--all", description: "of every version that the ledger knows" },
    { flags: "--to <dir>", description: "a folder that is new or empty" },
    ...LINE_OPTIONS,
  ],
  examples: ["factory evidence export claims.triage/7 --to ../audit-v7", "factory evidence export --all --to ../audit"],
  writes: true,
  input: z.object({
    version: z.string().min(1).optional(),
    all: z.boolean().optional(),
    to: z.string("is required: a folder that is new or empty").min(1),
    policy: z.string().min(1).optional(),
    project: z.string().min(1).optional(),
  }),
  output: z.object({
    folder: z.string(),
    project: z.string(),
    model: z.string(),
    digest: z.string().optional().describe("model digest; absent: all versions"),
    head: z.string().describe("of the ledger, seq:hash"),
    firstPolicy: z.string().describe("digest of the policy with which the ledger was opened"),
    entries: z.int(),
    evidence: z.array(z.string()),
    bundles: z.array(z.string()),
    files: z.int().optional().describe("absent with --dry-run"),
  }),
  async run(input, context) {
    if ((input.version === undefined) === (input.all !== true))
      throw usageError(
        "export.what",
        input.all === true ? "one version or --all, not both" : "it is not said what to export",
        "a version such as claims.triage/7, or --all",
      );
    const named = input.version === undefined ? undefined : parseVersionName(input.version);
    const to = resolve(context.cwd, input.to);
    await demandEmpty(to);
    noteOfTree(to, context);
    let store: LedgerStore | undefined;
    const { line } = await findLine(
      { cwd: context.cwd, policy: input.policy, project: input.project, model: named?.model },
      async (place) => {
        store = await context.clients.ledger(place);
        return store;
      },
      context.now(),
    );
    if (store === undefined) throw new TypeError("a line without a ledger");
    const { text } = await store.read();
    const view = demandWhole(viewOf(text), store.place);
    const [opened] = view.entries;
    if (opened?.kind !== "opened")
      throw usageError(
        "ledger.empty",
        `the ledger ${store.place} is empty`,
        "nothing was registered under a policy yet",
      );
    const { project, model } = opened.body;
    const digest = named === undefined ? undefined : findCandidate(lineState(view.entries), model, named.number).digest;
    const objects = planExport(entriesThatCount(view.entries, misfitsOf(line)), digest ?? "all");
    const digests = (index: string) => objects.filter((each) => each.index === index).map((each) => each.digest);
    const about = {
      project,
      model,
      head: printHead(headOf(view.entries)),
      firstPolicy: opened.body.policy.digest,
      evidence: digests("evidence.json"),
      bundles: digests("bundle.json"),
    };
    const data = { folder: to, entries: view.entries.length, ...(digest !== undefined && { digest }), ...about };
    if (context.dryRun) return { ok: true, data };
    const docs = join(dirname(context.places.templates), "docs");
    const environments = line.policy.known ? line.policy.value.inForce.policy.environments : [];
    const exported = await applyExport(
      {
        objects,
        ledger: text,
        documents: {
          "README.txt": exportReadme({
            ...about,
            scope: digest === undefined ? "every version" : `${input.version}, sha256:${digest}`,
            at: context.now(),
            factory: context.version,
            evidence: about.evidence.length,
            bundles: about.bundles.length,
          }),
          ...Object.fromEntries(SCRIPTS.map((name) => [name, readFileSync(join(docs, name), "utf8")])),
        },
        storeOf: async (name) => {
          const environment = environments.find((each) => each.name === name);
          return environment && context.clients.objects(environment, model);
        },
        cacheFolder: context.places.cache,
        to,
      },
      context.report,
    );
    return { ok: true, data: { ...data, ...exported } };
  },
  render: (data, style) =>
    [
      data.files === undefined
        ? `Would write to ${data.folder}:`
        : `${style.ok(MARK.pass)} ${data.folder}  ${count(data.files)} files`,
      table([
        ["ledger", `${count(data.entries)} entries, head ${data.head}`],
        ["policy", `the first one is sha256:${data.firstPolicy}`],
        ["evidence", count(data.evidence.length)],
        ["bundles", count(data.bundles.length)],
      ]).replace(/^/gm, "  "),
      ...(data.files === undefined
        ? []
        : [style.dim(`  to verify it anywhere, in that folder: python3 verify_all.py . ${data.firstPolicy}`)]),
    ].join("\n"),
});

/** A folder in the git tree of a project makes that tree dirty, and what is checked in a dirty tree cannot be registered. */
function noteOfTree(to: string, { cwd, report }: Context): void {
  const tree = findUpward(dirname(to), ".git");
  if (tree === undefined) return;
  const projects = [cwd, dirname(to)].flatMap((folder) => findUpward(folder, PROJECT_FILE) ?? []);
  if (!projects.some((folder) => findUpward(folder, ".git") === tree)) return;
  const text = `${to} lies in the git tree of a project: unless git ignores it, the tree is dirty with it, and a check there cannot be registered; better outside of ${tree}`;
  report({ type: "note", text, tone: "warning" });
}
