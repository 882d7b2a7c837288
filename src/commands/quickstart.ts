import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { basename, delimiter, join, relative, resolve } from "node:path";
import * as z from "zod";
import { checkReport } from "../check/report.ts";
import { defineCommand } from "../cli/command.ts";
import type { Context } from "../cli/context.ts";
import { count, MARK, type Style, seconds } from "../cli/style.ts";
import { outsideError } from "../lib/error.ts";
import { runProcess } from "../lib/run-process.ts";
import { starterPolicy } from "../policy/starter-policy.ts";
import { folderState, renewFolder } from "../quickstart/folder.ts";
import { type Program, runFactory } from "../quickstart/step.ts";
import { quickstartVariables } from "../quickstart/variables.ts";
import { childEnvironment } from "../training/child-environment.ts";
import { projectEnvironment } from "../training/project-environment.ts";

const PROJECT = "claims-triage";
const PREFERRED_PORT = 5210;

const step = z.object({ name: z.string(), what: z.string(), durationMs: z.number() });
const output = z.object({
  folder: z.string(),
  project: z.string(),
  steps: z.array(step),
  check: checkReport.optional(),
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
    "Makes a folder of its own with a policy and a project, starts a real MLflow server there, trains on 20,190 real health-insurance\n" +
    "records, runs the seven gates over the model and seals the evidence. It uses an identity of its own and nothing is left running.\n" +
    "A folder that an earlier quickstart made is replaced; any other is refused.",
  arguments: [{ name: "folder", description: "default: ./demo" }],
  examples: ["factory quickstart", "factory quickstart ~/factory-demo"],
  input: z.object({ folder: z.string().min(1).default("demo") }),
  output,
  async run(input, context) {
    const folder = resolve(context.cwd, input.folder);
    const began = performance.now();
    const variables = quickstartVariables(context.variables, folder, context.places);
    const program: Program = {
      argv: [context.places.node, context.places.program],
      env: variables,
      report: context.report,
      signal: context.signal,
    };
    if (folderState(folder) === "ours") await stopServer(program, folder);
    renewFolder(folder);
    try {
      const done = await tell(program, folder, variables, context);
      return {
        ok: done.check?.verdict === "pass",
        data: { ...done, ...aliasOf(context), durationMs: Math.round(performance.now() - began) },
      };
    } finally {
      // Also after a failure or Ctrl-C: nothing of quickstart's may be left running.
      await stopServer({ ...program, signal: new AbortController().signal }, folder).catch(() => undefined);
    }
  },
  render: renderQuickstart,
});

async function tell(
  program: Program,
  folder: string,
  variables: Record<string, string>,
  context: Context,
): Promise<Omit<Output, "durationMs">> {
  const steps: Output["steps"] = [];
  const project = join(folder, PROJECT);
  mkdirSync(join(folder, "home"), { recursive: true, mode: 0o700 });

  const host = await context.clients.localHost();
  const managed = await timed(() => host.python(context.report, context.signal));
  steps.push({
    name: "Python environment",
    what: `factory's own, with MLflow ${managed.value.mlflow}`,
    durationMs: managed.durationMs,
  });

  const port = await freePort(host.isPortFree);
  writeFileSync(join(folder, "policy.yaml"), policyText(`http://127.0.0.1:${port}`));
  const server = await runFactory(
    program,
    "starting the MLflow server",
    ["local", "start", "--dir", folder, "--port", String(port)],
    folder,
    z.object({ uri: z.string(), mlflow: z.string() }),
  );
  steps.push({ name: "MLflow server", what: `${server.data.uri}  (SQLite)`, durationMs: server.durationMs });

  const made = await runFactory(
    program,
    "making the project",
    ["new", PROJECT, "--yes"],
    folder,
    z.object({ template: z.object({ name: z.string(), version: z.string() }), files: z.int() }),
  );
  steps.push({
    name: `new ${PROJECT}`,
    what: `template ${made.data.template.name} ${made.data.template.version}, ${made.data.files} files`,
    durationMs: made.durationMs,
  });

  const python = await timed(() =>
    projectEnvironment(project, () => context.clients.uv(context.report), variables, quiet(context), context.signal),
  );
  await commitLock(project, variables, context.signal);
  steps.push({ name: "project's Python", what: "locked, installed, uv.lock committed", durationMs: python.durationMs });

  const trained = await runFactory(
    program,
    "training on 20,190 real member-years",
    ["train"],
    project,
    z.object({
      outcome: z.string(),
      run: z.string(),
      metrics: z.record(z.string(), z.number().nullable()).default({}),
      problems: z.array(z.string()).default([]),
    }),
  );
  if (!trained.ok)
    throw outsideError(
      "quickstart.train",
      `training failed: ${trained.data.problems.join("; ")}`,
      `see ${project}/.factory/cache`,
    );
  const auc = trained.data.metrics.roc_auc ?? undefined;
  steps.push({
    name: "train",
    what: `20,190 real member-years → run ${trained.data.run.slice(0, 8)}…${auc === undefined ? "" : `  AUC ${auc.toFixed(2)}`}`,
    durationMs: trained.durationMs,
  });

  const checked = await runFactory(program, "checking: seven gates", ["check"], project, checkReport);
  const cases = (gate: string) => checked.data.gates.find((each) => each.gate === gate)?.cases ?? 0;
  const passed = checked.data.gates.filter((gate) => gate.verdict === "pass").length;
  steps.push({
    name: "check",
    what: `${passed} of ${checked.data.gates.length} gates pass, ${cases("unit") + cases("model")} tests, ${cases("data")} data checks`,
    durationMs: checked.durationMs,
  });
  return {
    folder: relative(context.cwd, folder) || ".",
    project: PROJECT,
    steps,
    check: checked.data,
    mlflow: server.data.uri,
  };
}

/** In a clone `factory` is no command yet; what the screen tells to type must work. */
function aliasOf(context: Context): { alias?: string } {
  const there = (context.variables.PATH ?? "")
    .split(delimiter)
    .some((folder) => folder !== "" && existsSync(join(folder, "factory")));
  return there ? {} : { alias: `alias factory="node '${context.places.program}'"` };
}

function policyText(uri: string): string {
  return starterPolicy({
    organisation: "Example Mutual",
    uri,
    projects: { [PROJECT]: { productLine: "claims", riskTier: "medium", owner: "author@example.com" } },
  });
}

async function timed<T>(work: () => Promise<T>): Promise<{ value: T; durationMs: number }> {
  const started = performance.now();
  const value = await work();
  return { value, durationMs: performance.now() - started };
}

/** The note about a missing uv.lock is for people in their own project; here it is committed right away. */
function quiet(context: Context): Context["report"] {
  return (event) => {
    if (event.type !== "note") context.report(event);
  };
}

async function freePort(isFree: (port: number) => Promise<boolean>): Promise<number> {
  for (let port = PREFERRED_PORT; port < PREFERRED_PORT + 100; port++) if (await isFree(port)) return port;
  throw outsideError(
    "quickstart.port",
    `no free port between ${PREFERRED_PORT} and ${PREFERRED_PORT + 99}`,
    "stop what listens there",
  );
}

async function stopServer(program: Program, folder: string): Promise<void> {
  if (!existsSync(join(folder, ".factory/local"))) return;
  await runFactory(program, "stopping the MLflow server", ["local", "stop", "--dir", folder], folder, z.unknown());
}

async function commitLock(project: string, variables: Record<string, string>, signal: AbortSignal): Promise<void> {
  for (const argv of [
    ["git", "add", "uv.lock"],
    ["git", "commit", "--quiet", "--no-verify", "--message", "Lock the Python packages"],
  ]) {
    const result = await runProcess({
      argv,
      cwd: project,
      env: childEnvironment(variables, gitIdentity(variables)),
      signal,
      timeoutMs: 60_000,
    });
    if (result.status !== 0)
      throw outsideError(
        "quickstart.git",
        `${argv.join(" ")} failed: ${result.stderr.trim()}`,
        "git is needed: factory doctor",
      );
  }
}

function gitIdentity(variables: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(variables).filter(([name]) => name.startsWith("GIT_")));
}

function renderQuickstart(data: Output, style: Style): string {
  const width = Math.max(...data.steps.map((each) => each.name.length));
  const what = Math.max(...data.steps.map((each) => [...each.what].length));
  const ok = data.check?.verdict === "pass";
  const lines = data.steps.map((each) => {
    const failed = each.name === "check" && !ok;
    return `  ${failed ? style.bad(MARK.fail) : style.ok(MARK.pass)} ${each.name.padEnd(width)}  ${each.what.padEnd(what)}  ${style.dim(seconds(each.durationMs).padStart(9))}`;
  });
  const bad = (data.check?.gates ?? [])
    .filter((gate) => gate.verdict !== "pass")
    .map((gate) => `      ${style.bad(MARK.fail)} ${gate.gate}: ${gate.summary}`);
  const slowest = [...data.steps]
    .sort((a, b) => b.durationMs - a.durationMs)
    .slice(0, 3)
    .map((each) => `${each.name} ${seconds(each.durationMs)}`);
  return [
    style.bold("factory quickstart: one model, from a CSV to a green check"),
    "",
    ...lines,
    ...bad,
    ...(data.check?.evidence === undefined
      ? []
      : [
          `  ${style.ok(MARK.pass)} ${"evidence".padEnd(width)}  sha256:${data.check.evidence.digest.slice(0, 12)}…, ${count(data.check.evidence.files)} files: ${basename(data.project)}/.factory/evidence/`,
        ]),
    "",
    ...(data.alias === undefined ? [] : [`  First:         ${data.alias}`]),
    `  Look around:   cd ${join(data.folder, data.project)} && factory evidence show`,
    `  Break it:      edit data/claims.csv or a test there, then factory check`,
    `  MLflow UI:     factory local start          (nothing was left running)`,
    style.dim(`  ${seconds(data.durationMs)} in all; slowest: ${slowest.join(", ")}`),
  ].join("\n");
}
