import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Attachment } from "../../src/evidence/seal.ts";
import { unityLine } from "../clients/unity-catalog/line-parts.ts";
import { type Behaviour, type StandIn, standIn } from "../fakes/databricks-cli/stand-in.ts";
import type { FakeWorkspace } from "../fakes/workspace/server.ts";
import type { MlflowServer } from "../support/mlflow-server.ts";
import type { LineWish, SmallLine, TrainedRun } from "../support/small-line.ts";
import { wheelOf } from "../support/zip.ts";

/** The code of the project; the wheel holds it without `src/`. */
export const CODE = { "claims_triage/score.py": "def main() -> None: ...\n" };
export const WHEEL = { name: "claims_triage-0.1.0-py3-none-any.whl", bytes: wheelOf(CODE) };
export const RUN_AS = "0a1b2c3d-0000-4000-8000-000000000001";

export const BUNDLE: Readonly<Record<string, string>> = {
  "databricks.yml": `bundle:
  name: claims-triage

include:
  - resources/*.yml

variables:
  catalog:
    description: catalog of the environment
  model_version:
    default: none
  commit:
    default: none

targets:
  test:
    mode: production
    workspace:
      root_path: /Workspace/Shared/.bundle/claims-triage/test
    variables:
      catalog: acme_test
    run_as:
      service_principal_name: ${RUN_AS}
  prod:
    mode: production
    workspace:
      root_path: /Workspace/Shared/.bundle/claims-triage/prod
    variables:
      catalog: acme_prod
    run_as:
      service_principal_name: ${RUN_AS}
`,
  "resources/jobs.yml": `resources:
  experiments:
    runs:
      name: /Shared/claims-triage-\${bundle.target}
  jobs:
    scoring:
      name: claims-triage-scoring-\${bundle.target}
      tags:
        model_version: \${var.model_version}
      schedule:
        quartz_cron_expression: 0 0 5 * * ?
        timezone_id: UTC
        pause_status: UNPAUSED
      tasks:
        - task_key: score
          environment_key: default
          python_wheel_task:
            package_name: claims-triage
            entry_point: score
            named_parameters:
              model: models:/\${var.catalog}.claims.triage@champion
              commit: \${var.commit}
      environments:
        - environment_key: default
          spec:
            environment_version: "4"
            dependencies:
              - ../dist/*.whl
`,
};

export interface DeployLine extends SmallLine {
  cli: StandIn;
  /** The program behaves otherwise from now on. */
  behave(behaviour: Behaviour): void;
  write(path: string, text: string): void;
  /** Trains, seals evidence with the wheel and the bundle as they lie here, registers; returns the number. */
  bring(text: string, change?: (attachments: Attachment[]) => Attachment[]): Promise<string>;
}

/** A line in catalogs with a bundle, whose people find the stand-in as their Databricks CLI. */
export async function deployLine(server: MlflowServer, fake: FakeWorkspace, wish: LineWish = {}): Promise<DeployLine> {
  const variables: Record<string, string> = {};
  const line = await unityLine(server, fake, fake.url, { ...wish, variables });
  const folder = join(line.root, "cli");
  const cli = standIn(folder);
  for (const person of Object.values(line.people)) {
    person.variables.DATABRICKS_CLI_PATH = cli.path;
    // What others put there must not reach the program.
    person.variables.BUNDLE_VAR_catalog = "stolen";
    person.variables.AWS_SECRET_ACCESS_KEY = "not-for-the-program";
  }
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(line.folder, path)), { recursive: true });
    writeFileSync(join(line.folder, path), text);
  };
  for (const [path, text] of Object.entries(BUNDLE)) write(path, text);
  for (const [path, text] of Object.entries(CODE)) write(`src/${path}`, text);
  const commit = () => {
    line.git("add", ".");
    line.git("commit", "--quiet", "--allow-empty", "--message", "Bundle");
  };
  commit();
  const attachments = (trained: TrainedRun): Attachment[] => [
    { kind: "project", name: "factory.yaml", content: readFileSync(join(line.folder, "factory.yaml"), "utf8") },
    {
      kind: "metrics",
      name: "model-metrics.json",
      content: JSON.stringify({
        schema: "factory.metrics/v1",
        metrics: [{ name: "roc_auc", value: 0.67, n: 900, model: "candidate", dataset: "c".repeat(64) }],
      }),
      gate: "model",
    },
    { kind: "model", name: "manifest.sha256", content: trained.manifest },
    { kind: "wheel", name: WHEEL.name, content: WHEEL.bytes },
    ...Object.keys(BUNDLE).map(
      (path): Attachment => ({ kind: "bundle", name: path, content: readFileSync(join(line.folder, path), "utf8") }),
    ),
  ];
  return {
    ...line,
    cli,
    behave: (behaviour) => void standIn(folder, behaviour),
    write,
    async bring(text, change = (all) => all) {
      commit();
      const trained = await line.train(text);
      await line.check(trained, { attachments: change(attachments(trained)) });
      const said = await line.register();
      if (said.status !== 0) throw new Error(`${said.ran.stdout}${said.ran.stderr}`);
      return String(said.data?.version);
    },
  };
}
