import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { settleAnswers } from "../../src/scaffold/answers.ts";
import { planProject } from "../../src/scaffold/plan-project.ts";
import { readManifest, readTemplate } from "../../src/scaffold/read-template.ts";
import { root } from "../support/paths.ts";

/** The service principal that a team fills in before it deploys. */
export const RUN_AS = "0a1b2c3d-0000-4000-8000-000000000001";

/** Lays down every template below a folder, with the answers that `--yes` gives; their name and their folder. */
export async function templateBundle(
  below: string,
  { runAs = RUN_AS }: { runAs?: string } = {},
): Promise<[string, string][]> {
  const laid: [string, string][] = [];
  for (const name of readdirSync(join(root, "templates"))) {
    const folder = join(root, "templates", name);
    const manifest = await readManifest(folder);
    const template = readTemplate(folder, manifest);
    const project = "claims-triage";
    const { answers } = settleAnswers(manifest.questions, { project }, { takeDefaults: true });
    const schemas = { factory: Buffer.from("{}"), policy: Buffer.from("{}") };
    const plan = planProject(template, project, answers, {
      policyPath: "../policy.yaml",
      schemas,
      now: new Date(),
      factoryVersion: "1.2.3",
    });
    const to = join(below, `template-${name}`);
    for (const { path, bytes } of plan.files) {
      mkdirSync(dirname(join(to, path)), { recursive: true });
      writeFileSync(join(to, path), bytes);
    }
    const bundle = join(to, "databricks.yml");
    const text = readFileSync(bundle, "utf8");
    writeFileSync(bundle, text.replace(/(\n {2}run_as:\n(?: {4}.*\n)*? {4}default: )""/, `$1${runAs}`));
    laid.push([name, to]);
  }
  return laid;
}
