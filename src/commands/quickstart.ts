import { existsSync } from "node:fs";
import { delimiter, join, relative, resolve } from "node:path";
import * as z from "zod";
import { defineCommand } from "../cli/command.ts";
import type { Context } from "../cli/context.ts";
import { MARK, type Style, seconds } from "../cli/style.ts";
import { APPROVER, AUTHOR, type Person } from "../quickstart/people.ts";
import { runQuickstart } from "../quickstart/run-quickstart.ts";
import { PROJECT } from "../quickstart/stage.ts";
import { type StoryStep, story } from "../quickstart/story.ts";
import { quickstartVariables } from "../quickstart/variables.ts";

const output = story.extend({
  folder: z.string(),
  sandbox: z.boolean(),
  /** A shell line that makes `factory` a command, when PATH has none. */
  alias: z.string().optional(),
  durationMs: z.number(),
});
type Output = z.infer<typeof output>;

export const command = defineCommand({
  name: "quickstart",
  summary: "one model, from a CSV to production and back",
  description:
    "Makes a folder of its own with two people, their keys, a signed policy and a project; starts a real MLflow server there; trains " +
    "on real health-insurance records, checks, registers, approves, promotes, releases, and rolls back. On the way it shows what is " +
    "refused: approving one's own change, promoting without approval, a worse model. Nothing is left running. A folder that an " +
    "earlier quickstart made is replaced, but for the Python packages installed there; any other is refused. Exit 3: the first model " +
    "did not pass its gates on this machine.",
  arguments: [{ name: "folder", description: "default: ./demo" }],
  options: [
    {
      flags: "--sandbox",
      description: "the same story in Unity Catalog, against the rehearsal workspace (factory sandbox)",
    },
  ],
  examples: ["factory quickstart", "factory quickstart ~/factory-demo", "factory quickstart --sandbox"],
  input: z.object({ folder: z.string().min(1).default("demo"), sandbox: z.boolean().default(false) }),
  output,
  async run(input, context) {
    const folder = resolve(context.cwd, input.folder);
    const began = performance.now();
    const { clients, places, report, signal } = context;
    // Its commands have a home of their own, where the user's settings of pip are not found.
    const uv = await clients.uv(report);
    const as = (person: Person) => ({
      argv: [places.node, places.program],
      env: { ...uv.settings, ...quickstartVariables(context.variables, folder, places, person) },
      report,
      signal,
    });
    const told = await runQuickstart(
      { folder, project: join(folder, PROJECT), author: as(AUTHOR), approver: as(APPROVER), uv: async () => uv },
      await clients.localHost(),
      input.sandbox ? "sandbox" : "mlflow",
    );
    return {
      ok: told.verified !== undefined,
      data: {
        ...told,
        sandbox: input.sandbox,
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
  const texts = data.steps.map(textOf);
  const what = Math.max(...texts.map((each) => [...each].length));
  const lines = data.steps.map((each, i) => {
    const mark = each.outcome === "done" ? style.ok(MARK.pass) : style.bad(MARK.fail);
    const text = `${texts[i]}`;
    return `  ${mark} ${each.name.padEnd(width)}  ${text.padEnd(what)}  ${style.dim(seconds(each.durationMs).padStart(10))}`;
  });
  const bad = data.check.gates
    .filter((gate) => gate.verdict !== "pass")
    .map(({ gate, summary, findings }) => {
      const why = findings.map((each) => each.message).filter((message) => message !== summary);
      return `      ${style.bad(MARK.fail)} ${[`${gate}: ${summary}`, ...why.slice(0, 3)].join("; ")}`;
    });
  const project = join(data.folder, data.project);
  const slowest = [...data.steps]
    .sort((a, b) => b.durationMs - a.durationMs)
    .slice(0, 3)
    .map((each) => `${each.name} ${seconds(each.durationMs)}`);
  return [
    "",
    style.bold("factory quickstart: one model, from a CSV to production and back"),
    "",
    ...lines,
    ...bad,
    "",
    ...(data.alias === undefined ? [] : [`  First:         ${data.alias}`]),
    `  Look around:   cd ${project} && factory ${data.verified === undefined ? "check" : "history"}   (also: ledger show, evidence show)`,
    `  As the author: export XDG_CONFIG_HOME=$PWD/../${AUTHOR.home}/.config   (in that folder; ${APPROVER.home} for the approver)`,
    data.sandbox
      ? "  With a workspace: factory sandbox start makes an empty one; what this story made there is gone (nothing was left running)"
      : `  With a server: factory local start   (nothing was left running), then factory status, factory verify; MLflow's own pages are at its address`,
    style.dim(`  ${seconds(data.durationMs)} in all, some steps at the same time; slowest: ${slowest.join(", ")}`),
  ].join("\n");
}

function textOf(each: StoryStep): string {
  return each.outcome === "refused" ? `refused, as it should be: ${each.what}` : each.what;
}
