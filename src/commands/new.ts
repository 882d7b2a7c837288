import { readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import * as z from "zod";
import { defineCommand } from "../cli/command.ts";
import type { Context } from "../cli/context.ts";
import { shellWord } from "../cli/shell-word.ts";
import { count, MARK, type Style } from "../cli/style.ts";
import { usageError } from "../lib/error.ts";
import { findUpward } from "../lib/files.ts";
import { nearest } from "../lib/nearest.ts";
import { listingIn } from "../policy/listing.ts";
import type { Policy } from "../policy/policy.ts";
import type { ReadPolicy } from "../policy/read-policy.ts";
import { answersFromFlags, flagOf, refuseOpen, settleAnswers, typedAnswer } from "../scaffold/answers.ts";
import { BUILT_IN } from "../scaffold/built-in.ts";
import type { FirstCommit } from "../scaffold/first-commit.ts";
import { checkProjectName, planProject, type Schemas } from "../scaffold/plan-project.ts";
import { answersOfPolicy, type OfferedQuestion, offerPolicy } from "../scaffold/policy-answers.ts";
import { holdsTemplate, isTemplatePath, listTemplates, readManifest, readTemplate } from "../scaffold/read-template.ts";
import { type Answers, problemOfAnswer, type TemplateManifest } from "../scaffold/template-manifest.ts";
import { checkTarget, writeProject } from "../scaffold/write-project.ts";

const output = z.object({
  project: z.string(),
  /** Relative to where the command ran. */
  folder: z.string(),
  template: z.object({ name: z.string(), version: z.string(), digest: z.string() }),
  files: z.int(),
  bytes: z.int(),
  commit: z.string().optional(),
  git: z.object({
    state: z.enum(["committed", "no-identity", "no-git", "failed", "left-out"]),
    why: z.string().optional(),
  }),
  pilot: z.boolean(),
  policy: z.string().optional(),
  answers: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  dryRun: z.boolean(),
});
type Output = z.infer<typeof output>;

export const command = defineCommand({
  name: "new",
  summary: "Make a project from a template",
  description:
    "Every question has a flag: --set name=value. What policy.yaml (beside the project's folder or above) says about the project is taken from there.",
  arguments: [{ name: "name", description: "the project: lower-case letters, digits and -", required: true }],
  options: [
    { flags: "--template <name>", description: "built-in template, or a folder with your own (factory templates)" },
    { flags: "--set <key=value...>", description: "answer a question" },
    { flags: "--answers <file>", description: "answers from a YAML file" },
    { flags: "--dir <folder>", description: "make NAME in this folder (default: here)" },
    { flags: "--no-git", description: "make no git repository" },
  ],
  examples: [
    "factory new claims-triage",
    "factory new claims-triage --template batch-scoring --set risk_tier=medium ci=github --yes",
  ],
  writes: true,
  input: z.object({
    name: z.string(),
    template: z.string().min(1).optional(),
    set: z.array(z.string()).default([]),
    answers: z.string().min(1).optional(),
    dir: z.string().min(1).default("."),
    git: z.boolean().default(true),
  }),
  output,
  async run(input, context) {
    checkProjectName(input.name);
    const target = resolve(context.cwd, input.dir, input.name);
    checkTarget(target);
    const { folder, manifest } = await chooseTemplate(input.template, context);
    const template = readTemplate(folder, manifest);
    const policy = await policyAbove(resolve(context.cwd, input.dir));
    const questions = offerPolicy(template.manifest.questions, policy?.policy);
    const fromFile = input.answers === undefined ? {} : await readAnswers(resolve(context.cwd, input.answers));
    const given = { ...fromFile, ...answersFromFlags(questions, input.set) };
    const answers = await answerAll(questions, given, input.name, policy?.policy, context);
    const policyPath = policy === undefined ? "../policy.yaml" : relative(target, policy.path);
    const plan = planProject(template, input.name, answers, {
      policyPath,
      policy: policy?.policy,
      schemas: readSchemas(context.places.schemas),
      now: context.now(),
      factoryVersion: context.version,
    });
    if (!Object.values(BUILT_IN).some(({ digest }) => digest === template.digest)) {
      const { checkFactoryYaml } = await import("../scaffold/check-factory-yaml.ts");
      checkFactoryYaml(plan.files, input.name);
    }
    const git = context.dryRun ? undefined : await write(target, plan.files, template.manifest, input.git, context);
    const { name, version } = template.manifest;
    const data: Output = {
      project: input.name,
      folder: relative(context.cwd, target) || ".",
      template: { name, version, digest: `sha256:${template.digest}` },
      files: plan.files.length,
      bytes: plan.bytes,
      ...(git?.state === "committed" && { commit: git.commit }),
      git:
        git === undefined
          ? { state: "left-out", why: "dry run" }
          : git.state === "committed"
            ? { state: git.state }
            : git,
      pilot: listingIn(policy?.policy, input.name) === undefined,
      ...(policy && { policy: policyPath }),
      answers,
      dryRun: context.dryRun,
    };
    return { ok: true, data };
  },
  render: renderNew,
});

async function chooseTemplate(
  reference: string | undefined,
  context: Context,
): Promise<{ folder: string; manifest: TemplateManifest }> {
  if (reference !== undefined && isTemplatePath(reference)) {
    const folder = resolve(context.cwd, reference);
    if (!holdsTemplate(folder))
      throw usageError(
        "template.missing",
        `${folder} holds no template.yaml`,
        "a template is a folder with template.yaml and files/",
      );
    return { folder, manifest: await readManifest(folder) };
  }
  const templates = await listTemplates(context.places.templates);
  const names = templates.map((each) => each.manifest.name);
  const [only] = names;
  if (only === undefined)
    throw usageError(
      "template.none",
      "no templates are installed",
      "install the package again, or give a folder: --template ./my-template",
    );
  const choices = templates.map(({ manifest }) => ({ value: manifest.name, hint: manifest.description }));
  const usual = names.includes("batch-scoring") ? "batch-scoring" : only;
  const chosen =
    reference ??
    (names.length === 1 || context.yes
      ? usual
      : await context.prompts.choose({
          message: "Template",
          flag: `--template ${names.join("|")}`,
          choices,
          default: usual,
        }));
  const found = templates.find((each) => each.manifest.name === chosen);
  if (found !== undefined) return found;
  const guess = nearest(chosen, names);
  const here = holdsTemplate(resolve(context.cwd, chosen))
    ? `a folder is given with a slash: --template ./${chosen}`
    : undefined;
  throw usageError(
    "template.unknown",
    `no template is called ${JSON.stringify(chosen)}`,
    here ?? (guess ? `did you mean ${JSON.stringify(guess)}?` : `there are: ${names.join(", ")}`),
  );
}

// What reads YAML is loaded only when there is some to read: it would be a quarter of the time of this command.
async function policyAbove(folder: string): Promise<ReadPolicy | undefined> {
  const holder = findUpward(folder, "policy.yaml");
  return holder === undefined
    ? undefined
    : (await import("../policy/read-policy.ts")).readPolicy(join(holder, "policy.yaml"));
}

async function readAnswers(path: string): Promise<Answers> {
  return (await import("../scaffold/answers-file.ts")).answersFromFile(path);
}

/** Flags, file and policy first; then defaults (--yes) or a person. */
async function answerAll(
  questions: readonly OfferedQuestion[],
  given: Answers,
  project: string,
  policy: Policy | undefined,
  context: Context,
): Promise<Record<string, string | number | boolean>> {
  if (given.project !== undefined && given.project !== project)
    throw usageError(
      "answers.project",
      `project is ${given.project} in the answers, but NAME is ${project}`,
      "leave project out of the answers",
    );
  let known: Answers = { ...given, ...answersOfPolicy(questions, policy, project, given), project };
  for (;;) {
    const { answers, open } = settleAnswers(questions, known, { takeDefaults: context.yes });
    const [asked] = open;
    if (asked === undefined) return answers;
    if (context.yes) refuseOpen(open, "no default");
    if (!context.prompts.interactive) refuseOpen(open, "no terminal");
    known = { ...known, [asked.name]: typedAnswer(asked, await ask(asked, context)) };
  }
}

async function ask(asked: OfferedQuestion, context: Context): Promise<string> {
  const flag = flagOf(asked);
  const usual =
    asked.default === undefined
      ? {}
      : { default: typeof asked.default === "boolean" ? (asked.default ? "yes" : "no") : String(asked.default) };
  const values = asked.type === "boolean" ? ["yes", "no"] : asked.choices;
  if (values === undefined) {
    const validate = (text: string) => problemOfAnswer(asked, typedAnswer(asked, text));
    return context.prompts.ask({ message: asked.prompt, flag, validate, ...usual });
  }
  const choices = values.map((value) => ({ value, ...(asked.notes?.[value] && { hint: asked.notes[value] }) }));
  return context.prompts.choose({ message: asked.prompt, flag, choices, ...usual });
}

function readSchemas(folder: string): Schemas {
  const read = (name: string) => {
    try {
      return readFileSync(join(folder, name));
    } catch {
      throw usageError(
        "install.schemas",
        `this installation has no ${name} in ${folder}`,
        "install the package again (in a clone: npm run build)",
      );
    }
  };
  return { factory: read("factory.schema.json"), policy: read("policy.schema.json") };
}

function write(
  target: string,
  files: Parameters<typeof writeProject>[1],
  template: { name: string; version: string },
  withGit: boolean,
  context: Context,
): Promise<FirstCommit> {
  return writeProject<FirstCommit>(target, files, async (folder) =>
    withGit
      ? (await import("../scaffold/first-commit.ts")).commitFirst(
          folder,
          `Start from template ${template.name} ${template.version}`,
          context.variables,
          context.signal,
        )
      : { state: "left-out", why: "--no-git" },
  );
}

function renderNew(data: Output, style: Style): string {
  const size = `${count(data.files)} files in ${data.folder}/`;
  const lines: string[] = [];
  if (data.dryRun)
    lines.push(
      `Would write ${size} (${count(data.bytes)} bytes) from template ${data.template.name} ${data.template.version}`,
    );
  else
    lines.push(
      `${style.ok(MARK.pass)} ${size}${data.git.state === "committed" ? ", git repository with one commit" : ""}`,
    );
  if (["no-identity", "no-git", "failed"].includes(data.git.state)) {
    const remedy =
      data.git.state === "no-identity"
        ? 'git config --global user.name "Your Name" && git config --global user.email you@example.com && git add --all && git commit -m "New project"'
        : 'git init && git add --all && git commit -m "New project", once git works';
    lines.push(`${style.warn(MARK.note)} no commit was made: ${data.git.why}`, `    in the project: ${remedy}`);
  }
  if (data.pilot)
    lines.push(
      `${style.warn(MARK.note)} pilot: ${data.policy === undefined ? "no policy.yaml lies beside its folder or above" : "policy.yaml does not list it"}, so it goes no further than the first environment`,
      ...(data.policy === undefined
        ? [
            "    a policy that lies elsewhere: name it under policy in factory.yaml, and in the workflow that ships if there is one",
          ]
        : []),
    );
  if (!data.dryRun) lines.push("", `Next:  cd ${shellWord(data.folder)} && factory check`);
  return lines.join("\n");
}
