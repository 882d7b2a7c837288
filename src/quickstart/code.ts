import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { EXIT, FactoryError, outsideError } from "../lib/error.ts";
import { runProcess } from "../lib/run-process.ts";
import { childEnvironment } from "../training/child-environment.ts";
import type { Program } from "./step.ts";

/** One change of a file: text that must stand in it once, and what takes its place. */
export interface Edit {
  path: string;
  before: string;
  after: string;
}

/** Makes the changes in a project and commits them as whoever runs the program. */
export async function changeCode(
  program: Program,
  project: string,
  edits: readonly Edit[],
  message: string,
): Promise<void> {
  for (const { path, before, after } of edits) {
    const file = join(project, path);
    const [head, tail, ...more] = readFileSync(file, "utf8").split(before);
    if (head === undefined || tail === undefined || more.length > 0)
      throw new FactoryError("quickstart.edit", EXIT.bug, `${file} does not hold this once: ${before}`);
    writeFileSync(file, `${head}${after}${tail}`);
  }
  await commit(
    program,
    project,
    edits.map((edit) => edit.path),
    message,
  );
}

export async function commit(
  program: Program,
  project: string,
  paths: readonly string[],
  message: string,
): Promise<void> {
  await git(program, project, ["add", "--", ...paths]);
  await git(program, project, ["commit", "--quiet", "--no-verify", "--message", message]);
}

export async function git(program: Program, cwd: string, args: readonly string[]): Promise<void> {
  const { env, signal } = program;
  const identity = Object.fromEntries(Object.entries(env).filter(([name]) => name.startsWith("GIT_")));
  const result = await runProcess({
    argv: ["git", ...args],
    cwd,
    env: childEnvironment(env, identity),
    signal,
    timeoutMs: 60_000,
  });
  if (result.status !== 0)
    throw outsideError(
      "quickstart.git",
      `git ${args.join(" ")} failed: ${result.stderr.trim()}`,
      "git is needed: factory doctor",
    );
}
