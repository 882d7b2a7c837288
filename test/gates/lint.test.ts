import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { judgeLint } from "../../src/gates/lint.ts";

let root = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "factory-lint-"));
  for (const name of ["bin", "project", "work"]) mkdirSync(join(root, name));
  writeFileSync(join(root, "project/pyproject.toml"), "");
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** What ruff 0.17 says of `def broken(:`; `ruff format` says it on stdout. */
const FORMAT = `warning: something is deprecated
invalid-syntax: Expected a parameter
 --> tests/test_a.py:6:12
  |
6 | def broken(:
  |            ^
`;
const FOUND = (folder: string) => [
  {
    code: "invalid-syntax",
    message: "Expected a parameter",
    filename: join(folder, "tests/test_a.py"),
    location: { row: 6, column: 12 },
  },
];

/** Judges with a `uv` that answers as ruff would. */
function judge(found: readonly unknown[], format: { status: number; stdout?: string; stderr?: string }) {
  const folder = join(root, "project");
  const bin = join(root, "bin");
  writeFileSync(join(bin, "found.json"), JSON.stringify(found));
  writeFileSync(join(bin, "stdout"), format.stdout ?? "");
  writeFileSync(join(bin, "stderr"), format.stderr ?? "");
  writeFileSync(
    join(bin, "uv"),
    `#!/bin/sh
here=\${0%/*}
case "$*" in
  *--show-files*) echo tests/test_a.py ;;
  *--output-file*) cat "$here/found.json" > "${join(root, "work/ruff.json")}"; exit ${found.length > 0 ? 1 : 0} ;;
  *format*) cat "$here/stdout"; cat "$here/stderr" >&2; exit ${format.status} ;;
esac
`,
  );
  chmodSync(join(bin, "uv"), 0o755);
  return judgeLint({
    folder,
    work: join(root, "work"),
    childEnvironment: { PATH: `${bin}:/usr/bin:/bin` },
    timeoutMs: 20_000,
    signal: new AbortController().signal,
    progress: () => {},
  });
}

describe("the lint gate", () => {
  it("a file that cannot be parsed is a finding with its place, though ruff format could not tell", async () => {
    const outcome = await judge(FOUND(join(root, "project")), { status: 2, stdout: FORMAT });
    expect(outcome).toMatchObject({
      verdict: "fail",
      findings: [
        { message: "invalid-syntax Expected a parameter", where: "tests/test_a.py:6" },
        { message: "ruff format ended with 2: whether the files are formatted cannot be told" },
      ],
    });
  });
  it.each(["stdout", "stderr"])("what ruff format says on %s is told, when nothing else was found", async (stream) => {
    expect(await judge([], { status: 2, [stream]: FORMAT })).toMatchObject({
      verdict: "error",
      summary: "ruff format ended with 2",
      findings: [{ message: "invalid-syntax: Expected a parameter\n--> tests/test_a.py:6:12" }],
    });
  });
  it("nothing said: the exit status is", async () => {
    expect((await judge([], { status: 2 })).findings).toEqual([{ message: "ruff format ended with 2" }]);
  });
  it("nothing found passes, files that are not formatted fail", async () => {
    expect(await judge([], { status: 0 })).toMatchObject({ verdict: "pass", summary: "ruff: 1 files" });
    expect(await judge([], { status: 1 })).toMatchObject({
      verdict: "fail",
      findings: [{ message: "files are not formatted" }],
    });
  });
});
