import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { openHistory } from "../../src/clients/git.ts";

const root = realpathSync(mkdtempSync(join(tmpdir(), "factory-tricks-")));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const variables = { PATH: process.env.PATH ?? "", HOME: root };
let number = 0;
let folder = "";
beforeEach(() => {
  folder = join(root, `repo-${++number}`);
  mkdirSync(join(folder, "src"), { recursive: true });
  git("init", "-q");
  writeFileSync(join(folder, "src/code.py"), "LIMIT = 1\n");
  git("add", ".");
  git("-c", "user.name=A", "-c", "user.email=a@x.ch", "commit", "-qm", "one");
});

function git(...args: string[]): string {
  return execFileSync("git", args, { cwd: folder, env: variables, encoding: "utf8" }).trim();
}
const tamper = () => writeFileSync(join(folder, "src/code.py"), "LIMIT = 2\n");
const state = (of = folder) => openHistory(of, variables, new AbortController().signal).state();

describe("a tree that differs from its commit, though the status of git is empty", () => {
  test("a clean one is clean", async () => {
    expect(await state()).toEqual({ commit: git("rev-parse", "HEAD"), dirty: false });
  });
  test.each(["--skip-worktree", "--assume-unchanged"])("marked %s", async (mark) => {
    git("update-index", mark, "src/code.py");
    tamper();
    expect(git("status", "--porcelain")).toBe("");
    expect(await state()).toMatchObject({ dirty: true, why: expect.stringContaining("src/code.py") });
  });
  test("the index holds the times of the changed file beside the digest of the committed one", async () => {
    const committed = git("ls-files", "-s").split(" ")[1] ?? "";
    tamper();
    git("add", ".");
    const changed = git("ls-files", "-s").split(" ")[1] ?? "";
    const index = join(folder, ".git/index");
    const bytes = execFileSync("python3", [
      "-c",
      "import sys,hashlib;b=open(sys.argv[1],'rb').read()[:-20].replace(bytes.fromhex(sys.argv[2]),bytes.fromhex(sys.argv[3]));sys.stdout.buffer.write(b+hashlib.sha1(b).digest())",
      index,
      changed,
      committed,
    ]);
    writeFileSync(index, bytes);
    expect((await state())?.dirty).toBe(true);
  });
  test("a clean filter of the repository's own configuration", async () => {
    git("config", "filter.hide.clean", "echo 'LIMIT = 1'; cat >/dev/null");
    writeFileSync(join(folder, ".git/info/attributes"), "*.py filter=hide\n");
    tamper();
    expect(await state()).toMatchObject({ dirty: true });
  });
  test("code that an exclude file of this machine ignores", async () => {
    writeFileSync(join(folder, ".git/info/exclude"), "hidden.py\n");
    writeFileSync(join(folder, "src/hidden.py"), "x = 1\n");
    expect(git("status", "--porcelain")).toBe("");
    expect(await state()).toMatchObject({ dirty: true, why: expect.stringContaining("src/hidden.py") });
  });
  test("a project in a folder that the bigger repository ignores", async () => {
    const project = join(folder, "sub");
    mkdirSync(project);
    writeFileSync(join(folder, ".git/info/exclude"), "sub\n");
    writeFileSync(join(project, "factory.yaml"), "factory: 1\n");
    expect(await state(project)).toMatchObject({ dirty: true, why: expect.stringContaining("factory.yaml") });
  });
  test("a working tree that is somewhere else is refused", async () => {
    const other = join(root, `other-${number}`);
    mkdirSync(join(other, "src"), { recursive: true });
    copyFileSync(join(folder, "src/code.py"), join(other, "src/code.py"));
    git("config", "core.worktree", other);
    tamper();
    await expect(state()).rejects.toMatchObject({ code: "git.worktree", exit: 2 });
  });
  test("a subfolder, a linked work tree and a path with a link in it are fine", async () => {
    expect(await state(join(folder, "src"))).toMatchObject({ dirty: false });
    const linked = join(root, `linked-${number}`);
    git("worktree", "add", "-q", linked);
    expect(await state(linked)).toMatchObject({ dirty: false });
  });
});
