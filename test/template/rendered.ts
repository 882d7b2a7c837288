import { join } from "node:path";
import { parse } from "yaml";
import { type Policy, policySchema } from "../../src/policy/policy.ts";
import { starterPolicy } from "../../src/policy/starter-policy.ts";
import { settleAnswers } from "../../src/scaffold/answers.ts";
import { planProject } from "../../src/scaffold/plan-project.ts";
import { readManifest, readTemplate } from "../../src/scaffold/read-template.ts";
import { root } from "../support/paths.ts";

/** Hosts of the workspaces, by the environment; one that is left out is not pinned by the policy. */
export type Hosts = Readonly<Record<string, string>>;

/** The files of a project that the batch-scoring template makes, by path; with hosts: under a policy with a workspace for each environment. */
export async function renderedProject(hosts?: Hosts, ledger?: Policy["ledger"]): Promise<ReadonlyMap<string, string>> {
  const folder = join(root, "templates", "batch-scoring");
  const manifest = await readManifest(folder);
  const { answers } = settleAnswers(manifest.questions, { project: "claims-triage" }, { takeDefaults: true });
  const uri = "https://mlflow.example.com";
  const registries = hosts === undefined ? { kind: "mlflow" as const, uri } : { kind: "unity-catalog" as const };
  const policy = policySchema.parse(parse(starterPolicy({ organisation: "Example Mutual", registries })));
  if (ledger !== undefined) policy.ledger = ledger;
  for (const { name, registry } of policy.environments)
    if (registry.kind !== "mlflow" && hosts?.[name] !== undefined) registry.host = hosts[name];
  const schemas = { factory: Buffer.from("{}"), policy: Buffer.from("{}") };
  const facts = { policyPath: "../policy.yaml", schemas, now: new Date(0), factoryVersion: "1.2.3", policy };
  const { files } = planProject(readTemplate(folder, manifest), "claims-triage", answers, facts);
  return new Map(files.map(({ path, bytes }) => [path, Buffer.from(bytes).toString("utf8")]));
}
