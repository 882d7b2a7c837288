import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import * as z from "zod";
import { defineCommand } from "../cli/command.ts";
import type { Context } from "../cli/context.ts";
import { KEY_OPTION, withLineWorld } from "../cli/line-world.ts";
import { nextAsksShape, wayTo } from "../cli/promotion-lines.ts";
import { MARK } from "../cli/style.ts";
import { recordedData, recordedShape, shortDigest } from "../cli/verdict-lines.ts";
import { evidenceAt, evidenceOfRun } from "../evidence/find-evidence.ts";
import type { Picked } from "../evidence/pick-evidence.ts";
import { requiredOfProject } from "../gates/required-of-project.ts";
import { usageError } from "../lib/error.ts";
import { environmentAfter } from "../line/environment-after.ts";
import { signerOn } from "../line/listed-keys.ts";
import { refuseOthersServer } from "../local/others-server.ts";
import { environmentsOf, type OpenProject, openProject } from "../project/read-project.ts";
import { register } from "../promotion/register.ts";
import { openForWriting } from "../release/open-for-writing.ts";
import { recallRun } from "../training/last-run.ts";

export const command = defineCommand({
  name: "register",
  summary: "bring a checked model into the first environment's registry",
  description:
    "Takes the evidence that factory check sealed, looks again at run, bytes, code and data, signs it, and makes a version of the " +
    "run's model in the first environment. Of several checks of a run the newest that ran every required gate counts; a gate that did " +
    "not pass in a later check of some gates bars it. The same bytes again are the same version: the newer evidence counts, and approvals of " +
    "the older one do not. Runs no project code. Exit 3: it cannot be registered, with every reason.",
  arguments: [
    { name: "run", description: "the run (its first 8 digits are enough); default: that of the latest evidence" },
  ],
  options: [
    {
      flags: "--evidence <folder>",
      description: "this evidence, such as one that another job sealed; of its digest 8 digits are enough",
    },
    KEY_OPTION,
  ],
  examples: ["factory register", "factory register --evidence ./evidence/90ac41d7… --json"],
  writes: true,
  input: z.object({
    run: z.string().min(1).optional(),
    evidence: z.string().min(1).optional(),
    key: z.string().min(1).optional(),
  }),
  output: z.object({
    outcome: z.enum(["registered", "planned", "refused"]),
    project: z.string(),
    evidence: z.string(),
    run: z.string(),
    reasons: z.array(z.string()),
    fix: z.string().optional().describe("of a refusal: what to run, where a check is missing"),
    name: z.string().optional(),
    version: z.string().optional(),
    digest: z.string().optional(),
    again: z.boolean().optional().describe("the version was there already"),
    files: z.int().optional(),
    entry: z.int().optional().describe("number of the ledger's entry"),
    next: z.string().optional().describe("the environment after the first"),
    nextAsks: nextAsksShape,
    notAccepted: z
      .array(z.object({ environment: z.string(), accepts: z.array(z.string()) }))
      .optional()
      .describe("environments that will not take the evidence as it is signed, and whose signature they take"),
    recorded: recordedShape,
    notRecorded: z.string().optional().describe("why the ledger does not have it"),
  }),
  async run(input, context) {
    if (input.run !== undefined && input.evidence !== undefined)
      throw usageError("flags.contradict", "a run and --evidence contradict each other", "give one of them");
    const open = openProject(context.cwd);
    // Whose server it is comes first: evidence missing here may well lie with the project that the server belongs to.
    await refuseOthersServer(open, context.clients.localHost);
    const picked = await chosenEvidence(input, open, context);
    const { evidence, against, newer } = picked;
    const [environment] = environmentsOf(open);
    if (environment === undefined) throw usageError("policy.environments", "policy lists no environment");
    const where = { cwd: context.cwd, policy: undefined, project: undefined, model: undefined };
    const signer = await signerOn(where, input.key, context);
    const recorded: number[] = [];
    const find = async () => {
      const opened = await openForWriting(where, signer, context);
      recorded.push(...opened.recorded);
      return opened.line;
    };
    const line = await find();
    const history = await context.clients.history(open.folder);
    const result = await withLineWorld(context, { signer, tickets: undefined }, (world) =>
      register(
        { evidence, against, environment, line, made: madeAt(open.folder), dryRun: context.dryRun },
        { ...world, tracking: context.clients.tracking, history, reopen: find },
      ),
    );
    const about = { project: open.project.project, evidence: evidence.digest, run: evidence.facts.run.id };
    const base = { ...about, ...recordedData(recorded) };
    if (result.kind === "refused") {
      const reasons = [...result.reasons];
      const fix = checkAgain(picked, open.folder) ?? laterRun(picked, input, open.folder);
      return { ok: false, data: { outcome: "refused" as const, ...base, reasons, ...(fix !== undefined && { fix }) } };
    }
    if (newer !== undefined)
      context.report({
        type: "note",
        tone: "info",
        text: `evidence ${shortDigest(newer.digest)} is newer, of a check of some gates; what counts is the newest of all gates, ${shortDigest(evidence.digest)}`,
      });
    const { kind, name, version, why } = result;
    const notAccepted = result.notAccepted.map(({ environment, accepts }) => ({ environment, accepts: [...accepts] }));
    const said = {
      outcome: kind,
      ...base,
      reasons: [],
      name,
      ...(version !== undefined && { version }),
      ...(why !== undefined && { notRecorded: why }),
      ...(notAccepted.length > 0 && { notAccepted }),
    };
    if (result.kind === "planned") return { ok: true, data: said };
    const { digest, again, files, entry } = result;
    const next = environmentAfter(line, environment.name);
    return {
      ok: true,
      data: {
        ...said,
        digest,
        again,
        files,
        ...(entry !== undefined && { entry, next: next?.name, nextAsks: next?.asks }),
      },
    };
  },
  render(data, style) {
    const evidence = `evidence ${shortDigest(data.evidence)}`;
    if (data.outcome === "refused")
      return [
        `${style.bad(`${MARK.fail} Not registered`)}  run ${data.run.slice(0, 8)}…  ${evidence}`,
        ...data.reasons.map((reason) => `    ${reason}`),
        ...(data.fix === undefined ? [] : [`  ${style.dim("→")} ${data.fix}`]),
      ].join("\n");
    const note = [
      ...(data.notRecorded === undefined ? [] : [`not in the ledger: ${data.notRecorded}`]),
      ...(data.notAccepted ?? []).map(
        ({ environment, accepts }) =>
          `${environment} will not take this evidence: it accepts what ${accepts.join(", ") || "nobody"} signs`,
      ),
    ].map((text) => `  ${style.warn(MARK.note)} ${text}`);
    if (data.outcome === "planned")
      return [
        `would register run ${data.run.slice(0, 8)}… as ${data.name} ${data.version === undefined ? "(a new version)" : `v${data.version} (there already)`}, ${evidence}. Nothing was written.`,
        ...note,
      ].join("\n");
    return [
      `${style.ok(`${MARK.pass} ${data.name} v${data.version}`)} ← run ${data.run.slice(0, 8)}…  ${shortDigest(data.digest ?? "")}  ${evidence} signed (${data.files} files)${data.entry === undefined ? "" : `, ledger entry ${data.entry}`}`,
      ...(data.again === true
        ? [style.dim("  the same bytes were there already: from now on this evidence counts")]
        : []),
      ...note,
      ...(data.next === undefined ? [] : [`  next: ${wayTo(data.version, data.next, data.nextAsks)}`]),
    ].join("\n");
  },
});

/** The evidence that the command line names, as it is; else the one that counts for the run. */
async function chosenEvidence(
  { run, evidence }: { run?: string | undefined; evidence?: string | undefined },
  open: OpenProject,
  { cwd, report }: Context,
): Promise<Picked> {
  const root = join(open.folder, ".factory", "evidence");
  if (evidence !== undefined) return { evidence: await evidenceAt(cwd, root, evidence), against: [], newer: undefined };
  const required = requiredOfProject(open);
  return evidenceOfRun(root, run, required, report);
}

/** What to run when gates are what bars it. */
function checkAgain({ evidence, against }: Picked, projectFolder: string): string | undefined {
  const run = evidence.facts.run.id;
  const again = recallRun(projectFolder)?.run === run ? "factory check" : `factory check --run ${run}`;
  const found = evidence.gates.map((each) => each.verdict);
  if (against.length > 0 || found.includes("fail") || found.includes("error")) return `mend it, then ${again}`;
  return found.includes("not-evaluated") ? `${again} (of all gates: this check was partial)` : undefined;
}

/** What to run when the evidence that counts is of a run before the last one, and nobody asked for it. */
function laterRun(
  { evidence }: Picked,
  input: { run?: string | undefined; evidence?: string | undefined },
  folder: string,
) {
  const last = recallRun(folder)?.run;
  if (last === undefined || last === evidence.facts.run.id || input.run !== undefined || input.evidence !== undefined)
    return undefined;
  return `run ${last.slice(0, 8)}… was trained last and has no evidence of its own: factory check, then factory register`;
}

/** When the project was made, as its answers say; a convenience for later metrics, decides nothing. */
function madeAt(folder: string): string | undefined {
  const path = join(folder, ".factory", "answers.yaml");
  if (!existsSync(path)) return undefined;
  try {
    return z.object({ createdAt: z.iso.datetime() }).parse(parse(readFileSync(path, "utf8"))).createdAt;
  } catch {
    return undefined;
  }
}
