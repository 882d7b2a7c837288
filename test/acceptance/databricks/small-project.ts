import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { openTracking } from "../../../src/clients/databricks/tracking.ts";
import type { Workspace } from "../../../src/clients/databricks/workspace.ts";
import { openHistory } from "../../../src/clients/git.ts";
import { type Attachment, sealEvidence } from "../../../src/evidence/seal.ts";
import { sha256 } from "../../../src/lib/hash.ts";
import { peopleSince } from "../../../src/people/changed-by.ts";
import { digestModel } from "../../../src/registry/model-files.ts";
import { recallRun } from "../../../src/training/last-run.ts";
import { BUNDLE, CODE, WHEEL } from "../../deploy/world.ts";
import { GATES, passed } from "../../support/small-line.ts";

const TRAIN = `
import mlflow
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema


class Model(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return [0.5] * len(model_input)


with mlflow.start_run():
    mlflow.log_metric("roc_auc", 0.67)
    mlflow.pyfunc.log_model(
        name="model",
        python_model=Model(),
        signature=ModelSignature(Schema([ColSpec("double", "amount")]), Schema([ColSpec("double", "score")])),
        pip_requirements=["mlflow==3.17.2"],
    )
`;
const PROJECT = {
  factory: 1,
  project: "claims-triage",
  policy: "../policy.yaml",
  model: { name: "claims.triage", train: "python train.py" },
  gates: { unit: { run: "true" }, model: { run: "true", metrics: [{ name: "roc_auc", min: 0.62 }] } },
  release: { strategy: "direct", endpoint: "claims-triage" },
};

/**
 * In the place of the project that `factory new` made, one that trains in a second: the real one is trained and checked in other tests.
 * The commit stays the author's.
 */
export function shrinkProject(folder: string, variables: Record<string, string>): void {
  for (const name of readdirSync(folder))
    if (![".git", ".gitignore"].includes(name)) rmSync(join(folder, name), { recursive: true });
  const files = {
    "factory.yaml": `${JSON.stringify(PROJECT, null, 2)}\n`,
    "train.py": TRAIN,
    "uv.lock": "version = 1\n",
    ...BUNDLE,
    ...Object.fromEntries(Object.entries(CODE).map(([path, text]) => [`src/${path}`, text])),
  };
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text.replaceAll("acme_", ""));
  }
  const git = (...args: string[]) => execFileSync("git", args, { cwd: folder, env: variables });
  git("add", "--all");
  git("commit", "--quiet", "--message", "A small model");
}

/** What `factory check` seals about the last run, with every gate passed: its gates are run in other tests. */
export async function sealCheck(
  folder: string,
  workspace: Workspace,
  variables: Record<string, string>,
): Promise<string> {
  const last = recallRun(folder);
  if (last === undefined) throw new Error("nothing was trained");
  const tracking = openTracking(workspace);
  const run = await tracking.run(last.run);
  const [logged] = run === undefined ? [] : await tracking.loggedModels(run);
  if (logged === undefined) throw new Error("no model was logged");
  const { manifest, digest } = await digestModel(tracking.filesOf(logged), () => {});
  const history = await peopleSince(openHistory(folder, variables, new AbortController().signal), undefined);
  const commit = execFileSync("git", ["rev-parse", "HEAD"], { cwd: folder, env: variables, encoding: "utf8" }).trim();
  const at = new Date();
  const text = (path: string) => readFileSync(join(folder, path), "utf8");
  const attachments: Attachment[] = [
    { kind: "project", name: "factory.yaml", content: text("factory.yaml") },
    {
      kind: "metrics",
      name: "model-metrics.json",
      content: JSON.stringify({
        schema: "factory.metrics/v1",
        metrics: [{ name: "roc_auc", value: 0.67, n: 900, model: "candidate", dataset: "c".repeat(64) }],
      }),
      gate: "model",
    },
    { kind: "model", name: "manifest.sha256", content: manifest },
    { kind: "wheel", name: WHEEL.name, content: WHEEL.bytes },
    ...Object.keys(BUNDLE).map((path): Attachment => ({ kind: "bundle", name: path, content: text(path) })),
  ];
  const { digest: evidence } = await sealEvidence(
    {
      v: 1,
      factory: { version: "0.1.0" },
      project: "claims-triage",
      run: { id: last.run, experiment: "claims-triage" },
      model: { name: "claims.triage", digest },
      commit,
      dirty: false,
      rules: {},
      data: [],
      lock: sha256(text("uv.lock")),
      seed: null,
      train: ["python", "train.py"],
      thresholds: PROJECT.gates.model.metrics,
      champion: "first release",
      people: { since: null, commits: history.commits, people: [...history.people] },
      started: at.toISOString(),
      finished: at.toISOString(),
    },
    GATES.map((name) => passed(name, at)),
    attachments,
    join(folder, ".factory", "evidence"),
  );
  return evidence;
}
