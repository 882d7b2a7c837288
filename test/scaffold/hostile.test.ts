import { spawnSync } from "node:child_process";
import { linkSync, mkdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { command } from "../../src/commands/new.ts";
import { FactoryError } from "../../src/lib/error.ts";
import { FACTORY_YAML, makeTemplate, makeWorld, QUESTIONS, type World, writeFile } from "./world.ts";

/** A template that must be refused. `evil` is an answer that a name is made of; `%xx` in a name is decoded by the template. */
interface Hostile {
  what: string;
  code: string;
  evil?: string;
  files?: Record<string, string | Uint8Array>;
  questions?: string;
  prepare?(files: string, world: World): void;
}

const named = (what: string, code: string, evil: string): Hostile => ({
  what,
  code,
  evil,
  files: { "{{ evil }}.liquid": "x" },
});
const decoded = (what: string, code: string, coded: string): Hostile => ({
  what,
  code,
  files: { [`{{ '${coded}' | url_decode }}.liquid`]: "x" },
});
const file = (what: string, code: string, name: string): Hostile => ({ what, code, files: { [name]: "x" } });
const text = (what: string, code: string, content: string): Hostile => ({
  what,
  code,
  files: { "page.md.liquid": content },
});
const both = (what: string, code: string, ...names: string[]): Hostile => ({
  what,
  code,
  files: Object.fromEntries(names.map((name) => [name, name])),
});

const HOSTILE: readonly Hostile[] = [
  named("parent folder", "path.parent", ".."),
  named("path out of the project", "path.parent", "../../outside/x"),
  named("parent with backslashes", "path.parent", "..\\outside"),
  named("absolute path", "path.absolute", "/etc/cron.d/x"),
  named("UNC path", "path.unc", "\\\\server\\share"),
  named("UNC path with slashes", "path.unc", "//server/share"),
  named("drive letter", "path.drive", "C:\\Windows\\x"),
  named("drive letter, relative", "path.drive", "c:x"),
  named("a slash inside", "path.slash", "a/b"),
  named("a backslash inside", "path.backslash", "a\\b"),
  named("the folder itself", "path.dot", "."),
  named("trailing dot", "path.trailing-dot", "name."),
  named("trailing space", "path.space", "name "),
  named("leading space", "path.space", " name"),
  named("alternate data stream", "path.character", "a.txt:hidden"),
  named("wildcard", "path.character", "a*"),
  named("device name", "path.reserved", "CON"),
  named("device name with an extension", "path.reserved", "nul.tar.gz"),
  named("device name with a superscript digit", "path.reserved", "com¹"),
  named("git folder", "path.git", ".git"),
  named("git folder in capitals", "path.git", ".GIT"),
  named("git folder with a space", "path.git", ".git "),
  named("git folder with a dot", "path.git", ".git."),
  named("git folder with an ignorable character", "path.git", ".g\u200cit"),
  named("git folder in full-width letters", "path.git", ".ｇｉｔ"),
  named("git folder by its short name", "path.git", "GIT~1"),
  named("git folder by its stream", "path.git", ".git::$INDEX_ALLOCATION"),
  named("right-to-left override", "path.invisible", "a\u202egpj.exe"),
  named("name of 256 bytes", "path.name-length", `${"é".repeat(127)}.x`),
  named("factory's own folder", "path.factory", ".factory"),
  named("factory's own folder in capitals", "path.factory", ".FACTORY"),
  decoded("NUL in a name", "path.nul", "a%00b"),
  decoded("newline in a name", "path.control", "a%0Ab"),
  decoded("escape sequence in a name", "path.control", "a%1B[31m"),
  { what: "empty name", code: "path.empty", files: { "{% if false %}x{% endif %}.liquid": "x" } },
  file("only a suffix", "path.empty", "folder/.liquid"),
  file("git hook, as a plain file", "path.git", ".git/hooks/post-commit"),
  file("git hook, deeper", "path.git", "vendor/.git/hooks/post-checkout"),
  file("control character in a plain name", "path.control", "a\u0001b"),
  file("factory's ledger", "path.factory", ".factory/ledger.jsonl"),
  {
    what: "name that is not UTF-8",
    code: "path.unicode",
    prepare: (files) => writeFileSync(Buffer.concat([Buffer.from(`${files}/`), Buffer.from([0x61, 0xff, 0x62])]), "x"),
  },
  {
    what: "path too long",
    code: "path.length",
    files: { [`${"a".repeat(200)}/${"b".repeat(200)}/${"c".repeat(200)}/${"d".repeat(200)}`]: "x" },
  },
  { what: "folders too deep", code: "template.depth", files: { [`${"d/".repeat(40)}x`]: "x" } },
  both("case collision of files", "collision.case", "Readme.md", "README.md"),
  both("case collision of folders", "collision.case", "docs/a", "Docs/b"),
  both("case collision, sharp s", "collision.case", "straße.md", "STRASSE.md"),
  both("Unicode form collision", "collision.unicode", "caf\u00e9.md", "cafe\u0301.md"),
  both("file written twice", "collision.same", "a.md", "a.md.liquid"),
  both("file and folder", "collision.kind", "a", "a.liquid/b"),
  {
    what: "link inside",
    code: "template.symlink",
    files: { "a.md": "x" },
    prepare: (files) => symlinkSync("a.md", join(files, "b.md")),
  },
  {
    what: "link to a file outside",
    code: "template.symlink",
    prepare: (files, world) => symlinkSync(join(world.root, "outside/secret.txt"), join(files, "stolen.md")),
  },
  {
    what: "link to a folder outside",
    code: "template.symlink",
    prepare: (files, world) => symlinkSync(join(world.root, "outside"), join(files, "folder")),
  },
  {
    what: "dangling link",
    code: "template.symlink",
    prepare: (files) => symlinkSync("nowhere", join(files, "dangling")),
  },
  {
    what: "files/ is a link",
    code: "template.symlink",
    prepare(files, world) {
      rmSync(files, { recursive: true });
      symlinkSync(join(world.root, "outside"), files);
    },
  },
  {
    what: "template.yaml is a link",
    code: "template.symlink",
    prepare(files, world) {
      rmSync(join(files, "../template.yaml"));
      symlinkSync(join(world.root, "outside/secret.txt"), join(files, "../template.yaml"));
    },
  },
  { what: "named pipe", code: "template.special", prepare: (files) => void spawnSync("mkfifo", [join(files, "pipe")]) },
  { what: "no files", code: "template.no-files", prepare: (files) => rmSync(files, { recursive: true }) },
  { what: "empty files/", code: "template.empty", prepare: (files) => rmSync(join(files, "factory.yaml.liquid")) },
  {
    what: "10,001 files",
    code: "template.too-many",
    prepare(files) {
      mkdirSync(join(files, "many"));
      for (let i = 0; i < 10_001; i++) writeFileSync(join(files, "many", String(i)), "");
    },
  },
  {
    what: "10 GB that take no space",
    code: "template.too-large",
    prepare(files) {
      writeFileSync(join(files, "sparse"), "");
      truncateSync(join(files, "sparse"), 10_000_000_000);
    },
  },
  {
    what: "100 MB only once rendered",
    code: "render.too-large",
    files: { "big.md.liquid": `{% for i in (1..20000) %}${"x".repeat(100)}{% endfor %}` },
    prepare(files) {
      writeFileSync(join(files, "almost"), "");
      truncateSync(join(files, "almost"), 99_000_000);
    },
  },
  text("undefined variable", "template.variable", "a\nb {{ nothing }}"),
  text("reach into the runtime", "template.variable", "{{ project.constructor.constructor }}"),
  text("prototype", "template.variable", "{{ __proto__ }}"),
  text("undefined filter", "template.filter", "{{ project | shell }}"),
  text("include of a file", "template.include", "{% include '/etc/passwd' %}"),
  text("render of a file", "template.include", "{% render '../../outside/secret.txt' %}"),
  text("layout of a file", "template.include", "{% layout 'x' %}"),
  text("tag that is not closed", "template.syntax", "{% if project %}"),
  text(
    "endless loop",
    "template.time",
    "{% for a in (1..9999) %}{% for b in (1..9999) %}{% for c in (1..9999) %}{% endfor %}{% endfor %}{% endfor %}",
  ),
  text("more text around a tag than any file has", "template.length", `{{ project }}${"x".repeat(10_000_000)}`),
  text("memory bomb, range", "template.memory", "{% for i in (1..9999999999) %}x{% endfor %}"),
  text(
    "memory bomb, doubling",
    "template.memory",
    "{% assign a = 'xxxxxxxxxxxxxxxx' %}{% for i in (1..60) %}{% assign a = a | append: a %}{% endfor %}",
  ),
  {
    what: "liquid in a file that is not text",
    code: "template.encoding",
    files: { "page.md.liquid": Buffer.from([0x7b, 0x7b, 0xff, 0xfe]) },
  },
  {
    what: "no factory.yaml",
    code: "template.no-project",
    files: { x: "x" },
    prepare: (files) => rmSync(join(files, "factory.yaml.liquid")),
  },
  {
    what: "factory.yaml of another project",
    code: "template.project",
    files: { "factory.yaml.liquid": FACTORY_YAML.replace("{{ project }}", "other") },
  },
  {
    what: "factory.yaml that is not valid",
    code: "yaml.invalid",
    files: { "factory.yaml.liquid": `${FACTORY_YAML}surprise: 1\n` },
  },
  {
    what: "pattern that never ends",
    code: "answers.invalid",
    questions: `${QUESTIONS}  - { name: slow, type: string, prompt: Slow, pattern: "^(a+)+$" }\n`,
    evil: "unused",
  },
];

let world: World;
beforeEach(() => {
  world = makeWorld();
});
afterEach(() => world.remove());

async function refusal(hostile: Hostile): Promise<FactoryError> {
  const { evil } = hostile;
  const asked =
    evil === undefined || hostile.questions !== undefined ? "" : "  - { name: evil, type: string, prompt: Evil }\n";
  makeTemplate(world, hostile.files, { questions: (hostile.questions ?? QUESTIONS) + asked });
  hostile.prepare?.(join(world.templates, "tiny/files"), world);
  const before = world.snapshot();
  const set =
    hostile.questions !== undefined ? [`slow=${"a".repeat(40)}b`] : evil === undefined ? [] : [`evil=${evil}`];
  const thrown: unknown = await command
    .run({ name: "claims-triage", template: "../templates/tiny", set }, world.context())
    .catch((error: unknown) => error);
  expect(world.snapshot(), "nothing is written, inside or outside").toEqual(before);
  if (!(thrown instanceof FactoryError)) throw new Error(`${hostile.what} was not refused: ${JSON.stringify(thrown)}`);
  return thrown;
}

const messages = new Map<string, string>();

test.each(HOSTILE)("$what is refused: $code", { timeout: 20_000 }, async (hostile) => {
  const error = await refusal(hostile);
  expect([error.code, error.exit]).toEqual([hostile.code, 2]);
  const message = error.message + error.problems.map((problem) => problem.message).join();
  expect(message.length).toBeGreaterThan(20);
  expect(message, "no control character reaches the screen").not.toMatch(/\p{Cc}/u);
  const told = message.replaceAll(world.root, "");
  expect(messages.get(told), "each refusal has a message of its own").toBeUndefined();
  messages.set(told, hostile.what);
});

test("at least thirty kinds of refusal stand in the table", () => {
  expect(HOSTILE.length).toBeGreaterThanOrEqual(60);
  expect(new Set(HOSTILE.map((each) => each.code)).size).toBeGreaterThanOrEqual(30);
});

/** What the files of CI systems contain. */
const CI_EXPRESSION = `$${"{{ x }}"}`;

test("what only looks hostile is made", async () => {
  const folder = makeTemplate(world, {
    ".gitignore": "x",
    ".github/workflows/a.yml": CI_EXPRESSION,
    "conn.md": "",
    "git~a": "",
    "…dots...md": "",
    "日本.md": "x",
    "a.b.liquid": `{% raw %}${CI_EXPRESSION}{% endraw %}`,
  });
  // A hard link is a file like any other: package managers make them.
  linkSync(join(folder, "files/.gitignore"), join(folder, "files/linked"));
  const answer = await command.run({ name: "claims-triage", git: false }, world.context());
  expect(answer.data).toMatchObject({ files: 12 });
  expect(world.snapshot()).toContain(`work/claims-triage/a.b: ${CI_EXPRESSION}`);
  expect(world.snapshot()).toContain(`work/claims-triage/.github/workflows/a.yml: ${CI_EXPRESSION}`);
});

test("an error names file, line and column", async () => {
  const error = await refusal({ what: "", code: "", files: { "docs/page.md.liquid": "one\ntwo {{ nothing }}\n" } });
  expect(error.message).toBe("template file docs/page.md.liquid, line 2, column 8: undefined variable: nothing");
  expect(error.problems).toMatchObject([{ file: "docs/page.md.liquid", line: 2 }]);
});

const TARGETS: readonly { what: string; code: string; make(target: string, world: World): void }[] = [
  {
    what: "a folder with something in it",
    code: "target.not-empty",
    make: (target) => writeFile(join(target, "mine"), "x"),
  },
  { what: "a file", code: "target.file", make: (target) => writeFile(target, "x") },
  {
    what: "a link to an empty folder",
    code: "target.symlink",
    make: (target, { root }) => symlinkSync(join(root, "home"), target),
  },
  { what: "a dangling link", code: "target.symlink", make: (target) => symlinkSync("nowhere", target) },
];

test.each(TARGETS)("a target that is $what is refused and left alone", async ({ code, make }) => {
  makeTemplate(world);
  make(join(world.cwd, "claims-triage"), world);
  const before = world.snapshot();
  await expect(command.run({ name: "claims-triage" }, world.context())).rejects.toMatchObject({ code, exit: 2 });
  expect(world.snapshot()).toEqual(before);
});

test.each([
  "../x",
  "/tmp/x",
  "a/b",
  "Claims",
  "claims_triage",
  "claims--triage",
  "-x",
  "1x",
  "a",
  "x".repeat(42),
  "con",
  ".git",
  "class",
  "",
  "a\nb",
])("the project name %j is refused", async (name) => {
  makeTemplate(world);
  const before = world.snapshot();
  await expect(command.run({ name }, world.context())).rejects.toMatchObject({ exit: 2 });
  expect(world.snapshot()).toEqual(before);
});
