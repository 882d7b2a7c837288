import { existsSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import type { CheckReport } from "../check/report.ts";
import { outsideError } from "../lib/error.ts";
import type { LocalHost } from "../local/server.ts";
import { commit } from "./code.ts";
import { registerModel, releaseFirst, step } from "./first-release.ts";
import { folderState, renewFolder } from "./folder.ts";
import { checkModel, countRows, preparePython, type Trained, trainModel } from "./model.ts";
import { makeOrganisation } from "./organisation.ts";
import { AUTHOR } from "./people.ts";
import { prove } from "./prove.ts";
import { checkSecond, pullSecond, releaseSecond, rollBack } from "./second-version.ts";
import { PROJECT, type Stage } from "./stage.ts";
import { type Program, runFactory, type StepResult } from "./step.ts";
import type { Story, StoryStep } from "./story.ts";
import { together } from "./together.ts";
import { trainTrials } from "./trials.ts";
import { refuseWorse } from "./worse-model.ts";

const PREFERRED_PORT = 5210;

/**
 * Tells the story in the stage's folder, which is quickstart's own: one model from a CSV to production and back. Returns what
 * each step measured. A step that should succeed and does not, and a refusal that does not come, are errors. Stops the server
 * whatever happens.
 */
export async function runQuickstart(stage: Stage, host: LocalHost): Promise<Story> {
  const { folder, author } = stage;
  if (folderState(folder) === "ours") await stopServer(author, folder);
  renewFolder(folder);
  try {
    return await tell(stage, host);
  } finally {
    // Also after a failure or Ctrl-C: nothing of quickstart's may be left running.
    await stopServer({ ...author, signal: new AbortController().signal }, folder).catch(() => undefined);
  }
}

async function tell(stage: Stage, host: LocalHost): Promise<Story> {
  const { author, project } = stage;
  const began = performance.now();
  const managed = await host.python(author.report, author.signal);
  const python = plain("Python environment", `factory's own, with MLflow ${managed.mlflow}`, performance.now() - began);
  const port = await freePort(host.isPortFree);
  const organisation = await makeOrganisation(stage, `http://127.0.0.1:${port}`);
  const [server, made] = await together(stage, (both) => startServer(both, port), makeProject);
  const rows = `${countRows(project)} real member-years`;
  const [{ trained, checked }, trials] = await together(stage, (both) => buildFirst(both, rows), trainTrials);
  const auc = trained.auc === null ? "" : `  AUC ${trained.auc.toFixed(3)}`;
  const steps = [
    python,
    organisation,
    plain("MLflow server", `${server.data.uri}  (SQLite)`, server.durationMs, server.command),
    ...made,
    step("train", AUTHOR, `${rows} → run ${trained.run.slice(0, 8)}…${auc}`, trained),
    {
      ...step("check", AUTHOR, checkText(checked.data), checked),
      outcome: checked.ok ? ("done" as const) : ("failed" as const),
    },
  ];
  const start = { project: PROJECT, mlflow: server.data.uri, check: checked.data };
  if (!checked.ok) return { ...start, steps };

  const first = await registerModel(stage);
  // From here on the first version's commands read nothing of the project but factory.yaml and ledger.
  await pullSecond(stage, trials.clone);
  const line = await releaseFirst(stage, first);
  const [refused, second] = await together(
    stage,
    (both) => refuseWorse(both, trials.worse),
    (both) => checkSecond(both, trials.second),
  );
  const better = await releaseSecond(stage, second);
  const back = await rollBack(stage);
  const proof = await prove(stage, back.rollback.to);
  return {
    ...start,
    steps: [
      ...steps,
      step("register", AUTHOR, `${first.name} v${first.number}   sha256:${first.digest.slice(0, 12)}…`, first),
      ...line,
      refused.step,
      better.step,
      back.step,
      proof.step,
    ],
    worse: refused.worse,
    versions: [
      { run: trained.run, auc: trained.auc, number: first.number, digest: first.digest, evidence: first.evidence },
      {
        run: second.trained.run,
        auc: second.trained.auc,
        number: better.registered.number,
        digest: better.registered.digest,
        evidence: better.registered.evidence,
      },
    ],
    rollback: back.rollback,
    verified: proof.verified,
  };
}

function startServer({ author, folder }: Stage, port: number): Promise<StepResult<{ uri: string }>> {
  const args = ["local", "start", "--dir", folder, "--port", String(port)];
  return runFactory(author, "starting the MLflow server", args, folder, z.object({ uri: z.string() }));
}

async function makeProject(stage: Stage): Promise<StoryStep[]> {
  const { author, folder, project } = stage;
  const made = await runFactory(
    author,
    "making the project",
    ["new", PROJECT, "--yes"],
    folder,
    z.object({ template: z.object({ name: z.string(), version: z.string() }), files: z.int() }),
  );
  const { template, files } = made.data;
  const began = performance.now();
  await preparePython(stage, project);
  await commit(author, project, ["uv.lock"], "Lock the Python packages");
  return [
    step(`new ${PROJECT}`, AUTHOR, `template ${template.name} ${template.version}, ${files} files`, made),
    plain("project's Python", "locked, installed, uv.lock committed", performance.now() - began),
  ];
}

async function buildFirst(stage: Stage, rows: string): Promise<{ trained: Trained; checked: StepResult<CheckReport> }> {
  const trained = await trainModel(stage, stage.project, `training on ${rows}`);
  return { trained, checked: await checkModel(stage, stage.project, "checking: seven gates") };
}

function checkText({ gates }: CheckReport): string {
  const cases = (name: string) => gates.find((each) => each.gate === name)?.cases ?? 0;
  const passed = gates.filter((gate) => gate.verdict === "pass").length;
  return `${passed} of ${gates.length} gates pass, ${cases("unit") + cases("model")} tests, ${cases("data")} data checks`;
}

function plain(name: string, what: string, durationMs: number, ...commands: string[]): StoryStep {
  return { name, outcome: "done", what, commands, durationMs };
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
