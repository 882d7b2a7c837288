import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { basename, dirname, join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { makeTemporaryFolder, makeWorkFolder } from "../../src/lib/work-folder.ts";

const base = join(mkdtempSync(join(tmpdir(), "factory-work-")), "work");
afterEach(() => rmSync(base, { recursive: true, force: true }));

/** The folder as another process would have called it. */
function ofProcess(path: string, pid: number): string {
  const [machine, , ...rest] = basename(path).split("_");
  const other = join(base, [machine, pid, ...rest].join("_"));
  renameSync(path, other);
  return other;
}

test("a folder is new, private, and gone when it is removed", () => {
  const first = makeWorkFolder(base);
  const second = makeWorkFolder(base);
  expect(first.path).not.toBe(second.path);
  expect(statSync(first.path).mode & 0o777).toBe(0o700);
  writeFileSync(join(first.path, "model"), "x");
  first.remove();
  expect([first, second].map(({ path }) => existsSync(path))).toEqual([false, true]);
});

test("what a dead process left is removed; what a living one, another machine or another program has there stays", () => {
  const { pid } = spawnSync("true");
  const dead = ofProcess(makeWorkFolder(base).path, pid);
  writeFileSync(join(dead, "model"), "x");
  const mine = makeWorkFolder(base).path;
  expect(existsSync(dead)).toBe(false);
  // A later process with the same number is another one.
  const reused = ofProcess(makeWorkFolder(base).path, process.ppid);
  const elsewhere = join(base, `${"0".repeat(12)}_${pid}_00_00`);
  const strange = join(base, "something-else");
  for (const path of [elsewhere, strange]) mkdirSync(path);
  makeWorkFolder(base);
  expect([mine, reused, elsewhere, strange].map((path) => existsSync(path))).toEqual([true, false, true, true]);
});

test("a temporary folder is below one of this user's own, and never where somebody else could have put a link", () => {
  mkdirSync(base, { recursive: true });
  vi.stubEnv("TMPDIR", base);
  try {
    const own = join(base, `factory-${userInfo().uid}`);
    const { path, remove } = makeTemporaryFolder();
    expect(dirname(path)).toBe(own);
    remove();
    rmSync(own, { recursive: true });
    symlinkSync(tmpdir(), own);
    expect(() => makeTemporaryFolder()).toThrow("is not a folder of yours");
  } finally {
    vi.unstubAllEnvs();
  }
});
