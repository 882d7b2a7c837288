import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { devNull } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as z from "zod";
import { openWorkspace } from "../../src/clients/databricks/open-workspace.ts";
import { openTracking } from "../../src/clients/databricks/tracking.ts";
import type { Workspace } from "../../src/clients/databricks/workspace.ts";
import type { Environment } from "../../src/policy/policy.ts";
import type { Project } from "../../src/project/project.ts";
import { fetchModel } from "../../src/registry/model-files.ts";
import { childEnvironment } from "../../src/training/child-environment.ts";
import { planTraining } from "../../src/training/plan-training.ts";
import { applyTraining, digestData, type Trained } from "../../src/training/train.ts";
import { newFolder, openFake, TRAINER } from "../clients/databricks-tracking/parts.ts";
import { type FakeWorkspace, startWorkspace } from "../fakes/workspace/server.ts";
import { tracking as trackingState } from "../fakes/workspace/tracking/state.ts";
import { processVariables, testPython } from "../support/mlflow-server.ts";

// Training whose first environment is a workspace: the program uses MLflow's own client, with what factory gives it and no more.

const HELPER = `
import mlflow
class M(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input
def log(name="model", **more):
    return mlflow.pyfunc.log_model(name=name, python_model=M(), pip_requirements=["mlflow==3.17.2"], **more)
`;
/** What a user's shell or a CI job may hold. */
const PLANTED: Readonly<Record<string, string>> = Object.fromEntries(
  `DATABRICKS_CLIENT_ID DATABRICKS_CLIENT_SECRET DATABRICKS_CONFIG_PROFILE DATABRICKS_PASSWORD DATABRICKS_USERNAME DATABRICKS_AZURE_RESOURCE_ID
  DATABRICKS_OIDC_TOKEN DATABRICKS_OIDC_TOKEN_FILEPATH DATABRICKS_GOOGLE_SERVICE_ACCOUNT DATABRICKS_ACCOUNT_ID DATABRICKS_METADATA_SERVICE_URL
  ARM_CLIENT_ID ARM_CLIENT_SECRET ARM_TENANT_ID ACTIONS_ID_TOKEN_REQUEST_URL ACTIONS_ID_TOKEN_REQUEST_TOKEN GOOGLE_CREDENTIALS
  MLFLOW_TRACKING_TOKEN MLFLOW_TRACKING_PASSWORD FACTORY_SIGNING_KEY`
    .split(/\s+/)
    .map((name) => [name, `planted-${name.toLowerCase()}`]),
);

let fake: FakeWorkspace;
let workspace: Workspace;
let root = "";
let bin = "";
beforeAll(async () => {
  root = newFolder();
  fake = await startWorkspace({ principals: [{ name: TRAINER }] });
  workspace = await openFake(fake, root);
  ({ bin } = await testPython());
});
afterAll(async () => {
  await fake?.stop();
  rmSync(root, { recursive: true, force: true });
});

async function train(code: string, now = () => new Date()): Promise<Trained & { folder: string; log: string }> {
  const folder = mkdtempSync(join(root, "project-"));
  const home = join(folder, "home");
  mkdirSync(home);
  writeFileSync(
    join(home, ".databrickscfg"),
    "[DEFAULT]\nhost = https://prod.example.com\ntoken = planted-in-a-profile\n",
  );
  writeFileSync(join(folder, "helper.py"), HELPER);
  writeFileSync(join(folder, "train.py"), code);
  writeFileSync(join(folder, "data.csv"), "a,b\n1,2\n");
  const project: Project = {
    factory: 1,
    project: "claims-triage",
    model: { name: "claims.triage", train: "python train.py", seed: 11 },
    gates: {},
  };
  const registry = { kind: "unity-catalog" as const, profile: "dev" };
  const environment: Environment = { name: "dev", catalog: "acme_dev", registry };
  const data = await digestData(folder, ["data.csv"], () => {});
  const facts = { commit: "1".repeat(40), dirty: false, lock: "2".repeat(64), data };
  const { signal } = new AbortController();
  const trained = await applyTraining(planTraining(project, environment, facts, new Date()), {
    folder,
    tracking: openTracking(workspace),
    variables: childEnvironment(
      { ...processVariables(), ...PLANTED, HOME: home },
      { PATH: `${bin}:${process.env.PATH}` },
    ),
    report: () => {},
    signal,
    now,
  });
  return { ...trained, folder, log: readFileSync(join(folder, trained.logFile), "utf8") };
}

/** Runs MLflow's client beside factory, and gives the JSON that it printed last. */
async function judge(code: string, ...argv: string[]): Promise<unknown> {
  const { stdout } = await promisify(execFile)(
    join(bin, "python"),
    ["-c", `import mlflow, json, sys\n${code}`, ...argv],
    {
      cwd: root,
      env: {
        ...processVariables(),
        MLFLOW_TRACKING_URI: "databricks",
        DATABRICKS_HOST: fake.url,
        DATABRICKS_TOKEN: fake.identity(TRAINER).token,
        DATABRICKS_CONFIG_FILE: devNull,
        MLFLOW_DISABLE_TELEMETRY: "true",
      },
    },
  );
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
}

describe("training in a workspace", () => {
  test("a good run: factory reads metrics, model and digest; MLflow's client reads what factory recorded", async () => {
    const done = await train(`
import mlflow, os, helper
with mlflow.start_run() as run:
    assert run.info.run_id == os.environ.get("FACTORY_TEST_RUN", run.info.run_id)
    mlflow.log_metric("roc_auc", 0.67)
    mlflow.log_param("depth", 3)
    mlflow.log_dict({"a": 1}, "notes/a.json")
    helper.log()
`);
    expect(done.problems, done.lastLines.join("\n")).toEqual([]);
    expect(done.run).toMatchObject({ status: "FINISHED", metrics: { roc_auc: 0.67 }, params: { depth: "3" } });
    expect(done.model).toMatchObject({ digest: expect.stringMatching(/^[0-9a-f]{64}$/) });

    const read = await judge(
      `
import hashlib, pathlib
client = mlflow.MlflowClient()
run = client.get_run(sys.argv[1])
folder = pathlib.Path(mlflow.artifacts.download_artifacts(f"models:/{sys.argv[2]}", dst_path=sys.argv[3]))
files = sorted((p.relative_to(folder).as_posix().encode(), p) for p in folder.rglob("*") if p.is_file() and p.name != "registered_model_meta")
manifest = "".join(f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {name.decode()}\\n" for name, p in files)
print(json.dumps({
  "experiment": client.get_experiment(run.info.experiment_id).name,
  "status": run.info.status,
  "name": run.info.run_name,
  "tags": {key: value for key, value in run.data.tags.items() if key.startswith("factory.") or key == "mlflow.source.git.commit"},
  "digest": hashlib.sha256(manifest.encode()).hexdigest(),
}))`,
      done.run.id,
      done.model?.id ?? "",
      mkdtempSync(join(root, "judged-")),
    );
    expect(read).toMatchObject({
      experiment: "/Shared/factory/claims-triage",
      status: "FINISHED",
      name: expect.stringMatching(/^claims-triage 20/),
      tags: {
        "factory.project": "claims-triage",
        "factory.commit": "1".repeat(40),
        "factory.lock": "2".repeat(64),
        "factory.seed": "11",
        "factory.dirty": "false",
        "mlflow.source.git.commit": "1".repeat(40),
      },
      digest: done.model?.digest,
    });
  });

  test("the program gets a token of this workspace, and no other way in; the log shows none of it", async () => {
    const done = await train(`
import os, json, mlflow, helper
with mlflow.start_run():
    helper.log()
print(dict(os.environ))
json.dump(dict(os.environ), open("seen.json", "w"))
`);
    expect(done.problems, done.lastLines.join("\n")).toEqual([]);
    const seen = z
      .record(z.string(), z.string())
      .parse(JSON.parse(readFileSync(join(done.folder, "seen.json"), "utf8")));
    const { token } = fake.identity(TRAINER);
    expect(
      Object.fromEntries(Object.entries(seen).filter(([name]) => /^(?:DATABRICKS|ARM|ACTIONS|GOOGLE)/.test(name))),
    ).toEqual({
      DATABRICKS_HOST: fake.url,
      DATABRICKS_TOKEN: token,
      DATABRICKS_AUTH_TYPE: "pat",
      DATABRICKS_CONFIG_FILE: devNull,
    });
    expect(seen).toMatchObject({
      MLFLOW_TRACKING_URI: "databricks",
      MLFLOW_EXPERIMENT_NAME: "/Shared/factory/claims-triage",
    });
    expect(JSON.stringify(seen)).not.toContain("planted");
    expect(done.log).toContain("DATABRICKS_HOST");
    expect(done.log).not.toContain(token);
    expect(done.log).not.toContain("planted");
  });

  test("without those variables the client finds nothing: no profile of the user is read", async () => {
    const done = await train(`
import os, mlflow
for name in ("DATABRICKS_HOST", "DATABRICKS_TOKEN", "DATABRICKS_AUTH_TYPE"):
    del os.environ[name]
mlflow.MlflowClient().search_experiments()
`);
    expect(done.problems).toEqual(["training ended with status 1"]);
    expect(done.log).not.toContain("prod.example.com");
  });

  test("nothing registers by accident", async () => {
    const done = await train(`
import mlflow, helper
with mlflow.start_run():
    helper.log(registered_model_name="acme_dev.claims.triage")
`);
    expect(done.problems).toEqual(["training ended with status 1"]);
    expect(done.lastLines.join("\n")).toContain("models-are-registered-by-factory-register");
    expect(fake.log.filter(({ url }) => /registered-models|model-versions|unity-catalog/.test(url))).toEqual([]);
    expect(done.run.status).toBe("FAILED");
  });

  test("a token that ends while it trains: the program fails, is told why, and factory closes the run with a new one", async () => {
    const { clientId, clientSecret } = fake.addPrincipal({ name: "factory-dev" });
    const home = mkdtempSync(join(root, "home-"));
    const lines = ["[dev]", `host = ${fake.url}`, `client_id = ${clientId}`, `client_secret = ${clientSecret}`, ""];
    writeFileSync(join(home, ".databrickscfg"), lines.join("\n"), { mode: 0o600 });
    const places = { config: join(home, "config"), cache: join(home, "cache") };
    const before = workspace;
    workspace = await openWorkspace({ profile: "dev" }, { variables: { HOME: home }, home, places, version: "0.0.0" });
    try {
      const expiry = JSON.stringify({ kind: "expire", route: "runs/log-metric" });
      const done = await train(
        `
import os, mlflow, urllib.request
os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"
with mlflow.start_run():
    urllib.request.urlopen(urllib.request.Request("${fake.url}/_sandbox/faults", ${JSON.stringify(expiry)}.encode(), {"content-type": "application/json"}))
    mlflow.log_metric("a", 1)
`,
        // Two hours later, by the time that it has failed.
        (() => {
          let asked = 0;
          return () => new Date(Date.now() + (asked++ === 0 ? 0 : 2 * 3_600_000));
        })(),
      );
      expect(done.problems, done.lastLines.join("\n")).toEqual([
        "training ended with status 1",
        expect.stringMatching(/^its token of the workspace ended at \d\d:\d\d UTC: /),
      ]);
      expect(done.log).toMatch(/expired/i);
      expect(done.run.status).toBe("FAILED");
    } finally {
      workspace = before;
    }
  });
});

describe("what MLflow's client writes, factory reads", () => {
  test("a run with a model and a big file in parts", async () => {
    trackingState.of(fake.state).settings.filesApi = false;
    const written = z.object({ run: z.string(), digest: z.string() }).parse(
      await judge(`
import os, tempfile, pathlib, hashlib
mlflow.set_experiment("/Shared/factory/by-hand") if mlflow.get_experiment_by_name("/Shared/factory/by-hand") else mlflow.create_experiment("/Shared/factory/by-hand")
mlflow.set_experiment("/Shared/factory/by-hand")
class M(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input
with tempfile.TemporaryDirectory() as folder:
    big = pathlib.Path(folder, "big.bin")
    big.write_bytes(os.urandom(3_000_000))
    with mlflow.start_run() as run:
        mlflow.set_tag("factory.project", "by-hand")
        mlflow.log_metric("auc", 0.5)
        mlflow.pyfunc.log_model(name="model", python_model=M(), artifacts={"big": str(big)}, pip_requirements=["mlflow"])
    print(json.dumps({"run": run.info.run_id, "digest": hashlib.sha256(big.read_bytes()).hexdigest()}))
`),
    );
    const tracking = openTracking(workspace, undefined, { piece: 1_000_000 });
    const run = await tracking.latestRun("by-hand", { key: "factory.project", value: "by-hand" });
    expect(run).toMatchObject({ id: written.run, metrics: { auc: 0.5 }, status: "FINISHED" });
    if (run === undefined) throw new Error("unreachable");
    const [model, ...others] = await tracking.loggedModels(run);
    if (model === undefined) throw new Error("no model");
    expect(others).toEqual([]);
    const before = fake.asked("GET /presigned").length;
    const fetched = await fetchModel(tracking.filesOf(model), mkdtempSync(join(root, "fetched-")), () => {});
    expect(fetched.files.find(({ path }) => path === "artifacts/big.bin")).toMatchObject({
      sha256: written.digest,
      bytes: 3_000_000,
    });
    const statuses = fake
      .asked("GET /presigned")
      .slice(before)
      .map(({ status }) => status);
    expect(statuses.filter((status) => status === 206)).toHaveLength(3);
  });
});
