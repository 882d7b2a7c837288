import { existsSync } from "node:fs";
import { delimiter, join, relative, resolve } from "node:path";
import * as z from "zod";
import { checkReport } from "../check/report.ts";
import { defineCommand } from "../cli/command.ts";
import type { Context } from "../cli/context.ts";
import { count, MARK, type Style, seconds } from "../cli/style.ts";
import { runQuickstart } from "../quickstart/run-quickstart.ts";
import { quickstartVariables } from "../quickstart/variables.ts";

const step = z.object({ name: z.string(), what: z.string(), durationMs: z.number() });
const output = z.object({
  folder: z.string(),
  project: z.string(),
  steps: z.array(step),
  check: checkReport,
  mlflow: z.string(),
  /** A shell line that makes `factory` a command, when PATH has none. */
  alias: z.string().optional(),
  durationMs: z.number(),
});
type Output = z.infer<typeof output>;

export const command = defineCommand({
  name: "quickstart",
  summary: "one model, from a CSV to a green check",
  description:
    "Makes a folder of its own with a policy and a project, starts a real MLflow server there, trains on real health-insurance\n" +
    "records, runs the seven gates over the model and seals the evidence. It uses an identity of its own and nothing is left running.\n" +
    "A folder that an earlier quickstart made is replaced; any other is refused.",
  arguments: [{ name: "folder", description: "default: ./demo" }],
  examples: ["factory quickstart", "factory quickstart ~/factory-demo"],
  input: z.object({ folder: z.string().min(1).default("demo") }),
  output,
  async run(input, context) {
    const folder = resolve(context.cwd, input.folder);
    const began = performance.now();
    const { clients, places, report, signal } = context;
    // Its commands have a home of their own, where the user's settings of pip are not found.
    const uv = await clients.uv(report);
    const story = await runQuickstart(folder, {
      program: {
        argv: [places.node, places.program],
        env: { ...uv.settings, ...quickstartVariables(context.variables, folder, places) },
        report,
        signal,
      },
      host: await clients.localHost(),
      uv: async () => uv,
    });
    return {
      ok: story.check.verdict === "pass",
      data: {
        ...story,
        folder: relative(context.cwd, folder) || ".",
        ...aliasOf(context),
        durationMs: Math.round(performance.now() - began),
      },
    };
  },
  render: renderQuickstart,
});

/** In a clone `factory` is no command yet; what the screen tells to type must work. */
function aliasOf(context: Context): { alias?: string } {
  const there = (context.variables.PATH ?? "")
    .split(delimiter)
    .some((folder) => folder !== "" && existsSync(join(folder, "factory")));
  return there ? {} : { alias: `alias factory="node '${context.places.program}'"` };
}

function renderQuickstart(data: Output, style: Style): string {
  const width = Math.max(...data.steps.map((each) => each.name.length));
  const what = Math.max(...data.steps.map((each) => [...each.what].length));
  const ok = data.check.verdict === "pass";
  const lines = data.steps.map((each) => {
    const failed = each.name === "check" && !ok;
    return `  ${failed ? style.bad(MARK.fail) : style.ok(MARK.pass)} ${each.name.padEnd(width)}  ${each.what.padEnd(what)}  ${style.dim(seconds(each.durationMs).padStart(9))}`;
  });
  const bad = data.check.gates
    .filter((gate) => gate.verdict !== "pass")
    .map((gate) => `      ${style.bad(MARK.fail)} ${gate.gate}: ${gate.summary}`);
  const slowest = [...data.steps]
    .sort((a, b) => b.durationMs - a.durationMs)
    .slice(0, 3)
    .map((each) => `${each.name} ${seconds(each.durationMs)}`);
  return [
    "",
    style.bold("factory quickstart: one model, from a CSV to a green check"),
    "",
    ...lines,
    ...bad,
    ...(data.check.evidence === undefined
      ? []
      : [
          `  ${style.ok(MARK.pass)} ${"evidence".padEnd(width)}  sha256:${data.check.evidence.digest.slice(0, 12)}…, ${count(data.check.evidence.files)} files: ${data.project}/.factory/evidence/`,
        ]),
    "",
    ...(data.alias === undefined ? [] : [`  First:         ${data.alias}`]),
    `  Look around:   cd ${join(data.folder, data.project)} && factory evidence show`,
    `  MLflow:        factory local start          (nothing was left running; ${data.mlflow})`,
    `  Break it:      edit data/claims.csv or a test there, then factory check`,
    style.dim(`  ${seconds(data.durationMs)} in all; slowest: ${slowest.join(", ")}`),
  ].join("\n");
}
