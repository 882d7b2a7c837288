import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { COMMANDS } from "../../src/commands.ts";
import { starterPolicy } from "../../src/policy/starter-policy.ts";
import { factory, makeHome } from "../support/factory.ts";
import { root } from "../support/paths.ts";
import { documentOf, runJson } from "./documents.ts";

const home = makeHome();
const project = join(home.folder, "proj");
const empty = join(home.folder, "empty");
const variables = { ...home.variables, XDG_DATA_HOME: join(home.folder, "data") };

beforeAll(async () => {
  mkdirSync(empty);
  writeFileSync(
    join(home.folder, "org.yaml"),
    starterPolicy({ organisation: "Example", registries: { kind: "mlflow", uri: "http://127.0.0.1:5210" } }),
  );
  const made = await factory(["new", "proj", "--yes", "--no-git", "--quiet"], { cwd: home.folder, variables });
  expect(made.stderr).toBe("");
  expect(made.status).toBe(0);
});
afterAll(() => home.remove());

const names = COMMANDS.map((entry) => entry.name);

test("each command has a published schema, and no schema is left over", () => {
  const published = readdirSync(join(root, "schemas/output")).map((file) => file.replace(".schema.json", ""));
  expect(published.sort()).toEqual(["factory", ...names.map((name) => name.replaceAll(" ", "-"))].sort());
});

/** One honest use of each command that needs neither a server nor Python. */
const USES: Record<string, { args: string[]; in?: string; status: readonly number[]; codes?: readonly string[] }> = {
  init: { args: ["governance", "--yes"], status: [0] },
  new: { args: ["claims-two", "--yes", "--no-git"], status: [0] },
  templates: { args: [], status: [0] },
  quickstart: { args: [home.folder], status: [2] },
  "local start": { args: ["--port", "99999"], status: [2] },
  "local stop": { args: [], status: [0] },
  "local status": { args: [], status: [0, 3] },
  "sandbox start": { args: ["--port", "99999"], status: [2] },
  "sandbox stop": { args: [], status: [0] },
  "sandbox status": { args: [], status: [3] },
  doctor: { args: [], in: empty, status: [0, 3] },
  train: { args: ["--dry-run"], in: project, status: [0, 4] },
  check: { args: ["--project-only", "--only", "docs,secrets"], in: project, status: [0] },
  // 4: where this machine runs somebody's MLflow server at the address that a project without a policy has.
  register: { args: [], in: project, status: [2, 4], codes: ["evidence.none", "local.others"] },
  approve: { args: ["7", "--to", "prod", "--yes"], in: project, status: [2] },
  "approve withdraw": { args: ["7", "--to", "prod", "--reason", "a complaint"], in: project, status: [2] },
  promote: { args: ["7", "--to", "prod"], in: project, status: [2] },
  release: { args: ["7", "--env", "prod"], in: project, status: [2] },
  deploy: { args: ["--check-only"], in: project, status: [3] },
  rollback: { args: ["--env", "prod", "--reason", "a complaint"], in: project, status: [2] },
  status: { args: [], in: project, status: [0] },
  history: { args: [], in: project, status: [0] },
  verify: { args: ["--offline"], in: project, status: [3] },
  "ledger show": { args: [], in: project, status: [0] },
  "ledger verify": { args: [], in: project, status: [3] },
  "ledger restore": { args: ["missing.jsonl"], in: project, status: [2] },
  "ledger copy": { args: ["--from", "missing.jsonl"], in: project, status: [2] },
  "keys new": { args: ["someone@example.com", "--dry-run"], status: [0] },
  "keys list": { args: [], in: empty, status: [0] },
  "policy show": { args: ["--policy", join(home.folder, "org.yaml")], in: empty, status: [0] },
  "policy diff": { args: [], in: empty, status: [2] },
  "policy sign": { args: [], in: empty, status: [2] },
  "evidence add": { args: ["missing.md", "--kind", "checklist"], in: project, status: [2] },
  "evidence export": { args: ["--all", "--to", "audit"], in: project, status: [2] },
  "evidence show": { args: ["0123456789abcdef"], in: project, status: [2] },
};

test("every command has a use in this suite", () => {
  expect(Object.keys(USES).sort()).toEqual([...names].sort());
});

describe.each(names)("factory %s --json", (name) => {
  const words = name.split(" ");
  const use: (typeof USES)[string] = USES[name] ?? { args: [], status: [] };
  const cwd = use.in ?? home.folder;

  test("answers with one document", async () => {
    const ran = await runJson(name, [...words, ...use.args], { cwd, variables });
    expect(use.status).toContain(ran.status);
    if (use.codes !== undefined) expect(use.codes).toContain(ran.document.error?.code);
    expect(ran.stdout + ran.stderr).not.toContain("\u001b");
  });

  test("a wrong flag is one document, exit 2", async () => {
    const { status, document, stderr } = await runJson(name, [...words, "--no-such-flag"], { cwd, variables });
    expect(status).toBe(2);
    expect(document.error?.code).toBe("flags.invalid");
    expect(document.error?.message).toContain("--no-such-flag");
    expect(stderr).toBe("");
  });

  test("too many arguments are one document, exit 2", async () => {
    const { status, document } = await runJson(name, [...words, "one", "two", "three", "four"], { cwd, variables });
    expect(status).toBe(2);
    expect(document.error?.hint).toBeTruthy();
  });
});

describe("usage errors", () => {
  test.each([
    {
      what: "an unknown command",
      command: "factory",
      args: ["locl"],
      code: "command.unknown",
      hint: "did you mean: factory local",
    },
    {
      what: "a group alone",
      command: "factory",
      args: ["local"],
      code: "command.unknown",
      hint: "factory local start --help",
    },
    {
      what: "an unknown subcommand",
      command: "factory",
      args: ["local", "strat"],
      code: "command.unknown",
      hint: "did you mean: factory local start",
    },
    {
      what: "a slip in the first word of two",
      command: "factory",
      args: ["lcoal", "start"],
      code: "command.unknown",
      hint: "did you mean: factory local start",
    },
    {
      what: "slips in both words",
      command: "factory",
      args: ["ledgr", "verfy"],
      code: "command.unknown",
      hint: "did you mean: factory ledger verify",
    },
    {
      what: "a slip in the second word of a command whose first is one too",
      command: "approve",
      args: ["approve", "withdrw", "claims.triage/7", "--to", "prod"],
      code: "command.unknown",
      hint: "did you mean: factory approve withdraw",
    },
    {
      what: "a flag that no flag of the command is near to",
      command: "status",
      args: ["status", "--evn", "prod"],
      code: "flags.invalid",
      hint: "status takes --policy, --project,",
    },
    {
      what: "an unknown global flag",
      command: "factory",
      args: ["--jsn"],
      code: "flags.invalid",
      hint: "factory --help",
    },
    { what: "a missing argument", command: "new", args: ["new"], code: "flags.invalid", hint: "factory new --help" },
    {
      what: "a slip in a flag",
      command: "new",
      args: ["new", "proj-x", "--temlate", "x"],
      code: "flags.invalid",
      hint: "Did you mean --template?",
    },
    {
      what: "a flag without its value",
      command: "new",
      args: ["new", "proj-x", "--template"],
      code: "flags.invalid",
      hint: "factory new --help",
    },
    {
      what: "a wrong value",
      command: "init",
      args: ["init", "--uri", "ftp://x", "--yes"],
      code: "init.uri",
      hint: "such as",
    },
    {
      what: "a gate that is not there",
      command: "check",
      args: ["check", "--only", "docs,dta"],
      code: "flags.invalid",
      hint: undefined,
      problem: {
        path: "--only",
        message: '"dta" is no gate: one of lint, unit, data, model, baseline, docs, secrets',
        hint: 'did you mean "data"?',
      },
    },
    {
      what: "a kind that is not there",
      command: "evidence add",
      args: ["evidence", "add", "x", "--kind", "raport"],
      code: "flags.invalid",
      hint: undefined,
      problem: {
        path: "--kind",
        message: '"raport" is no kind: one of checklist, report, model-card, other',
        hint: 'did you mean "report"?',
      },
    },
    {
      what: "a kind that is not given",
      command: "evidence add",
      args: ["evidence", "add", "x"],
      code: "flags.invalid",
      hint: undefined,
      problem: { path: "--kind", message: "is required: one of checklist, report, model-card, other" },
    },
    {
      what: "an unknown template",
      command: "new",
      args: ["new", "proj-x", "--template", "batch-scorin", "--yes"],
      code: "template.unknown",
      hint: "did you mean",
    },
  ])("$what", async ({ command, args, code, hint, problem }) => {
    const { status, document } = await runJson(command, args, { cwd: project, variables });
    expect(status).toBe(2);
    if (code !== undefined) expect(document.error?.code).toBe(code);
    if (hint !== undefined) expect(document.error?.hint).toContain(hint);
    if (problem !== undefined) expect(document.error?.problems).toEqual([problem]);
  });

  test("the flag before the command counts too", async () => {
    const ran = await factory(["--json", "new", "--nope"], { cwd: empty, variables });
    expect(documentOf("new", ran).error?.code).toBe("flags.invalid");
  });

  test("an interruption is one document, exit 130", async () => {
    const ran = await factory(["check", "--project-only", "--only", "lint", "--json"], {
      cwd: project,
      variables: { ...variables, PATH: slowPath() },
      started: (child) => void setTimeout(() => child.kill("SIGINT"), 1500),
    });
    expect(ran.status).toBe(130);
    expect(documentOf("check", ran).error?.code).toBe("interrupted");
  });
});

/** A PATH on which uv, ruff and git hang. */
function slowPath(): string {
  const folder = join(home.folder, "slow");
  mkdirSync(folder, { recursive: true });
  for (const name of ["uv", "ruff", "git", "python3", "python", "python3.11", "python3.12"])
    writeFileSync(join(folder, name), "#!/bin/sh\nexec sleep 60\n", { mode: 0o755 });
  return `${folder}:/usr/bin:/bin`;
}

test("factory --json lists the commands and the version", async () => {
  for (const args of [[], ["--help"], ["--version"]]) {
    const { document } = await runJson("factory", args, { cwd: empty, variables });
    expect(document.data).toMatchObject({ commands: names.map((name) => expect.objectContaining({ name })) });
  }
});

test("a secret never reaches the document, and the document stays whole", async () => {
  const secret = 'p"q\\r-very-secret';
  const ran = await factory(["new", "x-y", "--template", `a ${secret} -----BEGIN PRIVATE KEY-----`, "--json"], {
    cwd: empty,
    variables: { ...variables, MY_TOKEN: secret },
  });
  const document = documentOf("new", ran);
  expect(document.error?.message).toContain("••••");
  expect(ran.stdout).not.toContain("very-secret");
});
