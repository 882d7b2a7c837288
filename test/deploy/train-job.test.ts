import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { devNull } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openBundleCli } from "../../src/clients/databricks/bundle-cli.ts";
import { trainingJobs } from "../../src/clients/databricks/jobs.ts";
import { openTracking } from "../../src/clients/databricks/tracking.ts";
import type { Workspace } from "../../src/clients/databricks/workspace.ts";
import { deployTree } from "../../src/deploy/deploy-tree.ts";
import type { TaskEvent } from "../../src/lib/progress.ts";
import { planTraining } from "../../src/training/plan-training.ts";
import { bundledJob, codeOfJob, findJob, trainOnJob } from "../../src/training/train-job.ts";
import { newFolder, openFake, TRAINER } from "../clients/databricks-tracking/parts.ts";
import { standIn } from "../fakes/databricks-cli/stand-in.ts";
import { hooksOf } from "../fakes/workspace/hooks.ts";
import { jobs as jobsState } from "../fakes/workspace/jobs/state.ts";
import { type FakeWorkspace, startWorkspace } from "../fakes/workspace/server.ts";
import { processVariables, testPython } from "../support/mlflow-server.ts";

// From a working tree to a trained run: deployed by the stand-in program, run by the fake workspace's job, logged by MLflow's own client.

const COMMIT = "1".repeat(40);
const reference = (name: string) => `$\{${name}}`;
const FILES = {
  "databricks.yml": `bundle:
  name: claims-triage
include:
  - resources/*.yml
variables:
  commit:
    default: none
targets:
  dev:
    mode: development
`,
  "resources/training.yml": `resources:
  jobs:
    training:
      name: claims-triage-training
      parameters:
        - name: run
          default: ""
      tasks:
        - task_key: train
          environment_key: default
          python_wheel_task:
            package_name: claims-triage
            entry_point: train
            named_parameters:
              commit: ${reference("var.commit")}
              run: "{{job.parameters.run}}"
      environments:
        - environment_key: default
          spec:
            environment_version: "4"
            dependencies:
              - ../dist/*.whl
`,
};
const MODEL = `
import mlflow
class M(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input
def log(name="model"):
    mlflow.pyfunc.log_model(name=name, python_model=M(), pip_requirements=["mlflow==3.17.2"])
`;

const PROJECT = {
  factory: 1 as const,
  project: "claims-triage",
  model: { name: "claims.triage", train: "python -m train", seed: 7 },
  gates: {},
};

let fake: FakeWorkspace;
let workspace: Workspace;
let root = "";
let folder = "";
let bin = "";
let events: TaskEvent[] = [];

beforeAll(async () => {
  root = newFolder();
  fake = await startWorkspace({ principals: [{ name: TRAINER }] });
  workspace = await openFake(fake, root);
  ({ bin } = await testPython());
  folder = join(root, "project");
  for (const [path, text] of Object.entries(FILES)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}, 280_000);
afterAll(async () => {
  await fake?.stop();
  rmSync(root, { recursive: true, force: true });
});
beforeEach(() => {
  events = [];
});

async function deployed(code: { commit: string; dirty: boolean } = { commit: COMMIT, dirty: false }) {
  const cli = standIn(join(root, "bin"));
  const variables = { ...processVariables(), DATABRICKS_CLI_PATH: cli.path };
  return deployTree(
    folder,
    "dev",
    code,
    {
      cli: await openBundleCli(workspace, { variables, signal: new AbortController().signal }),
      buildWheel: async () => ({ name: "claims_triage-0.1.0-py3-none-any.whl", content: "wheel" }),
      workFolder: mkdtempSync(join(root, "work-")),
      report: (event) => events.push(event),
    },
    false,
  );
}

/** What the job's task does: this code, with the run that it was given, as the identity that the job runs as. */
function training(code: string): void {
  hooksOf(fake.state).task = async ({ parameters }) => {
    await promisify(execFile)(join(bin, "python"), ["-c", `${MODEL}${code}`], {
      cwd: root,
      env: {
        ...processVariables(),
        MLFLOW_RUN_ID: parameters.run,
        MLFLOW_TRACKING_URI: "databricks",
        DATABRICKS_HOST: fake.url,
        DATABRICKS_TOKEN: fake.identity(TRAINER).token,
        DATABRICKS_CONFIG_FILE: devNull,
        MLFLOW_DISABLE_TELEMETRY: "true",
      },
    });
    return undefined;
  };
}

async function train(signal = new AbortController().signal) {
  const jobs = trainingJobs(workspace);
  const wanted = bundledJob(folder, "dev");
  if (wanted === undefined) throw new Error("the bundle has a training job");
  const job = await findJob(jobs, wanted, "dev");
  const registry = { kind: "unity-catalog" as const, profile: "dev" };
  const plan = planTraining(
    PROJECT,
    { name: "dev", catalog: "acme_dev", registry },
    { commit: COMMIT, dirty: false, lock: undefined, data: [], job: job.name },
    new Date(),
  );
  const tracking = openTracking(workspace);
  return trainOnJob(plan, job, {
    jobs,
    tracking,
    report: (event) => events.push(event),
    signal,
    now: () => new Date(),
  });
}

describe.sequential("train on a job", { timeout: 280_000 }, () => {
  it("is told to deploy while there is no job", async () => {
    await expect(train()).rejects.toMatchObject({
      code: "train.job",
      exit: 2,
      hint: expect.stringContaining("--working-tree"),
    });
  });

  it("deploys the working tree to the first environment, as development", async () => {
    const done = await deployed();
    expect(done.judged.verdicts.filter((each) => each.verdict !== "yes")).toEqual([]);
    expect(done.kind).toBe("deployed");
    const [job] = jobsState.of(fake.state).jobs.values();
    expect(job?.settings.name).toBe("[dev trainer] claims-triage-training");
  });

  it("trains into the run that factory opened, and follows the job to its end", async () => {
    training("with mlflow.start_run():\n    mlflow.log_metric('roc_auc', 0.7)\n    log()\n");
    const trained = await train();
    expect(trained.problems).toEqual([]);
    expect(trained.run).toMatchObject({ status: "FINISHED", metrics: { roc_auc: 0.7 } });
    expect(trained.run.tags).toMatchObject({ "factory.commit": COMMIT, "factory.project": "claims-triage" });
    // The job trained, not the command of factory.yaml, and was told no seed.
    expect(trained.run.tags["factory.command"]).toBe("job [dev trainer] claims-triage-training");
    expect(trained.run.tags).not.toHaveProperty("factory.seed");
    expect(trained.model?.digest).toMatch(/^[0-9a-f]{64}$/);
    expect(trained.job.run).toBeGreaterThan(0);
    expect(events.some((event) => event.type === "note" && event.text.startsWith("the job's run: http"))).toBe(true);
    const started = fake.asked("run-now");
    expect(started).toHaveLength(1);
  });

  it("a training that fails is an answer, in its own words; its run is closed", async () => {
    hooksOf(fake.state).task = () => ({ result: "FAILED", error: "ValueError: the table is empty" });
    const trained = await train();
    expect(trained.model).toBeUndefined();
    expect(trained.problems.join()).toContain("failed");
    expect(trained.lastLines.join()).toContain("the table is empty");
    expect(trained.run.status).toBe("FAILED");
  });

  it("two models are one too many", async () => {
    training("with mlflow.start_run():\n    log('a')\n    log('b')\n");
    expect((await train()).problems.join()).toContain("the run logged 2 models");
  });

  it("Ctrl-C cancels the job's run", async () => {
    const control = new AbortController();
    hooksOf(fake.state).task = async ({ run }) => {
      control.abort(new Error("interrupted"));
      for (let i = 0; i < 100 && run.canceled !== true; i++) await new Promise((resolve) => setTimeout(resolve, 50));
      return { result: "CANCELED" };
    };
    await expect(train(control.signal)).rejects.toThrow();
    expect(fake.asked("runs/cancel").length).toBeGreaterThan(0);
  });

  it("the code of another commit is not trained under this one's name", () => {
    const job = { id: 7, name: "t", parameters: ["run"], fromBundle: true, commit: COMMIT };
    expect(codeOfJob(job, COMMIT, false, "dev")).toEqual({ dirty: false });
    expect(codeOfJob(job, COMMIT, true, "dev")).toEqual({ dirty: true });
    expect(codeOfJob({ ...job, commit: `${COMMIT}-dirty` }, COMMIT, false, "dev")).toEqual({ dirty: true });
    expect(codeOfJob({ ...job, commit: undefined }, COMMIT, false, "dev")).toEqual({ dirty: true });
    expect(() => codeOfJob(job, "2".repeat(40), false, "dev")).toThrow(/was deployed from commit 111111111111/);
  });
});
