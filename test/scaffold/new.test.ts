import { existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import * as z from "zod";
import { makeStyle } from "../../src/cli/style.ts";
import { command } from "../../src/commands/new.ts";
import { command as templates } from "../../src/commands/templates.ts";
import { FactoryError } from "../../src/lib/error.ts";
import { sha256 } from "../../src/lib/hash.ts";
import { parseYaml } from "../../src/lib/yaml-document.ts";
import { starterPolicy } from "../../src/policy/starter-policy.ts";
import { answering, FACTORY_YAML, git, makeTemplate, makeWorld, QUESTIONS, type World, writeFile } from "./world.ts";

let world: World;
beforeEach(() => {
  world = makeWorld();
});
afterEach(() => world.remove());

const LISTED = starterPolicy({
  organisation: "Example",
  registries: { kind: "mlflow", uri: "http://127.0.0.1:5210" },
  projects: { "claims-triage": { productLine: "claims", riskTier: "high", owner: "owner@example.com" } },
});
const read = (path: string) => readFileSync(join(world.cwd, path), "utf8");

test("makes a project: names and contents rendered, the rest byte for byte, one commit", async () => {
  const bytes = Buffer.from([0, 255, 10, 13, 123, 123]);
  const folder = makeTemplate(world, {
    "src/{{ package }}.liquid/data.bin": bytes,
    "src/{{ package }}.liquid/a.py": "{{ untouched }}",
    "m.txt.liquid":
      "{{ model_name }} {{ year }} {{ template_name }} {{ template_version }} {{ factory_version }} {{ risk_tier }}",
  });
  writeFile(join(folder, "files/run.sh"), "#!/bin/sh\n", 0o755);
  const answer = await command.run({ name: "claims-triage" }, world.context());
  const data = z
    .object({ commit: z.string(), template: z.object({ digest: z.string() }), files: z.int() })
    .parse(answer.data);
  expect(answer.data).toMatchObject({
    project: "claims-triage",
    folder: "claims-triage",
    files: 8,
    pilot: true,
    git: { state: "committed" },
    dryRun: false,
  });
  expect(readFileSync(join(world.cwd, "claims-triage/src/claims_triage/data.bin")).equals(bytes)).toBe(true);
  expect(read("claims-triage/src/claims_triage/a.py")).toBe("{{ untouched }}");
  expect(read("claims-triage/m.txt")).toBe("claims.triage 2026 tiny 1.2.3 0.0.0 medium");
  expect(statSync(join(world.cwd, "claims-triage/run.sh")).mode & 0o111).toBe(0o111);
  expect(statSync(join(world.cwd, "claims-triage/m.txt")).mode & 0o111).toBe(0);
  const project = join(world.cwd, "claims-triage");
  expect(git(project, "rev-parse", "HEAD")).toBe(data.commit);
  expect(git(project, "rev-list", "--count", "HEAD")).toBe("1");
  expect(git(project, "branch", "--show-current")).toBe("main");
  expect(git(project, "ls-files").split("\n")).toHaveLength(data.files);
  expect(git(project, "status", "--porcelain")).toBe("");
  const lines = [
    "factory.yaml.liquid",
    "m.txt.liquid",
    "run.sh",
    "src/{{ package }}.liquid/a.py",
    "src/{{ package }}.liquid/data.bin",
  ]
    .map((path) => `files/${path}`)
    .concat("template.yaml");
  const manifest = lines.map((path) => `${sha256(readFileSync(join(folder, path)))}  ${path}\n`).join("");
  expect(data.template.digest).toBe(`sha256:${sha256(manifest)}`);
  expect(parseYaml(read("claims-triage/.factory/answers.yaml"), "answers", z.unknown())).toEqual({
    template: { name: "tiny", version: "1.2.3", digest: data.template.digest },
    createdAt: "2026-11-25T10:00:00.000Z",
    answers: { project: "claims-triage", product_line: "claims", risk_tier: "medium", owner: "team@example.com" },
  });
  expect(read("claims-triage/.factory/schemas/factory.schema.json")).toBe("{}\n");
  const text = command.render(answer.data, makeStyle(false, 100));
  expect(text).toContain("✔ 8 files in claims-triage/, git repository with one commit");
  expect(text).toContain("pilot");
  expect(text).toMatch(/Next: {2}cd claims-triage && factory check$/);
});

test.each([
  ["claims", "claims.model"],
  ["claims-triage", "claims.triage"],
  ["a1-b-c", "a1.b_c"],
  ["fraud-2x", "fraud_2x.model"],
])("%s becomes the model %s", async (name, model) => {
  makeTemplate(world, { "m.liquid": "{{ model_name }}" });
  await command.run({ name, git: false }, world.context());
  expect(read(`${name}/m`)).toBe(model);
});

const REFUSED: readonly {
  what: string;
  input: { set?: string[]; answers?: string; template?: string };
  code: string;
  says: string;
}[] = [
  {
    what: "an unknown answer",
    input: { set: ["risk_teir=low"] },
    code: "answers.invalid",
    says: 'did you mean "risk_tier"?',
  },
  {
    what: "a choice that is none",
    input: { set: ["risk_tier=huge"] },
    code: "answers.invalid",
    says: "low, medium, high",
  },
  {
    what: "maybe for yes or no",
    input: { set: ["streaming=maybe"] },
    code: "answers.invalid",
    says: 'yes or no, not "maybe"',
  },
  {
    what: "a word for a number",
    input: { set: ["target=four"] },
    code: "answers.invalid",
    says: 'a number, not "four"',
  },
  { what: "infinity for a number", input: { set: ["target=Infinity"] }, code: "answers.invalid", says: "a number" },
  { what: "an answer without =", input: { set: ["low"] }, code: "answers.set", says: "key=value" },
  { what: "an answer twice", input: { set: ["risk_tier=low", "risk_tier=high"] }, code: "answers.set", says: "twice" },
  { what: "another project", input: { set: ["project=other"] }, code: "answers.project", says: "other" },
  { what: "a line break", input: { set: ["owner=a\nb"] }, code: "answers.invalid", says: "one line" },
  { what: "a secret", input: { set: [`owner=dapi${"0".repeat(32)}`] }, code: "answers.invalid", says: "secret" },
  { what: "an answer that is not asked", input: { set: ["topic=x"] }, code: "answers.invalid", says: "streaming=true" },
  {
    what: "text in place of a number in a file",
    input: { answers: "text.yaml" },
    code: "answers.invalid",
    says: "a number",
  },
  {
    what: "an answers file that is not there",
    input: { answers: "none.yaml" },
    code: "file.missing",
    says: "none.yaml",
  },
  {
    what: "a template that is not there",
    input: { template: "tinny" },
    code: "template.unknown",
    says: 'did you mean "tiny"?',
  },
  {
    what: "a folder without a template",
    input: { template: "./none" },
    code: "template.missing",
    says: "template.yaml",
  },
];
const MORE = `${QUESTIONS}  - { name: streaming, type: boolean, prompt: Streaming, default: false }
  - { name: topic, type: string, prompt: Topic, default: claims, when: { streaming: true } }
  - { name: target, type: number, prompt: Target, default: 4.3 }
`;

test.each(REFUSED)("$what is refused", async ({ input, code, says }) => {
  makeTemplate(world, {}, { questions: MORE });
  writeFile(join(world.cwd, "text.yaml"), 'target: "4"\n');
  const error = await command
    .run({ name: "claims-triage", ...input }, world.context())
    .catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code, exit: 2 });
  expect(error).toBeInstanceOf(FactoryError);
  if (error instanceof FactoryError)
    expect(
      [error.message, error.hint, ...error.problems.flatMap((each) => [each.message, each.hint])].join("\n"),
    ).toContain(says);
  expect(existsSync(join(world.cwd, "claims-triage"))).toBe(false);
});

test("answers keep their types, from flags and from a file; a flag wins; conditions open questions", async () => {
  makeTemplate(
    world,
    { "t.liquid": "{% if streaming %}{{ topic }} {{ target | plus: 1 }}{% endif %}" },
    { questions: MORE },
  );
  writeFile(join(world.cwd, "a.yaml"), "streaming: true\ntarget: 2\nrisk_tier: low\n");
  const answer = await command.run(
    { name: "claims-triage", answers: "a.yaml", set: ["target=5.5"], git: false },
    world.context(),
  );
  expect(answer.data).toMatchObject({ answers: { streaming: true, topic: "claims", target: 5.5, risk_tier: "low" } });
  expect(read("claims-triage/t")).toBe("claims 6.5");
  const again = await command.run(
    { name: "other", answers: "claims-triage/.factory/answers.yaml", git: false },
    world.context(),
  );
  expect(again.data).toMatchObject({ answers: { project: "other", topic: "claims", target: 5.5 } });
});

test("without a terminal every missing answer is named with its flag", async () => {
  makeTemplate(world);
  const run = command.run({ name: "claims-triage", set: ["owner=a@example.com"] }, world.context({ yes: false }));
  await expect(run).rejects.toMatchObject({
    code: "answers.missing",
    exit: 2,
    hint: expect.stringContaining("--set product_line=claims|revenue --set risk_tier=low|medium|high"),
  });
});

test("asks a person what no flag answers, with what the policy offers", async () => {
  makeTemplate(world);
  writeFile(join(world.cwd, "policy.yaml"), LISTED);
  const person = answering(["revenue", "low", "me@example.com"]);
  const answer = await command.run(
    { name: "pilot-one", git: false },
    world.context({ yes: false, prompts: person.prompts }),
  );
  expect(person.asked.map((each) => each.message)).toEqual(["Product line", "Risk tier", "Owner"]);
  expect(person.asked[0]?.choices).toContainEqual({ value: "claims", hint: "1 of 4 slots used" });
  expect(person.asked[0]?.choices).toContainEqual({ value: "quality", hint: "0 of 4 slots used" });
  expect(person.asked[1]?.choices).toContainEqual({ value: "medium", hint: "1 approver, a ticket" });
  expect(answer.data).toMatchObject({
    pilot: true,
    answers: { product_line: "revenue", risk_tier: "low", owner: "me@example.com" },
  });
});

test("takes what the policy says for a listed project, and refuses what differs", async () => {
  makeTemplate(world, { "factory.yaml.liquid": `${FACTORY_YAML}policy: {{ policy_path }}\n` });
  writeFile(join(world.cwd, "policy.yaml"), LISTED);
  await expect(command.run({ name: "claims-triage", set: ["risk_tier=low"] }, world.context())).rejects.toMatchObject({
    code: "answers.policy",
    exit: 2,
  });
  const answer = await command.run({ name: "claims-triage", dir: "models/new", git: false }, world.context());
  expect(answer.data).toMatchObject({
    pilot: false,
    folder: "models/new/claims-triage",
    answers: { product_line: "claims", risk_tier: "high", owner: "owner@example.com" },
  });
  expect(read("models/new/claims-triage/factory.yaml")).toContain("policy: ../../../policy.yaml");
});

test("a dry run checks everything and writes nothing", async () => {
  makeTemplate(world);
  const before = world.snapshot();
  const answer = await command.run({ name: "claims-triage", dir: "new/folder" }, world.context({ dryRun: true }));
  expect(answer.data).toMatchObject({ files: 4, dryRun: true });
  expect(world.snapshot()).toEqual(before);
});

test("without an identity the project is made, without a commit, and says why", async () => {
  makeTemplate(world);
  const answer = await command.run(
    { name: "claims-triage" },
    world.context({
      variables: { PATH: process.env.PATH ?? "", HOME: join(world.root, "home"), GIT_CONFIG_NOSYSTEM: "1" },
    }),
  );
  expect(answer.data).toMatchObject({ git: { state: "no-identity" } });
  expect(command.render(answer.data, makeStyle(false, 100))).toContain(
    "no commit was made: git does not know who you are",
  );
  expect(existsSync(join(world.cwd, "claims-triage/factory.yaml"))).toBe(true);
});

test("without git the project is made all the same", async () => {
  makeTemplate(world);
  const answer = await command.run(
    { name: "claims-triage" },
    world.context({ variables: { PATH: join(world.root, "home"), HOME: join(world.root, "home") } }),
  );
  expect(answer.data).toMatchObject({ git: { state: "no-git" } });
  expect(existsSync(join(world.cwd, "claims-triage/factory.yaml"))).toBe(true);
});

test("hooks, templates and variables of the user's git are not used", async () => {
  makeTemplate(world);
  const home = join(world.root, "home");
  writeFile(join(home, "hooks/pre-commit"), `#!/bin/sh\ntouch ${world.root}/ran\nexit 1\n`, 0o755);
  writeFile(join(home, "tpl/hooks/post-commit"), `#!/bin/sh\ntouch ${world.root}/ran\n`, 0o755);
  writeFile(
    join(home, ".gitconfig"),
    `[user]\nname = Me\nemail = me@example.com\n[core]\nhooksPath = ${home}/hooks\nexcludesFile = ${home}/ignore\n[init]\ntemplateDir = ${home}/tpl\n[commit]\ngpgSign = true\n`,
  );
  writeFile(join(home, "ignore"), "*\n");
  const variables = {
    PATH: process.env.PATH ?? "",
    HOME: home,
    GIT_DIR: join(world.root, "elsewhere"),
    GIT_TEMPLATE_DIR: join(home, "tpl"),
  };
  const answer = await command.run({ name: "claims-triage" }, world.context({ variables }));
  expect(answer.data).toMatchObject({ git: { state: "committed" } });
  expect(git(join(world.cwd, "claims-triage"), "log", "-1", "--format=%ae")).toBe("me@example.com");
  expect([
    existsSync(join(world.root, "ran")),
    existsSync(join(world.root, "elsewhere")),
    existsSync(join(world.cwd, "claims-triage/.git/hooks")),
  ]).toEqual([false, false, false]);
});

test("an interruption leaves nothing, folders made for the project included", async () => {
  makeTemplate(world);
  const before = world.snapshot();
  const abort = new AbortController();
  abort.abort(new Error("interrupted"));
  await expect(
    command.run({ name: "claims-triage", dir: "a/b" }, world.context({ signal: abort.signal })),
  ).rejects.toThrow("interrupted");
  expect(world.snapshot()).toEqual(before);
});

test("an empty folder of that name is taken", async () => {
  makeTemplate(world);
  mkdirSync(join(world.cwd, "claims-triage"));
  await expect(command.run({ name: "claims-triage", git: false }, world.context())).resolves.toMatchObject({
    ok: true,
  });
  expect(existsSync(join(world.cwd, "claims-triage/factory.yaml"))).toBe(true);
});

test("templates lists what is there with its questions", async () => {
  makeTemplate(world);
  const answer = await templates.run({}, world.context());
  expect(answer.data).toMatchObject({
    templates: [
      {
        name: "tiny",
        version: "1.2.3",
        description: "A small one",
        questions: [{ name: "project" }, { name: "product_line", choices: ["claims", "revenue"] }, {}, {}],
      },
    ],
  });
  expect(templates.render(answer.data, makeStyle(false, 100))).toContain("tiny  1.2.3  A small one");
});
