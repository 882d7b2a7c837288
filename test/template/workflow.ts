import { execFileSync, spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parse } from "yaml";
import * as z from "zod";

/** As much of GitHub's workflows as the template uses: an unknown key, action or expression is an error, never ignored. */
const text = z.union([z.string(), z.number(), z.boolean()]).transform(String);
const step = z.strictObject({
  name: z.string().optional(),
  if: z.string().optional(),
  uses: z.string().optional(),
  with: z.record(z.string(), text).default({}),
  env: z.record(z.string(), text).default({}),
  run: z.string().optional(),
});
export type Step = z.infer<typeof step>;
const job = z.object({
  if: z.string().optional(),
  environment: z.string().optional(),
  permissions: z.record(z.string(), z.string()),
  steps: z.array(step),
});
const workflow = z.object({
  on: z.record(z.string(), z.unknown()),
  permissions: z.record(z.string(), z.string()),
  env: z.record(z.string(), text).default({}),
  defaults: z.strictObject({
    run: z.strictObject({ shell: z.literal("bash"), "working-directory": z.string() }),
  }),
  jobs: z.record(z.string(), job),
});
export type Workflow = z.infer<typeof workflow>;

export function readWorkflow(path: string): Workflow {
  return parseWorkflow(readFileSync(path, "utf8"));
}

export function parseWorkflow(text: string): Workflow {
  return workflow.parse(parse(text));
}

export type Contexts = Record<"github" | "vars" | "secrets" | "inputs", Readonly<Record<string, string>>>;
type Value = string | boolean;

/** The value of one expression, without its braces; `failed` is what always(), success() and the like look at. */
export function evaluate(expression: string, contexts: Contexts, failed = false): Value {
  const tokens = expression.match(/'(?:[^']|'')*'|&&|\|\||[!=]=|[!(),]|[\w.]+|\S/g) ?? [];
  let at = 0;
  const truthy = (value: Value) => value !== false && value !== "";
  const take = (wanted: string): boolean => {
    if (tokens[at] !== wanted) return false;
    at++;
    return true;
  };
  const demand = (wanted: string): void => {
    if (!take(wanted)) throw new Error(`${wanted} expected in ${expression}`);
  };
  const either = (): Value => {
    let left = both();
    while (take("||")) {
      const right = both();
      left = truthy(left) ? left : right;
    }
    return left;
  };
  const both = (): Value => {
    let left = compared();
    while (take("&&")) {
      const right = compared();
      left = truthy(left) ? right : left;
    }
    return left;
  };
  const compared = (): Value => {
    const left = single();
    if (take("==")) return left === single();
    if (take("!=")) return left !== single();
    return left;
  };
  const single = (): Value => {
    if (take("!")) return !truthy(single());
    if (take("(")) {
      const inner = either();
      demand(")");
      return inner;
    }
    const token = tokens[at++] ?? "";
    if (token.startsWith("'")) return token.slice(1, -1).replaceAll("''", "'");
    if (take("(")) {
      const given: Value[] = [];
      while (!take(")")) {
        given.push(either());
        take(",");
      }
      return call(token, given);
    }
    const [, context = "", name = ""] = /^(github|vars|secrets|inputs)\.(\w+)$/.exec(token) ?? [];
    const found = Object.entries(contexts).find(([each]) => each === context);
    if (found === undefined) throw new Error(`${token} in ${expression} is not known`);
    return found[1][name] ?? "";
  };
  const call = (name: string, given: readonly Value[]): Value => {
    if (name === "always") return true;
    if (name === "cancelled") return false;
    if (name === "success") return !failed;
    if (name === "format") return String(given[0]).replace(/\{(\d)\}/g, (_, i) => String(given[Number(i) + 1]));
    throw new Error(`${name}() in ${expression} is not known`);
  };
  const value = either();
  if (at !== tokens.length) throw new Error(`${tokens.slice(at).join(" ")} is left of ${expression}`);
  return value;
}

/** A text with every `${{ }}` in it replaced. */
export function fill(template: string, contexts: Contexts): string {
  return template.replace(/\$\{\{(.*?)\}\}/g, (_, expression) => String(evaluate(expression.trim(), contexts)));
}

export interface Runner {
  /** Its private folder. */
  folder: string;
  variables: Record<string, string>;
  contexts: Contexts;
  /** Where a repository is cloned from, by name; that of the workflow itself is `self`. */
  repositories: Readonly<Record<string, string>>;
  /** What jobs hand over, by name. */
  artifacts: string;
  /** Steps to leave out. */
  skip?(step: Step): boolean;
  /** Called in the workspace before each step. */
  before?(step: Step, workspace: string): void;
}

export interface JobRun {
  status: number | null;
  /** Of the step that failed. */
  failed: string | undefined;
  environment: string | undefined;
  output: string;
  summary: string;
  ran: string[];
}

/** Runs a job as a runner would: every shell line by a real bash, every action that is known by what it does. */
export async function runJob(from: Workflow, name: string, runner: Runner): Promise<JobRun> {
  const { contexts } = runner;
  const chosen = from.jobs[name];
  if (chosen === undefined) throw new Error(`no job ${name}`);
  if (chosen.if !== undefined && evaluate(chosen.if, contexts) === false) throw new Error(`${name} is skipped`);
  mkdirSync(runner.folder, { recursive: true });
  const root = mkdtempSync(join(runner.folder, "runner-"));
  const place = (part: string): string => join(root, part);
  for (const part of ["workspace", "temp", "home"]) mkdirSync(place(part));
  const files = { GITHUB_ENV: place("env"), GITHUB_STEP_SUMMARY: place("summary") };
  for (const path of Object.values(files)) writeFileSync(path, "");
  const workspace = place("workspace");
  const result: JobRun = {
    status: 0,
    failed: undefined,
    environment: chosen.environment && fill(chosen.environment, contexts),
    output: "",
    summary: "",
    ran: [],
  };
  for (const each of chosen.steps) {
    const label = each.name ?? each.uses ?? "";
    const failed = result.failed !== undefined;
    const condition = each.if?.replace(/^\$\{\{(.*)\}\}$/, "$1").trim() ?? "success()";
    const asks = /\b(?:always|success|cancelled)\(\)/.test(condition) ? condition : `success() && (${condition})`;
    const wanted = evaluate(asks, contexts, failed);
    if (wanted === false || wanted === "" || runner.skip?.(each) === true) continue;
    runner.before?.(each, workspace);
    result.ran.push(label);
    if (each.run === undefined) {
      act(each, workspace, runner);
      continue;
    }
    const env = {
      ...runner.variables,
      HOME: place("home"),
      RUNNER_TEMP: place("temp"),
      GITHUB_WORKSPACE: workspace,
      ...files,
      ...filled(from.env, contexts),
      ...Object.fromEntries(
        readFileSync(files.GITHUB_ENV, "utf8")
          .split("\n")
          .flatMap((line) =>
            line === "" ? [] : [[line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]],
          ),
      ),
      ...filled(each.env, contexts),
    };
    const script = place("script.sh");
    writeFileSync(script, fill(each.run, contexts));
    const done = await bash(script, join(workspace, from.defaults.run["working-directory"]), env);
    result.output += `--- ${label}\n${done.output}`;
    if (done.status !== 0 && !failed) Object.assign(result, { status: done.status, failed: label });
  }
  result.summary = readFileSync(files.GITHUB_STEP_SUMMARY, "utf8");
  rmSync(root, { recursive: true, force: true });
  return result;
}

function filled(values: Readonly<Record<string, string>>, contexts: Contexts): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, fill(value, contexts)]));
}

function act(each: Step, workspace: string, runner: Runner): void {
  const given = filled(each.with, runner.contexts);
  const [action = ""] = (each.uses ?? "").split("@");
  const artifact = join(runner.artifacts, given.name ?? "");
  switch (action) {
    case "actions/checkout": {
      if (given["persist-credentials"] !== "false") throw new Error("a checkout keeps its credentials");
      const source = runner.repositories[given.repository ?? "self"];
      if (source === undefined) throw new Error(`${given.repository} is not known`);
      const to = join(workspace, given.path ?? ".");
      // As the action does it: one commit, unless more is asked for.
      const { "fetch-depth": depth = "1" } = given;
      const cut = depth === "0" ? [] : ["--depth", depth];
      const argv = ["clone", "--quiet", ...cut, "--", `file://${source}`, to];
      execFileSync("git", argv, { env: runner.variables, stdio: "pipe" });
      if (given.ref !== undefined && given.ref !== "")
        execFileSync("git", ["checkout", "--quiet", "--detach", given.ref], {
          cwd: to,
          env: runner.variables,
          stdio: "pipe",
        });
      return;
    }
    case "actions/upload-artifact": {
      const paths = (given.path ?? "").split("\n").filter((path) => path !== "");
      const there = paths.filter((path) => existsSync(join(workspace, path)));
      if (there.length === 0 && given["if-no-files-found"] !== "ignore") throw new Error("nothing to hand over");
      // One path: what it holds. Several: from the folder that they share.
      const base = paths.length === 1 ? (paths[0] ?? "") : shared(paths);
      for (const path of there)
        cpSync(join(workspace, path), join(artifact, path.slice(base.length)), { recursive: true });
      return;
    }
    case "actions/download-artifact":
      cpSync(artifact, join(workspace, given.path ?? "."), { recursive: true });
      return;
    case "actions/setup-node":
    case "actions/setup-python":
    case "astral-sh/setup-uv":
    case "databricks/setup-cli":
      return;
    default:
      throw new Error(`the action ${each.uses} is not known`);
  }
}

function shared(paths: readonly string[]): string {
  let base = dirname(paths[0] ?? "");
  while (!paths.every((path) => path.startsWith(`${base}/`))) base = dirname(base);
  return base;
}

function bash(script: string, cwd: string, env: Record<string, string>) {
  return new Promise<{ status: number | null; output: string }>((resolve, reject) => {
    const argv = ["--noprofile", "--norc", "-eo", "pipefail", script];
    const child = spawn("bash", argv, { cwd, env, stdio: ["ignore", "pipe", "pipe"], timeout: 100_000 });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (chunk: string) => (output += chunk));
    child.on("error", reject);
    child.on("close", (status) => resolve({ status, output }));
  });
}
