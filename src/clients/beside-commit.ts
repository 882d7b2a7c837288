import { lstatSync } from "node:fs";
import { basename, join } from "node:path";
import { outsideError } from "../lib/error.ts";
import { stripControls } from "../lib/redact.ts";
import type { ProcessResult } from "../lib/run-process.ts";
import { RUN_FOLDERS, TOOL_FOLDERS } from "../lib/tool-folders.ts";

const MAX_LIST_BYTES = 256 << 20;

/** What Python imports, or runs when it starts. */
const LOADABLE = /\.(?:py|pyw|pyc|pyo|so|pyd|pth)$/i;
/** Caches of Python's own: they are removed before the project's code runs. */
const BYTECODE = /(?:^|\/)__pycache__\/[^/]+\.pyc$/;
/** The folder of a logged model: no import reaches below a name with a hyphen. */
const LOGGED_MODEL = /\/m-[0-9a-f]{32}\//;
/** Files that say how tools run, which they look for in any folder. */
const SETTINGS =
  /^(?:GNUm|[mM])akefile$|(?:^|\/)(?:pyproject\.toml|uv\.(?:lock|toml)|\.?pytest\.(?:ini|toml)|tox\.ini|setup\.cfg|\.?ruff\.toml)$/;
const OF_PROJECT = /^(?:factory\.yaml|databricks\.yml|contracts\/.*\.yaml|resources\/.*\.yml)$/;

/**
 * What of a project is run or read by training and gates, and in no commit, since git ignores it; undefined: nothing. `git` works
 * on an index that holds the commit, and throws where it fails. Ignore rules are not asked: whoever writes one could hide code with it.
 * `commandFiles`: what commands of the project name.
 */
export async function besideCommit(
  folder: string,
  commandFiles: readonly string[],
  git: (args: readonly string[], maxOutputBytes: number) => Promise<ProcessResult>,
): Promise<string | undefined> {
  const listed = await git(
    ["ls-files", "--others", "-z", "--", ".", ...TOOL_FOLDERS.map((name) => `:(exclude,literal)${name}`)],
    MAX_LIST_BYTES,
  );
  if (Buffer.byteLength(listed.stdout) >= MAX_LIST_BYTES)
    throw outsideError("git.size", "the list of files that are in no commit is too long");
  // Python finds a file of a known name in a folder that cannot be listed.
  const [, closed] = /could not open directory '([^'\n]*)'/.exec(listed.stderr) ?? [];
  if (closed !== undefined) return `${stripControls(closed)} cannot be looked into`;
  const code = listed.stdout
    .split("\0")
    .find((path) => path !== "" && (commandFiles.includes(path) || isCode(folder, path)));
  return code && `${stripControls(code)} is ignored by git, and so in no commit`;
}

function isCode(folder: string, path: string): boolean {
  // A repository in the project: git lists its folder, and not what is in it.
  if (path.endsWith("/")) return true;
  if (SETTINGS.test(path) || OF_PROJECT.test(path)) return true;
  if (LOADABLE.test(path)) {
    const isOfRuns = RUN_FOLDERS.some((name) => path.startsWith(`${name}/`));
    return !(isOfRuns ? LOGGED_MODEL : BYTECODE).test(path);
  }
  // A link to a folder is a package to Python.
  return (
    !basename(path).includes(".") && lstatSync(join(folder, path), { throwIfNoEntry: false })?.isSymbolicLink() === true
  );
}
