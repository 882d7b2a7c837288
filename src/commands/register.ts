import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parse } from "yaml";
import * as z from "zod";
import { defineCommand } from "../cli/command.ts";
import { KEY_OPTION, withLineWorld } from "../cli/line-world.ts";
import { MARK } from "../cli/style.ts";
import { shortDigest } from "../cli/verdict-lines.ts";
import { evidenceOfRun } from "../evidence/find-evidence.ts";
import { readEvidence } from "../evidence/read-evidence.ts";
import { usageError } from "../lib/error.ts";
import { environmentsOf, openProject } from "../project/read-project.ts";
import { register } from "../promotion/register.ts";
import { openForWriting } from "../release/open-for-writing.ts";

export const command = defineCommand({
  name: "register",
  summary: "bring a checked model into the first environment's registry",
  description:
    "Takes the evidence that factory check sealed, looks again at run, bytes, code and data, signs it, and makes a version of the\n" +
    "run's model in the first environment. The same bytes again are the same version: the newer evidence counts, and approvals of\n" +
    "the older one do not. Runs no project code. Exit 3: it cannot be registered, with every reason.",
  arguments: [{ name: "run", description: "the run; default: that of the latest evidence" }],
  options: [{ flags: "--evidence <folder>", description: "evidence that another job sealed" }, KEY_OPTION],
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
    name: z.string().optional(),
    version: z.string().optional(),
    digest: z.string().optional(),
    again: z.boolean().optional().describe("the version was there already"),
    files: z.int().optional(),
    entry: z.int().optional().describe("number of the ledger's entry"),
    next: z.string().optional().describe("the environment after the first"),
    notRecorded: z.string().optional().describe("why the ledger does not have it"),
  }),
  async run(input, context) {
    if (input.run !== undefined && input.evidence !== undefined)
      throw usageError("flags.contradict", "a run and --evidence contradict each other", "give one of them");
    const open = openProject(context.cwd);
    const evidence =
      input.evidence === undefined
        ? await evidenceOfRun(join(open.folder, ".factory", "evidence"), input.run)
        : await readEvidence(resolve(context.cwd, input.evidence));
    const [environment, next] = environmentsOf(open);
    if (environment === undefined) throw usageError("policy.environments", "policy lists no environment");
    const signer = await context.signer({ name: input.key });
    const where = { cwd: context.cwd, policy: undefined, project: undefined, model: undefined };
    const find = async () =>
      (await openForWriting(where, context.clients.ledger, signer, context.now, context.dryRun)).line;
    const line = await find();
    const history = await context.clients.history(open.folder);
    const result = await withLineWorld(context, { signer, tickets: undefined }, (world) =>
      register(
        { evidence, environment, line, made: madeAt(open.folder), dryRun: context.dryRun },
        { ...world, tracking: context.clients.tracking, history, reopen: find },
      ),
    );
    const base = { project: open.project.project, evidence: evidence.digest, run: evidence.facts.run.id };
    if (result.kind === "refused")
      return { ok: false, data: { outcome: "refused" as const, ...base, reasons: [...result.reasons] } };
    const { kind, name, version, why } = result;
    const said = {
      outcome: kind,
      ...base,
      reasons: [],
      name,
      ...(version !== undefined && { version }),
      ...(why !== undefined && { notRecorded: why }),
    };
    if (result.kind === "planned") return { ok: true, data: said };
    const { digest, again, files, entry } = result;
    return {
      ok: true,
      data: { ...said, digest, again, files, ...(entry !== undefined && { entry, next: next?.name }) },
    };
  },
  render(data, style) {
    const evidence = `evidence ${shortDigest(data.evidence)}`;
    if (data.outcome === "refused")
      return [
        `${style.bad(`${MARK.fail} Not registered`)}  run ${data.run.slice(0, 8)}…  ${evidence}`,
        ...data.reasons.map((reason) => `    ${reason}`),
      ].join("\n");
    const note =
      data.notRecorded === undefined ? [] : [`  ${style.warn(MARK.note)} not in the ledger: ${data.notRecorded}`];
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
      ...(data.next === undefined ? [] : [`  next: factory promote ${data.version} --to ${data.next}`]),
    ].join("\n");
  },
});

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
