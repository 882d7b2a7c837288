import { mkdirSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import type { CheckReport } from "../check/report.ts";
import type { LocalHost } from "../local/server.ts";
import { commit } from "./code.ts";
import { registerModel, releaseFirst, step } from "./first-release.ts";
import { folderState, keepForNext, renewFolder } from "./folder.ts";
import { checkModel, countRows, preparePython, type Trained, trainModel } from "./model.ts";
import { makeOrganisation } from "./organisation.ts";
import { AUTHOR } from "./people.ts";
import { prove } from "./prove.ts";
import { localScene, type Scene, sandboxScene, stopLocal } from "./scene.ts";
import { checkSecond, pullSecond, releaseSecond, rollBack } from "./second-version.ts";
import { PROJECT, type Stage } from "./stage.ts";
import { type Program, runFactory, type StepResult } from "./step.ts";
import type { Story, StoryStep } from "./story.ts";
import { together } from "./together.ts";
import { trainTrials } from "./trials.ts";
import { refuseWorse } from "./worse-model.ts";

/**
 * Tells the story in the stage's folder, which is quickstart's own: one model from a CSV to production and back. Returns what
 * each step measured. A step that should succeed and does not, and a refusal that does not come, are errors. Stops the server
 * whatever happens. `on`: a real MLflow server, or the rehearsal workspace.
 */
export async function runQuickstart(stage: Stage, host: LocalHost, on: "mlflow" | "sandbox"): Promise<Story> {
  const { folder, author, approver } = stage;
  if (folderState(folder) === "ours") await stopLocal(author, folder);
  const { cleared } = renewFolder(folder);
  mkdirSync(join(folder, AUTHOR.home), { recursive: true, mode: 0o700 });
  const scene = on === "mlflow" ? await localScene(stage, host) : await sandboxScene(stage);
  const as = (program: Program): Program => ({ ...program, env: { ...program.env, ...scene.variables } });
  try {
    const story = await tell({ ...stage, author: as(author), approver: as(approver) }, host, scene);
    await cleared;
    keepForNext(folder);
    return story;
  } finally {
    await scene.stop({ ...author, signal: new AbortController().signal }).catch(() => undefined);
  }
}

async function tell(stage: Stage, host: LocalHost, scene: Scene): Promise<Story> {
  const { author, project } = stage;
  const began = performance.now();
  const managed = await host.python(author.report, author.signal);
  const python = plain("Python environment", `factory's own, with MLflow ${managed.mlflow}`, performance.now() - began);
  const organisation = await makeOrganisation(stage, scene.policy);
  const [server, made] = await together(stage, scene.start, makeProject);
  const rows = `${countRows(project)} real member-years`;
  const [{ trained, checked }, trials] = await together(stage, (both) => buildFirst(both, rows), trainTrials);
  const auc = trained.auc === null ? "" : `  AUC ${trained.auc.toFixed(3)}`;
  const steps = [
    python,
    organisation,
    plain(scene.name, `${server.data.uri}${scene.note}`, server.durationMs, server.command),
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
