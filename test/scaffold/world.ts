import { spawnSync } from "node:child_process";
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Context } from "../../src/cli/context.ts";
import type { Prompts } from "../../src/cli/prompts.ts";
import { usageError } from "../../src/lib/error.ts";

/** A temporary folder with a working folder, templates and schemas of its own, and something outside to be harmed. */
export interface World {
  root: string;
  /** Where commands run. */
  cwd: string;
  templates: string;
  context(more?: Partial<Context>): Context;
  /** Every path below the root with its kind and content, but for the templates. */
  snapshot(): string[];
  remove(): void;
}

/** Scaffolding reaches no outside system. */
const none = (): Promise<never> => Promise.reject(new Error("no outside system is reached"));
const NO_CLIENTS: Context["clients"] = {
  hearFrom: () => {},
  machine: none,
  workspaceSight: none,
  localHost: none,
  sandboxHost: none,
  uv: none,
  tracking: none,
  registry: none,
  serving: none,
  history: none,
  ledger: none,
  objects: none,
  bundleCli: none,
  trainingJobs: none,
  dataEngine: none,
  warehouse: none,
};

export const NO_PROMPTS: Prompts = {
  interactive: false,
  ask: ({ message, flag }) => Promise.reject(usageError("prompt.no-terminal", message, flag)),
  secret: ({ message, flag }) => Promise.reject(usageError("prompt.no-terminal", message, flag)),
  choose: ({ message, flag }) => Promise.reject(usageError("prompt.no-terminal", message, flag)),
};

/** A person at a terminal who gives these answers in turn; keeps what was asked. */
export function answering(answers: readonly string[]): { prompts: Prompts; asked: Parameters<Prompts["choose"]>[0][] } {
  const left = [...answers];
  const asked: Parameters<Prompts["choose"]>[0][] = [];
  const next = (question: { message: string; flag: string }) => {
    asked.push({ choices: [], ...question });
    const answer = left.shift();
    return answer === undefined
      ? Promise.reject(new Error(`nobody answers ${question.message}`))
      : Promise.resolve(answer);
  };
  return { prompts: { interactive: true, ask: next, secret: next, choose: next }, asked };
}

export function makeWorld(): World {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "factory-scaffold-")));
  const cwd = join(root, "work");
  const templates = join(root, "templates");
  for (const folder of [cwd, templates, join(root, "home"), join(root, "outside")]) mkdirSync(folder);
  writeFile(join(root, "outside/secret.txt"), "outside");
  writeFile(join(root, "schemas/factory.schema.json"), "{}\n");
  writeFile(join(root, "schemas/policy.schema.json"), "{}\n");
  const place = (name: string) => join(root, name);
  const context = (more: Partial<Context> = {}): Context => ({
    cwd,
    variables: { PATH: process.env.PATH ?? "", HOME: join(root, "home"), ...IDENTITY },
    keysGiven: [],
    places: {
      config: place("config"),
      data: place("data"),
      cache: place("cache"),
      templates,
      schemas: place("schemas"),
      program: place("main.js"),
      node: process.execPath,
    },
    version: "0.0.0",
    clients: NO_CLIENTS,
    signer: none,
    keyPassphrase: () => undefined,
    report: () => {},
    prompts: NO_PROMPTS,
    signal: new AbortController().signal,
    yes: true,
    quiet: true,
    json: false,
    dryRun: false,
    now: () => new Date("2026-11-25T10:00:00Z"),
    ...more,
  });
  return {
    root,
    cwd,
    templates,
    context,
    snapshot: () => listAll(root),
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}

export const IDENTITY = {
  GIT_AUTHOR_NAME: "Author",
  GIT_AUTHOR_EMAIL: "author@example.com",
  GIT_COMMITTER_NAME: "Author",
  GIT_COMMITTER_EMAIL: "author@example.com",
};

function listAll(root: string, below = ""): string[] {
  return readdirSync(join(root, below))
    .filter((name) => below !== "" || name !== "templates")
    .sort()
    .flatMap((name) => {
      const path = below === "" ? name : `${below}/${name}`;
      const stat = lstatSync(join(root, path));
      if (stat.isDirectory()) return [`${path}/`, ...listAll(root, path)];
      if (stat.isSymbolicLink()) return [`${path} -> ${readlinkSync(join(root, path))}`];
      return [`${path}: ${stat.size < 10_000 ? readFileSync(join(root, path), "utf8") : stat.size}`];
    });
}

export function writeFile(path: string, content: string | Uint8Array, mode = 0o644): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  chmodSync(path, mode);
}

export const QUESTIONS = `
  - { name: project, type: string, prompt: Project name }
  - { name: product_line, type: choice, prompt: Product line, choices: [claims, revenue], default: claims }
  - { name: risk_tier, type: choice, prompt: Risk tier, choices: [low, medium, high], default: medium }
  - { name: owner, type: string, prompt: Owner, default: team@example.com }
`;

export const FACTORY_YAML = `factory: 1
project: {{ project }}
model: { name: {{ model_name }}, train: python -m {{ package }}.train }
`;

/** Writes a template that is in order: a factory.yaml, and the files given. Returns its folder. */
export function makeTemplate(
  world: World,
  files: Record<string, string | Uint8Array> = {},
  options: { name?: string; questions?: string } = {},
): string {
  const name = options.name ?? "tiny";
  const folder = join(world.templates, name);
  writeFile(
    join(folder, "template.yaml"),
    `factory: 1\nname: ${name}\nversion: 1.2.3\ndescription: A small one\nquestions:${options.questions ?? QUESTIONS}`,
  );
  for (const [path, content] of Object.entries({ "factory.yaml.liquid": FACTORY_YAML, ...files }))
    writeFile(join(folder, "files", path), content);
  return folder;
}

export function git(folder: string, ...args: string[]): string {
  const done = spawnSync("git", args, {
    cwd: folder,
    encoding: "utf8",
    env: { PATH: process.env.PATH ?? "", HOME: "/nonexistent", GIT_CONFIG_NOSYSTEM: "1" },
  });
  if (done.status !== 0) throw new Error(done.stderr);
  return done.stdout.trim();
}
