import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findPython, indexSettings } from "../../src/clients/python.ts";
import { ensureUv } from "../../src/clients/uv.ts";
import { sha256 } from "../../src/lib/hash.ts";
import type { TaskEvent } from "../../src/lib/progress.ts";
import { runProcess } from "../../src/lib/run-process.ts";
import { projectEnvironment, type Uv } from "../../src/training/project-environment.ts";
import { processVariables } from "../support/mlflow-server.ts";
import { toolsFolder } from "../support/paths.ts";

const signal = new AbortController().signal;
let folder = "";
let events: TaskEvent[] = [];
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "factory-project-")));
  events = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const pyproject = (dependencies: string) =>
  `[project]\nname = "p"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = [${dependencies}]\n[tool.uv]\npackage = false\n`;
async function uv(): Promise<Uv> {
  const path = await ensureUv({
    data: join(toolsFolder, "data", "factory"),
    variables: processVariables(),
    report: () => {},
    signal,
  });
  if (path === undefined) throw new Error("uv could not be had");
  return { program: path, settings: {} };
}
const prepare = (more: Record<string, string> = {}) =>
  projectEnvironment(folder, uv, { ...processVariables(), ...more }, (event) => events.push(event), signal);

test("a project without pyproject.toml needs no uv", async () => {
  const refuse = () => Promise.reject(new Error("asked for uv"));
  expect(await projectEnvironment(folder, refuse, { PATH: "/bin" }, () => {}, signal)).toMatchObject({
    lockDigest: undefined,
    lockedNow: false,
    variables: { PATH: "/bin" },
  });
});

test("the lock is made once, said, and never touched again; commands find uv and the project's own Python", async () => {
  writeFileSync(join(folder, "pyproject.toml"), pyproject(""));
  const first = await prepare({ VIRTUAL_ENV: "/elsewhere", FACTORY_SIGNING_KEY: "s3cr3t" });
  const lock = readFileSync(join(folder, "uv.lock"));
  expect(first).toMatchObject({ lockedNow: true, lockDigest: sha256(lock) });
  expect(events).toContainEqual({ type: "note", tone: "info", text: expect.stringContaining("uv.lock is missing") });
  const { program } = await uv();
  if (program.startsWith("/")) expect(first.variables.PATH?.split(":")[0]).toBe(dirname(program));
  const run = await runProcess({
    argv: ["uv", "run", "python", "-c", "import sys, os; print(sys.prefix, 's3cr3t' in str(os.environ))"],
    cwd: folder,
    env: { ...first.variables, PATH: `${dirname(program)}:${first.variables.PATH}` },
  });
  expect(run.stdout.trim()).toBe(`${join(folder, ".venv")} False`);
  events = [];
  const second = await prepare();
  expect(second).toMatchObject({ lockedNow: false, lockDigest: first.lockDigest });
  expect(readFileSync(join(folder, "uv.lock"))).toEqual(lock);
  expect(events.filter((event) => event.type === "task.started").map((event) => event.task)).toEqual(["python.sync"]);
});

test("a lock that no longer fits is not rewritten", async () => {
  writeFileSync(join(folder, "pyproject.toml"), pyproject(""));
  writeFileSync(join(folder, "uv.lock"), "this is no lock\n");
  await expect(prepare()).rejects.toMatchObject({
    code: "python.environment",
    exit: 2,
    message: expect.stringContaining("uv sync --frozen failed"),
  });
  expect(readFileSync(join(folder, "uv.lock"), "utf8")).toBe("this is no lock\n");
});

test("the index that only pip's configuration file names is the one that is asked", async () => {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? "");
    response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const config = join(folder, "pip.conf");
  writeFileSync(config, `[global]\nindex-url = http://127.0.0.1:${port}/simple\n`);
  writeFileSync(join(folder, "pyproject.toml"), pyproject('"no-such-package-anywhere"'));
  try {
    const variables = { PATH: process.env.PATH ?? "", HOME: folder, PIP_CONFIG_FILE: config };
    const python = (await findPython(variables)).found?.path ?? "";
    const settings = await indexSettings(variables, python);
    const told = async () => ({ program: (await uv()).program, settings });
    await expect(projectEnvironment(folder, told, variables, () => {}, signal)).rejects.toThrow(
      /no-such-package-anywhere/,
    );
    expect(asked.join()).toContain("/simple/no-such-package-anywhere/");
  } finally {
    server.close();
  }
});
