import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as z from "zod";
import { checkBundle } from "../../src/bundle/check-bundle.ts";
import { readBundleFiles } from "../../src/bundle/read-bundle.ts";
import { fieldsOf } from "../../src/bundle/shape.ts";
import { RESOURCE_SHAPES } from "../../src/bundle/shapes-of-resources.ts";
import { runProcess } from "../../src/lib/run-process.ts";
import { type Home, makeHome } from "../support/factory.ts";
import { root } from "../support/paths.ts";
import { judges } from "../support/uv.ts";
import { templateBundle } from "./template.ts";

/** The official package; for use with Databricks only, so that it judges here and is never shipped. */
const JUDGES = ["databricks-bundles==1.22.1", "pyyaml==6.0.3"];
const folder = join(root, "test/bundle");

/** Our shapes, and the class of the package that each is about. */
const CLASSES: Readonly<Record<string, string>> = {
  job: "Job",
  task: "Task",
  dependsOn: "TaskDependency",
  notebookTask: "NotebookTask",
  wheelTask: "PythonWheelTask",
  pythonTask: "SparkPythonTask",
  jarTask: "SparkJarTask",
  sqlTask: "SqlTask",
  sqlFile: "SqlTaskFile",
  pipelineTask: "PipelineTask",
  runJobTask: "RunJobTask",
  conditionTask: "ConditionTask",
  forEachTask: "ForEachTask",
  library: "Library",
  package: "PythonPyPiLibrary",
  maven: "MavenLibrary",
  jobCluster: "JobCluster",
  cluster: "ClusterSpec",
  autoscale: "AutoScale",
  jobEnvironment: "JobEnvironment",
  environment: "Environment",
  parameter: "JobParameterDefinition",
  runAs: "JobRunAs",
  schedule: "CronSchedule",
  trigger: "TriggerSettings",
  fileArrival: "FileArrivalTriggerConfiguration",
  periodic: "PeriodicTriggerConfiguration",
  tableUpdate: "TableUpdateTriggerConfiguration",
  modelTrigger: "ModelTriggerConfiguration",
  continuous: "Continuous",
  queue: "QueueSettings",
  health: "JobsHealthRules",
  healthRule: "JobsHealthRule",
  gitSource: "GitSource",
  mails: "JobEmailNotifications",
  hooks: "WebhookNotifications",
  hook: "Webhook",
  notifications: "JobNotificationSettings",
  taskNotifications: "TaskNotificationSettings",
  jobPermission: "JobPermission",
  lifecycle: "Lifecycle",
  experiment: "MlflowExperiment",
  tag: "ExperimentTag",
  experimentPermission: "MlflowExperimentPermission",
  registeredModel: "RegisteredModel",
  grant: "PrivilegeAssignment",
  endpoint: "ModelServingEndpoint",
  endpointConfig: "EndpointCoreConfigInput",
  servedEntity: "ServedEntityInput",
  servedModel: "ServedModelInput",
  traffic: "TrafficConfig",
  route: "Route",
  inferenceTable: "AutoCaptureConfigInput",
  gateway: "AiGatewayConfig",
  gatewayLimit: "AiGatewayRateLimit",
  usageTracking: "AiGatewayUsageTrackingConfig",
  fallback: "FallbackConfig",
  rateLimit: "RateLimit",
  endpointTag: "EndpointTag",
  endpointMails: "EmailNotifications",
  endpointPermission: "ModelServingEndpointPermission",
  volume: "Volume",
  schema: "Schema",
};

const fields = z.record(
  z.string(),
  z.record(z.string(), z.object({ required: z.boolean(), values: z.array(z.string()) })),
);
const verdict = z.object({ folder: z.string(), judged: z.array(z.string()), problems: z.array(z.string()) });
const broken = z
  .array(z.object({ bundle: z.string(), official: z.boolean() }))
  .parse(JSON.parse(readFileSync(join(folder, "broken/expected.json"), "utf8")));

describe("the official package as judge", () => {
  let home: Home;
  let python: string;
  const run = async (script: string, args: readonly string[] = []) => {
    const result = await runProcess({
      argv: [python, join(folder, script), ...args],
      cwd: folder,
      env: home.variables,
      timeoutMs: 120_000,
      maxOutputBytes: 8 << 20,
    });
    expect(result.status, result.stderr).toBe(0);
    return result.stdout;
  };
  const judge = async (folders: readonly string[]) =>
    (await run("judge.py", folders))
      .trim()
      .split("\n")
      .map((line) => verdict.parse(JSON.parse(line)));

  beforeAll(async () => {
    home = makeHome();
    python = join(await judges("bundle-judge", JUDGES, home.variables), "python");
  });
  afterAll(() => home.remove());

  it("knows the fields, the required ones and the values that our table knows, and no others", async () => {
    const official = fields.parse(JSON.parse(await run("fields.py")));
    expect(Object.keys(CLASSES).sort()).toEqual(Object.keys(RESOURCE_SHAPES).sort());
    for (const [shape, name] of Object.entries(CLASSES)) {
      const theirs = official[name] ?? {};
      const ours = fieldsOf(RESOURCE_SHAPES[shape] ?? "");
      expect([...ours.keys()].sort(), shape).toEqual(Object.keys(theirs).sort());
      for (const [field, { required, type }] of ours) {
        expect(required, `${shape}.${field}`).toBe(theirs[field]?.required);
        const values = /^\[?=([^\]]*)\]?$/.exec(type)?.[1]?.split("|").sort();
        if (values !== undefined)
          expect(values, `${shape}.${field}`).toEqual([...(theirs[field]?.values ?? [])].sort());
        else if (type !== "any" && !type.includes("@")) expect(theirs[field]?.values, `${shape}.${field}`).toEqual([]);
      }
    }
  });

  it("takes every resource of the templates, and so do we", async () => {
    for (const [name, bundle] of await templateBundle(home.folder)) {
      const [said] = await judge([bundle]);
      expect(said?.problems, name).toEqual([]);
      expect(said?.judged.length, name).toBeGreaterThan(0);
      expect(checkBundle(readBundleFiles(bundle)).findings, name).toEqual([]);
    }
  });

  it.each(["whole", "rich", "serving"])("takes the bundle %s, and so do we", async (name) => {
    const [said] = await judge([join(folder, name)]);
    expect(said?.problems).toEqual([]);
    expect(said?.judged.length).toBeGreaterThan(0);
    expect(checkBundle(readBundleFiles(join(folder, name))).findings).toEqual([]);
  });

  it("sees of the broken bundles those that are listed as seen, and misses the others", async () => {
    const names = readdirSync(join(folder, "broken"), { withFileTypes: true })
      .filter((each) => each.isDirectory())
      .map((each) => each.name)
      .sort();
    const said = await judge(names.map((name) => join(folder, "broken", name)));
    expect(Object.fromEntries(said.map((each) => [each.folder, each.problems.length > 0]))).toEqual(
      Object.fromEntries(broken.map((each) => [each.bundle, each.official])),
    );
  });
});
