import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { delimiter, isAbsolute, join } from "node:path";
import { variablesFor } from "../../../lib/child-variables.ts";
import { type FactoryError, outsideError, usageError } from "../../../lib/error.ts";
import { redact, stripControls } from "../../../lib/redact.ts";
import { runProcess } from "../../../lib/run-process.ts";

const TIMEOUT_MS = 60_000;

export interface Programs {
  variables: Readonly<Record<string, string>>;
  /** Where they run: never the folder of a project. */
  home: string;
  signal: AbortSignal | undefined;
}

/**
 * The whole path of a program: `named` if it is given, else the first on PATH. Folders of PATH that are relative are passed over: what
 * lies in a project must not be run with a user's login. Undefined when there is none.
 */
export async function findProgram(
  name: string,
  named: { path: string; from: string } | undefined,
  { variables }: Programs,
): Promise<string | undefined> {
  if (named?.path.includes("/") === true) {
    if (!isAbsolute(named.path))
      throw usageError("databricks.program", `${named.from}: ${named.path} is not a whole path`, "start it with /");
    if (await isProgram(named.path)) return named.path;
    throw usageError("databricks.program", `${named.from}: ${named.path} is no program`);
  }
  for (const folder of (variables.PATH ?? "").split(delimiter).filter(isAbsolute)) {
    const path = join(folder, named?.path ?? name);
    if (await isProgram(path)) return path;
  }
  return undefined;
}

async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

/** Runs it without a shell and returns what it printed as JSON. Its output is a secret, and is never part of a message. */
export async function runForJson(
  argv: readonly string[],
  programs: Programs,
  more: Readonly<Record<string, string>>,
): Promise<unknown> {
  const result = await runProcess({
    argv,
    cwd: programs.home,
    // A login program keeps the user's session by itself; variables that carry other credentials would turn it elsewhere.
    env: { ...variablesFor("login", programs.variables), ...more },
    timeoutMs: TIMEOUT_MS,
    ...(programs.signal !== undefined && { signal: programs.signal }),
  });
  const name = argv.slice(0, 3).join(" ");
  if (result.timedOut) throw outsideError("databricks.program", `${name} did not end within ${TIMEOUT_MS / 1000} s`);
  if (result.status !== 0) throw failed(name, result.status, result.stderr);
  try {
    const value: unknown = JSON.parse(result.stdout);
    return value;
  } catch {
    throw outsideError(
      "databricks.program",
      `${name} did not print JSON`,
      "is it the current version of that program?",
    );
  }
}

function failed(name: string, status: number | undefined, stderr: string): FactoryError {
  const said = stripControls(redact(stderr))
    .split("\n")
    .map((line) => line.trim())
    .find((line) => line !== "");
  return outsideError(
    "databricks.program",
    `${name} failed (${status ?? "killed"})${said === undefined ? "" : `: ${said.replace(/^(?:Error|ERROR): */, "").slice(0, 300)}`}`,
  );
}
