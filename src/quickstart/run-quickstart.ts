import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { type CheckReport, checkReport } from "../check/report.ts";
import { outsideError } from "../lib/error.ts";
import type { Report } from "../lib/progress.ts";
import { runProcess } from "../lib/run-process.ts";
import type { LocalHost } from "../local/server.ts";
import { starterPolicy } from "../policy/starter-policy.ts";
import { childEnvironment } from "../training/child-environment.ts";
import { projectEnvironment, type Uv } from "../training/project-environment.ts";
import { folderState, renewFolder } from "./folder.ts";
import { type Program, runFactory } from "./step.ts";

const PROJECT = "claims-triage";
const PREFERRED_PORT = 5210;

export interface QuickstartWorld {
  program: Program;
  host: LocalHost;
  uv(): Promise<Uv>;
}

export interface QuickstartStory {
  project: string;
  /** What was done, in order, with figures as measured. */
  steps: { name: string; what: string; durationMs: number }[];
  check: CheckReport;
  /** Where the MLflow server answered while it ran. */
  mlflow: string;
}

/**
 * Tells the story in `folder`, which is quickstart's own: policy, server, project, training, check. Returns what each step
 * measured. Stops the server whatever happens.
 */
export async function runQuickstart(folder: string, world: QuickstartWorld): Promise<QuickstartStory> {
  if (folderState(folder) === "ours") await stopServer(world.program, folder);
  renewFolder(folder);
  try {
    return await tell(folder, world);
  } finally {
    // Also after a failure or Ctrl-C: nothing of quickstart's may be left running.
    await stopServer({ ...world.program, signal: new AbortController().signal }, folder).catch(() => undefined);
  }
}

async function tell(folder: string, { program, host, uv }: QuickstartWorld): Promise<QuickstartStory> {
  const steps: QuickstartStory["steps"] = [];
  const { env: variables, report, signal } = program;
  const project = join(folder, PROJECT);
  mkdirSync(join(folder, "home"), { recursive: true, mode: 0o700 });

  const managed = await timed(() => host.python(report, signal));
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

  const python = await timed(() => projectEnvironment(project, uv, variables, withoutNotes(report), signal));
  await commitLock(project, variables, signal);
  steps.push({ name: "project's Python", what: "locked, installed, uv.lock committed", durationMs: python.durationMs });

  const rows = `${countRows(join(project, "data/claims.csv")).toLocaleString("en-US")} real member-years`;
  const trained = await runFactory(
    program,
    `training on ${rows}`,
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
    what: `${rows} → run ${trained.data.run.slice(0, 8)}…${auc === undefined ? "" : `  AUC ${auc.toFixed(2)}`}`,
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
  return { project: PROJECT, steps, check: checked.data, mlflow: server.data.uri };
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
function withoutNotes(report: Report): Report {
  return (event) => {
    if (event.type !== "note") report(event);
  };
}

/** Lines after the header; the file ends with a line feed. */
function countRows(csv: string): number {
  return readFileSync(csv, "latin1").split("\n").length - 2;
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

async function commitLock(
  project: string,
  variables: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<void> {
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

function gitIdentity(variables: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(variables).filter(([name]) => name.startsWith("GIT_")));
}
