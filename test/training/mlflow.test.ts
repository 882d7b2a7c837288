import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Context } from "../../src/cli/context.ts";
import { makeStyle } from "../../src/cli/style.ts";
import { openHistory } from "../../src/clients/git.ts";
import { openLocalHost } from "../../src/clients/local-server.ts";
import { openMlflow } from "../../src/clients/mlflow/open-mlflow.ts";
import { command } from "../../src/commands/train.ts";
import { sendHttp } from "../../src/lib/http.ts";
import type { Environment } from "../../src/policy/policy.ts";
import type { Project } from "../../src/project/project.ts";
import { fetchModel, manifestOfFolder } from "../../src/registry/model-files.ts";
import { childEnvironment } from "../../src/training/child-environment.ts";
import { recallRun } from "../../src/training/last-run.ts";
import { planTraining } from "../../src/training/plan-training.ts";
import { applyTraining, digestData, type Trained } from "../../src/training/train.ts";
import { IDENTITY, makeWorld } from "../scaffold/world.ts";
import { type MlflowServer, processVariables, startMlflowServer } from "../support/mlflow-server.ts";

const LOG_MODEL = `
import mlflow
class M(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input
def log(name="model"):
    return mlflow.pyfunc.log_model(name=name, python_model=M(), pip_requirements=["mlflow==3.17.2"])
`;

let server: MlflowServer;
let root = "";
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "factory-train-"));
  server = await startMlflowServer();
});
afterAll(async () => {
  await server.stop();
  rmSync(root, { recursive: true, force: true });
});
const open = (signal?: AbortSignal) => openMlflow(server.uri, { variables: {}, ...(signal && { signal }) });
const post = (path: string, json: unknown) =>
  sendHttp({ method: "POST", url: `${server.uri}/api/2.0/mlflow/${path}`, json });

/** Trains a one-file project whose command is this Python program, as `factory train` would. */
async function train(
  code: string,
  more: { variables?: Record<string, string>; signal?: AbortSignal; timeoutSeconds?: number } = {},
): Promise<Trained & { folder: string }> {
  const folder = mkdtempSync(join(root, "project-"));
  writeFileSync(join(folder, "helper.py"), LOG_MODEL);
  writeFileSync(join(folder, "train.py"), code);
  writeFileSync(join(folder, "data.csv"), "a,b\n1,2\n");
  const project: Project = {
    factory: 1,
    project: "claims-triage",
    model: {
      name: "claims.triage",
      train: "python train.py",
      seed: 11,
      ...(more.timeoutSeconds && { timeoutSeconds: more.timeoutSeconds }),
    },
    gates: {},
  };
  const environment: Environment = { name: "dev", catalog: "dev", registry: { kind: "mlflow", uri: server.uri } };
  const data = await digestData(folder, ["data.csv"], () => {});
  const plan = planTraining(
    project,
    environment,
    { commit: "1".repeat(40), dirty: true, lock: "2".repeat(64), data },
    new Date(),
  );
  const signal = more.signal ?? new AbortController().signal;
  const { tracking } = open(signal);
  const variables = childEnvironment(
    { ...processVariables(), ...more.variables },
    { PATH: `${server.bin}:${process.env.PATH}` },
  );
  const trained = await applyTraining(plan, {
    folder,
    tracking,
    variables,
    report: () => {},
    signal,
    now: () => new Date(),
  });
  return { ...trained, folder };
}

describe("training", () => {
  test("a good run: tags, metrics, one model, its digest, the log", async () => {
    const done = await train(`
import mlflow, os, helper
print("seed", os.environ["FACTORY_SEED"])
with mlflow.start_run():
    mlflow.log_metric("roc_auc", 0.67)
    mlflow.log_metric("odd", float("nan"))
    helper.log()
`);
    expect(done.problems).toEqual([]);
    expect(done.run).toMatchObject({ status: "FINISHED", metrics: { roc_auc: 0.67, odd: Number.NaN } });
    expect(done.run.tags).toMatchObject({
      "factory.project": "claims-triage",
      "factory.commit": "1".repeat(40),
      "mlflow.source.git.commit": "1".repeat(40),
      "factory.dirty": "true",
      "factory.lock": "2".repeat(64),
      "factory.seed": "11",
      "factory.command": "python train.py",
      "factory.data.data.csv": expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(readFileSync(join(done.folder, done.logFile), "utf8")).toContain("seed 11");
    expect(done.model?.files).toBeGreaterThan(3);

    const { tracking } = open();
    const [model] = await tracking.loggedModels(done.run);
    if (model === undefined) throw new Error("no logged model");
    const folder = join(root, "fetched");
    const fetched = await fetchModel(tracking.filesOf(model), folder, () => {});
    expect(fetched.digest).toBe(done.model?.digest);
    expect(fetched).toEqual(await manifestOfFolder(folder));
    expect(existsSync(join(folder, "MLmodel"))).toBe(true);
    // The same bytes as MLflow's own client downloads, but for the note that it leaves in the folder itself.
    const other = join(root, "by-python");
    mkdirSync(other);
    await promisify(execFile)(
      join(server.bin, "python"),
      [
        "-c",
        `import mlflow; mlflow.artifacts.download_artifacts(artifact_uri="models:/${model.id}", dst_path="${other}")`,
      ],
      { env: { ...processVariables(), MLFLOW_TRACKING_URI: server.uri } },
    );
    const theirs = await manifestOfFolder(other);
    expect(theirs.files.filter((file) => file.path !== "registered_model_meta")).toEqual(fetched.files);
    expect((await tracking.latestRun("claims-triage", { key: "factory.commit", value: "1".repeat(40) }))?.id).toBe(
      done.run.id,
    );
  });

  test("a failing command: the run is FAILED, the last lines are there, secrets masked", async () => {
    const done = await train(`import sys\nprint("reading")\nsys.exit("cannot go on, dapi${"0".repeat(32)}")`);
    expect(done.problems).toEqual(["training ended with status 1"]);
    expect(done.lastLines.join("\n")).toContain("cannot go on, ••••");
    expect(done.run.status).toBe("FAILED");
    expect(done.model).toBeUndefined();
  });

  test("a command that says FINISHED and then fails is FAILED all the same", async () => {
    const done = await train(`import mlflow, helper, sys\nwith mlflow.start_run():\n    helper.log()\nsys.exit(3)`);
    expect(done.problems).toEqual(["training ended with status 3"]);
    expect(done.run.status).toBe("FAILED");
  });

  test("no model, two models, changed data: each is an answer", async () => {
    expect((await train("print('nothing')")).problems).toEqual([expect.stringContaining("logged no model")]);
    const two = await train(
      `import mlflow, helper\nwith mlflow.start_run():\n    helper.log("one")\n    helper.log("two")`,
    );
    expect(two.problems).toEqual([
      expect.stringMatching(/2 models, and factory cannot choose: .*one.*two|2 models.*two.*one/),
    ]);
    const changed = await train(
      `import mlflow, helper\nopen("data.csv", "a").write("3,4\\n")\nwith mlflow.start_run():\n    helper.log()`,
    );
    expect(changed.problems).toEqual([expect.stringContaining("data.csv changed while training ran")]);
  });

  test("too long, and interrupted: the children end, the run is closed", async () => {
    const slow = await train("import time, os; open('pid', 'w').write(str(os.getpid())); time.sleep(600)", {
      timeoutSeconds: 3,
    });
    expect(slow.problems).toEqual([expect.stringContaining("did not end within 3 s")]);
    expect(slow.run.status).toBe("FAILED");
    const abort = new AbortController();
    const running = train("import time; time.sleep(600)", { signal: abort.signal });
    setTimeout(() => abort.abort(new Error("interrupted")), 1500);
    await expect(running).rejects.toThrow("interrupted");
    const found = await open().tracking.latestRun("claims-triage", { key: "factory.project", value: "claims-triage" });
    expect(found?.status).toBe("KILLED");
  });

  test("neither the program nor a sitecustomize sees a key or a token", async () => {
    const site = mkdtempSync(join(root, "site-"));
    const secrets = {
      FACTORY_SIGNING_KEY: "s3cr3t-1",
      DATABRICKS_TOKEN: "s3cr3t-2",
      GITHUB_TOKEN: "s3cr3t-3",
      AWS_SECRET_ACCESS_KEY: "s3cr3t-4",
      PIP_INDEX_URL: "https://u:s3cr3t-5@index.example",
    };
    writeFileSync(
      join(site, "sitecustomize.py"),
      `import os\nopen(${JSON.stringify(join(site, "seen"))}, "w").write("\\n".join(f"{k}={v}" for k, v in os.environ.items()))\n`,
    );
    // A site folder of the interpreter's own, as a project's environment has one; PYTHONPATH would not pass.
    const code = `import site\nsite.addsitedir(${JSON.stringify(site)})\nimport importlib.util, os\nspec = importlib.util.spec_from_file_location("sitecustomize", ${JSON.stringify(join(site, "sitecustomize.py"))})\nspec.loader.exec_module(importlib.util.module_from_spec(spec))\n`;
    await train(code, { variables: secrets });
    const seen = readFileSync(join(site, "seen"), "utf8");
    expect(seen).toContain("MLFLOW_RUN_ID=");
    expect(seen).not.toContain("s3cr3t");
    expect(seen.split("\n").filter((line) => /^FACTORY_/.test(line))).toEqual(["FACTORY_SEED=11"]);
  });
});

describe("the command", () => {
  async function project(code: string): Promise<{ folder: string; context: Context }> {
    const folder = realpathSync(mkdtempSync(join(root, "command-")));
    const model = "{ name: claims.triage, train: python train.py, data: [data.csv] }";
    writeFileSync(join(folder, "factory.yaml"), `factory: 1\nproject: claims-triage\nmodel: ${model}\n`);
    writeFileSync(join(folder, "helper.py"), LOG_MODEL);
    writeFileSync(join(folder, "train.py"), code);
    writeFileSync(join(folder, "data.csv"), "a,b\n1,2\n");
    writeFileSync(join(folder, ".gitignore"), ".factory/\n__pycache__/\n");
    const variables = { ...processVariables(), ...IDENTITY, HOME: folder, PATH: `${server.bin}:${process.env.PATH}` };
    const git = (...args: string[]) => promisify(execFile)("git", args, { cwd: folder, env: variables });
    await git("init", "-q");
    await git("add", ".");
    await git("commit", "-qm", "one");
    const world = makeWorld();
    const context = world.context({
      cwd: folder,
      variables,
      clients: {
        ...world.context().clients,
        localHost: async () => openLocalHost({ data: join(root, "data"), variables }),
        tracking: async () => open().tracking,
        history: async () => openHistory(folder, variables, new AbortController().signal),
      },
    });
    world.remove();
    return { folder, context };
  }

  test("trains, remembers the run, says metrics and digest; --dry-run does nothing", async () => {
    const { folder, context } = await project(
      "import mlflow, helper\nwith mlflow.start_run():\n    mlflow.log_metric('auc', 0.66423)\n    helper.log()",
    );
    const planned = await command.run({}, { ...context, dryRun: true });
    expect(command.render(planned.data, makeStyle(false, 100))).toContain("factory.dirty = false");
    expect(existsSync(join(folder, ".factory"))).toBe(false);
    const { ok, data } = await command.run({}, context);
    expect(ok).toBe(true);
    const remembered = recallRun(folder);
    expect(data).toMatchObject({
      outcome: "trained",
      run: remembered?.run,
      model: { digest: remembered?.modelDigest },
      dirty: false,
    });
    expect(command.render(data, makeStyle(false, 100))).toMatch(/✔ run [0-9a-f]{32} {2}auc 0\.6642/);
  });

  test("a failing one is the answer no, with the log's last lines, and does not replace the remembered run", async () => {
    const { folder, context } = await project("raise SystemExit('the data are gone')");
    const { ok, data } = await command.run({ env: "dev" }, context);
    expect(ok).toBe(false);
    expect(command.render(data, makeStyle(false, 100))).toContain("│ the data are gone");
    expect(recallRun(folder)).toBeUndefined();
    await expect(command.run({ env: "prod" }, context)).rejects.toMatchObject({ code: "environment.train", exit: 2 });
  });
});

describe("tracking", () => {
  test("an experiment is made once, found again, and a deleted one is said", async () => {
    const { tracking } = open();
    const id = await tracking.ensureExperiment("made-once");
    expect(await Promise.all([tracking.ensureExperiment("made-once"), tracking.ensureExperiment("made-once")])).toEqual(
      [id, id],
    );
    const both = await Promise.all([
      open().tracking.ensureExperiment("raced"),
      open().tracking.ensureExperiment("raced"),
    ]);
    expect(both[0]).toBe(both[1]);
    await post("experiments/delete", { experiment_id: id });
    await expect(tracking.ensureExperiment("made-once")).rejects.toMatchObject({ code: "experiment.deleted", exit: 2 });
  });

  test("runs that are not there, are deleted, or have no proper id", async () => {
    const { tracking } = open();
    expect(await tracking.run("0".repeat(32))).toBeUndefined();
    await expect(tracking.run("../x")).rejects.toMatchObject({ code: "run.id", exit: 2 });
    const experimentId = await tracking.ensureExperiment("runs");
    const run = await tracking.createRun({
      experimentId,
      name: "r",
      tags: { a: "b" },
      startedAt: new Date("2026-01-01T00:00:00Z"),
    });
    expect(await tracking.run(run.id)).toMatchObject({
      name: "r",
      status: "RUNNING",
      startedAt: Date.parse("2026-01-01T00:00:00Z"),
      endedAt: undefined,
      tags: { a: "b" },
      metrics: {},
      params: {},
    });
    await tracking.setTags(run.id, { a: "c", d: "" });
    expect((await tracking.run(run.id))?.tags).toMatchObject({ a: "c", d: "" });
    await post("runs/delete", { run_id: run.id });
    expect(await tracking.run(run.id)).toBeUndefined();
    expect(await tracking.latestRun("no-such", { key: "a", value: "b" })).toBeUndefined();
  });
});

describe("registry", () => {
  test("by alias and by number; the bytes of a version have the digest of the logged model; missing ones are refused", async () => {
    const done = await train(`import mlflow, helper\nwith mlflow.start_run():\n    helper.log()`);
    const { registry } = open();
    const name = "dev.claims.triage";
    expect(await registry.versionByAlias(name, "champion")).toBeUndefined();
    expect(await registry.version(name, "1")).toBeUndefined();
    await post("registered-models/create", { name });
    expect(await registry.versionByAlias(name, "champion")).toBeUndefined();
    const id = done.model?.id ?? "";
    const made = await post("model-versions/create", {
      name,
      source: `models:/${id}`,
      model_id: id,
      run_id: done.run.id,
      tags: [{ key: "factory.digest", value: "x" }],
    });
    expect(made.status).toBe(200);
    await post("registered-models/alias", { name, alias: "champion", version: "1" });
    const version = await registry.versionByAlias(name, "champion");
    expect(version).toMatchObject({
      model: name,
      version: "1",
      runId: done.run.id,
      tags: { "factory.digest": "x" },
      aliases: ["champion"],
    });
    if (version === undefined) throw new Error("unreachable");
    expect((await fetchModel(registry.filesOf(version), join(root, "version"), () => {})).digest).toBe(
      done.model?.digest,
    );
    rmSync(join(server.folder, "artifacts"), { recursive: true });
    await expect(fetchModel(registry.filesOf(version), join(root, "gone"), () => {})).rejects.toMatchObject({
      code: "model.empty",
      exit: 4,
    });
  });
});
