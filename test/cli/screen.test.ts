import { spawn, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { COMMANDS } from "../../src/commands.ts";
import { factory, makeHome } from "../support/factory.ts";
import { program, root } from "../support/paths.ts";

const home = makeHome();
const variables = { ...home.variables, XDG_DATA_HOME: join(home.folder, "data") };
const at = { cwd: home.folder, variables };
beforeAll(async () => {
  expect((await factory(["new", "proj", "--yes", "--no-git"], at)).status).toBe(0);
});
afterAll(() => home.remove());

describe.each(COMMANDS)("factory $name --help", ({ name }) => {
  test("has examples whose flags and commands exist", async () => {
    const { status, stdout, stderr } = await factory([...name.split(" "), "--help"], at);
    expect(status).toBe(0);
    expect(stderr).toBe("");
    const examples = stdout.split("\n").filter((line) => line.startsWith("  $ factory "));
    expect(examples.length).toBeGreaterThan(0);
    for (const example of examples) {
      expect(example).toMatch(new RegExp(`^  \\$ factory ${name}(?: |$)`));
      for (const [flag] of example.matchAll(/(?<= )--[a-z-]+/g)) expect(stdout.split("Examples:")[0]).toContain(flag);
    }
    for (const flag of ["--json", "--quiet", "--yes", "--help"]) expect(stdout).toContain(flag);
  });
});

test.each([[[]], [["--help"]], [["-h"]], [["help"]]])(
  "factory %s lists the commands that exist, and no other",
  async (args) => {
    const { status, stdout, stderr } = await factory(args, at);
    expect([status, stderr]).toEqual([0, ""]);
    const listed = stdout.split("\n").flatMap((line) => /^ {4}([a-z-]+(?: [a-z-]+)?) {2,}\S/.exec(line)?.[1] ?? []);
    expect(listed.sort()).toEqual(COMMANDS.map((entry) => entry.name).sort());
  },
);

test("factory GROUP --help lists what the group has; a word that is no group is none", async () => {
  const { status, stdout, stderr } = await factory(["keys", "--help"], at);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  for (const { name } of COMMANDS) expect(stdout.includes(`factory ${name} `)).toBe(name.startsWith("keys "));
  expect(await factory(["help", "keys"], at)).toMatchObject({ status: 0, stdout });
  expect(await factory(["key", "--help"], at)).toMatchObject({ status: 2, stdout: "" });
});

test.each(COMMANDS)("help of $name breaks its lines where the screen ends, or a sentence does", async ({ name }) => {
  const { stdout } = await factory([...name.split(" "), "--help"], at);
  const [, text = ""] = stdout.split("\n\n");
  const lines = text.split("\n");
  for (const [i, line] of lines.slice(0, -1).entries()) {
    const [next = ""] = (lines[i + 1] ?? "").split(" ");
    if (!/[.:!?]$/.test(line)) expect(line.length + 1 + next.length).toBeGreaterThan(80);
  }
});

test("factory help COMMAND is its --help", async () => {
  const [asked, flagged] = [
    await factory(["help", "local", "start"], at),
    await factory(["local", "start", "--help"], at),
  ];
  expect(asked).toEqual(flagged);
});

test.each(["--version", "-V", "-v"])("%s", async (flag) => {
  const version = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).version;
  expect(await factory([flag], at)).toEqual({ status: 0, stdout: `${version}\n`, stderr: "" });
  expect(await factory(["--quiet", flag], at)).toEqual({ status: 0, stdout: `${version}\n`, stderr: "" });
});

test("a usage error says what, and how to go on, on stderr only", async () => {
  expect(await factory(["locl"], at)).toEqual({
    status: 2,
    stdout: "",
    stderr: '✖ there is no command "locl"\n  → did you mean: factory local start (or stop, status)\n',
  });
  const group = await factory(["local"], at);
  expect(group.status).toBe(2);
  expect(group.stderr).toContain("start, stop, status");
});

describe("escape sequences", () => {
  const calls = [
    ["--help"],
    ["templates"],
    ["doctor"],
    ["locl"],
    ["new"],
    ["local", "status"],
    ["check", "--project-only", "--only", "docs,secrets"],
  ];
  test.each([...calls, ["check", "--only", "docs"]])("none without a terminal: %s %s", async (...args) => {
    for (const extra of [{}, { NO_COLOR: "1" }]) {
      const { stdout, stderr } = await factory(args, {
        cwd: join(home.folder, "proj"),
        variables: { ...variables, ...extra },
      });
      expect(stdout + stderr).not.toBe("");
      expect(stdout + stderr).not.toContain("\u001b");
    }
  });
});

test("--quiet: nothing on stderr when all is well", async () => {
  const { status, stdout, stderr } = await factory(["check", "--project-only", "--only", "docs,secrets", "--quiet"], {
    cwd: join(home.folder, "proj"),
    variables,
  });
  expect(status).toBe(0);
  expect(stderr).toBe("");
  expect(stdout).toContain("docs");
});

test("an answer that could not be given: what is known on stdout, the verdict once, on stderr", async () => {
  const cwd = join(home.folder, "cannot-tell");
  cpSync(join(home.folder, "proj"), cwd, { recursive: true });
  const yaml = readFileSync(join(cwd, "factory.yaml"), "utf8");
  const changed = yaml.replace(/run: uv run pytest tests\/unit/, "run: no-such-program-anywhere");
  expect(changed).not.toBe(yaml);
  writeFileSync(join(cwd, "factory.yaml"), changed);
  const told = await factory(["check", "--project-only", "--only", "unit", "--quiet"], { cwd, variables });
  expect(told.status).toBe(4);
  expect(told.stdout).toMatch(/unit +\? error +could not be started/);
  expect(told.stderr).toBe("✖ Could not tell: 1 of 1 gates ended in an error\n");
  expect(told.stdout).not.toContain("Could not tell");
});

test("without a terminal a question names the flag to give instead", async () => {
  const { status, stderr } = await factory(["init", "somewhere"], at);
  expect(status).toBe(2);
  expect(stderr).toContain("--organisation");
});

test.each([[["--help"]], [["templates", "--json"]], [["new", "--help"]], [["locl"]], [["--version"]]])(
  "a reader that is gone is no crash: %s",
  async (args) => {
    const child = spawn(process.execPath, [program, ...args], {
      ...at,
      env: variables,
      stdio: ["ignore", "pipe", "pipe"],
    });
    child.stdout.destroy();
    let stderr = "";
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => (stderr += chunk));
    const status = await new Promise((resolve) => child.on("close", resolve));
    expect(stderr).not.toMatch(/EPIPE|at .*:\d+:\d+/);
    expect([0, 2]).toContain(status);
  },
);

/** Runs a program in a terminal of its own, types once its question stands, and ends with its exit status. */
const TERMINAL = `
import os, pty, select, sys
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[2], sys.argv[2:])
seen = b""
typed = False
try:
    while select.select([fd], [], [], 60)[0]:
        part = os.read(fd, 4096)
        if not part:
            break
        seen += part
        if not typed and b"?" in seen:
            typed = True
            os.write(fd, sys.argv[1].encode())
except OSError:
    pass  # how Linux says that the other end is closed
sys.stdout.buffer.write(seen)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;

test.each([
  ["its input is closed", "\u0004", /factory ended before its command did: was the input closed\?/],
  ["Ctrl-C", "\u0003", /./],
])("a question that is not answered is no success: %s", (_, typed, says) => {
  const cwd = mkdtempSync(join(home.folder, "unanswered-"));
  const argv = ["-c", TERMINAL, typed, process.execPath, program, "new", "claims-triage"];
  const ran = spawnSync("python3", argv, { cwd, env: variables, encoding: "utf8", timeout: 90_000 });
  expect(ran.status, ran.stdout + ran.stderr).toBe(130);
  expect(ran.stdout).toMatch(says);
  expect(readdirSync(cwd)).toEqual([]);
});
