import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { projectEnvironment } from "../../src/training/project-environment.ts";

let folder = "";
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "factory-bytecode-")));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function put(path: string, text = ""): string {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
  return join(folder, path);
}
const prepare = () =>
  projectEnvironment(
    folder,
    () => Promise.reject(new Error("asked for uv")),
    { PATH: process.env.PATH ?? "" },
    () => {},
    new AbortController().signal,
  );
const python = (...args: string[]) => execFileSync("python3", args, { cwd: folder, encoding: "utf8" }).trim();
const limit = () => python("-c", "from pkg import config; print(config.LIMIT)");
const compile = (mode: string, source: string) =>
  python(
    "-c",
    `import py_compile as p; p.compile(${JSON.stringify(source)}, "pkg/__pycache__/" + __import__("importlib.util").util.cache_from_source("config.py").split("/")[-1], invalidation_mode=p.PycInvalidationMode.${mode})`,
  );

test.each([
  ["that is never compared with its source", "UNCHECKED_HASH"],
  ["with the time and the size of another source", "TIMESTAMP"],
])("bytecode %s is not what a project's process runs", async (_, mode) => {
  const source = put("pkg/config.py", "LIMIT = 1\n");
  const other = put("other/config.py", "LIMIT = 2\n");
  for (const path of [source, other]) utimesSync(path, 1_700_000_000, 1_700_000_000);
  compile(mode, other);
  // What makes it worth while: Python believes it.
  expect(limit()).toBe("2");
  await prepare();
  expect(limit()).toBe("1");
});

test("caches of the environment, of tools, of logged models and behind links stay", async () => {
  const elsewhere = realpathSync(mkdtempSync(join(tmpdir(), "factory-elsewhere-")));
  try {
    mkdirSync(join(elsewhere, "__pycache__"));
    writeFileSync(join(elsewhere, "__pycache__/a.pyc"), "");
    symlinkSync(elsewhere, join(folder, "linked"));
    mkdirSync(join(folder, "src/pkg"), { recursive: true });
    symlinkSync(elsewhere, join(folder, "src/pkg/__pycache__"));
    const kept = [
      put(".venv/lib/python3.11/site-packages/mlflow/__pycache__/a.pyc"),
      put(".factory/local/__pycache__/a.pyc"),
      put("mlruns/1/models/m-1/artifacts/code/__pycache__/a.pyc"),
      put("src/pkg/a.py"),
      join(elsewhere, "__pycache__/a.pyc"),
    ];
    const removed = [
      put("__pycache__/a.pyc"),
      put("src/pkg/deep/er/__pycache__/more/a.pyc"),
      put("src/.venv/__pycache__/a.pyc"),
      put("tests/__PyCache__/a.pyc"),
      join(folder, "src/pkg/__pycache__"),
    ];
    await prepare();
    expect(kept.filter((path) => !existsSync(path))).toEqual([]);
    expect(removed.filter((path) => existsSync(path))).toEqual([]);
  } finally {
    rmSync(elsewhere, { recursive: true, force: true });
  }
});
