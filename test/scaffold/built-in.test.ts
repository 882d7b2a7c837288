import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { checkFactoryYaml } from "../../src/scaffold/check-factory-yaml.ts";
import { planProject } from "../../src/scaffold/plan-project.ts";
import { listTemplates, readTemplate } from "../../src/scaffold/read-template.ts";
import type { Answers } from "../../src/scaffold/template-manifest.ts";
import { root } from "../support/paths.ts";

const templates = await listTemplates(join(root, "templates"));
const schemas = { factory: Buffer.from("{}"), policy: Buffer.from("{}") };
const AWKWARD = [
  "plain",
  'quote " and \\ backslash',
  "colon: and # hash",
  "'single'",
  "{{ liquid }} {% raw %}",
  "- dash",
  "&anchor *alias !tag",
  "line\nbreak\ttab",
  "ünïcödé 漢字 \u2028 \u00a0",
  "null",
  "2026-11-25",
  "yes",
];

/** `new` does not read again what the built-in templates rendered: this is what holds it instead. */
describe.each(templates)("the built-in template $manifest.name", ({ folder, manifest }) => {
  const template = readTemplate(folder, manifest);
  const texts = manifest.questions.filter((question) => question.type === "string" && question.name !== "project");
  const defaults: Answers = Object.fromEntries(
    manifest.questions.flatMap((question) =>
      question.default === undefined ? [] : [[question.name, question.default]],
    ),
  );

  it.each(AWKWARD)("makes a valid factory.yaml and keeps the answers, whatever is answered: %j", (text) => {
    const answers = { ...defaults, ...Object.fromEntries(texts.map((question) => [question.name, text])) };
    for (const policyPath of ["../policy.yaml", "../a: b #c/policy.yaml", '../"q"/policy.yaml']) {
      const plan = planProject(template, "claims-triage", answers, {
        policyPath,
        schemas,
        now: new Date(0),
        factoryVersion: "1.2.3",
      });
      checkFactoryYaml(plan.files, "claims-triage");
      const file = (path: string) =>
        parse(Buffer.from(plan.files.find((each) => each.path === path)?.bytes ?? []).toString("utf8"));
      expect(file("factory.yaml").policy).toBe(policyPath);
      expect(file(".factory/answers.yaml").answers).toEqual({ ...answers, project: "claims-triage" });
    }
  });
});
