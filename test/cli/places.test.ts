import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { fileErrorByItself } from "../../src/lib/file-error.ts";
import { factory, makeHome } from "../support/factory.ts";

const home = makeHome();
const cwd = join(home.folder, "here");
mkdirSync(cwd);
afterAll(() => home.remove());

/** A folder in which nobody may make another one, whoever runs this. */
const CLOSED = process.platform === "darwin" ? "/System/factory-test" : "/sys/factory-test";

function run(...args: string[]) {
  return factory(args, { cwd, variables: home.variables });
}

test("a folder that may not be written is an error of the outside with its place, and no bug", async () => {
  const { status, stderr } = await run("init", CLOSED, "--organisation", "Example");
  expect(stderr).toMatch(/factory-test\S* may not be written \(E[A-Z]+\)\n {2}→ check the owner/);
  expect(stderr).not.toContain("bug");
  expect(status).toBe(4);
});

test("errors of the file system say what may not be done; others are left alone", () => {
  const thrown = (code: string, syscall: string) => Object.assign(new Error(code), { code, syscall, path: "/x" });
  expect(fileErrorByItself(thrown("EACCES", "open"))?.message).toBe("/x may not be read or written (EACCES)");
  expect(fileErrorByItself(thrown("EROFS", "rename"))?.message).toBe("/x may not be written (EROFS)");
  expect(fileErrorByItself(thrown("ENOSPC", "write"))).toMatchObject({ code: "disk.full", exit: 4 });
  expect(fileErrorByItself(thrown("EISDIR", "rename"))).toBeUndefined();
  expect(fileErrorByItself(new Error("no path"))).toBeUndefined();
});

test("check --junit with a folder is told before a gate runs", async () => {
  await run("new", "claims-triage", "--yes", "--no-git");
  const folder = join(cwd, "claims-triage");
  const { status, stderr } = await factory(["check", "--project-only", "--only", "docs", "--junit", "."], {
    cwd: folder,
    variables: home.variables,
  });
  expect(stderr).toBe(`✖ --junit: ${folder} is no file\n  → name a file, such as gates.xml\n`);
  expect(status).toBe(2);
});
