import { accessSync, constants, statSync } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";
import { outsideError, usageError } from "../../lib/error.ts";
import { redact, stripControls } from "../../lib/redact.ts";
import { runProcess } from "../../lib/run-process.ts";

/** The official program on this machine. */
export interface FoundCli {
  path: string;
  /** `1.13.0` */
  version: string;
}

/** From here on the program deploys by itself (engine `direct`); older ones fetch Terraform while they deploy. */
const OLDEST_CLI = "0.279.0";
const INSTALL = "install it: https://docs.databricks.com/dev-tools/cli/install.html; or name it in DATABRICKS_CLI_PATH";

/** Finds the program by DATABRICKS_CLI_PATH, else on PATH, and asks for its version. Throws exit 2: missing, too old, or another program. */
export async function findCli(variables: Readonly<Record<string, string>>, signal: AbortSignal): Promise<FoundCli> {
  const path = locate(variables);
  const result = await runProcess({
    argv: [path, "version"],
    cwd: "/",
    env: { PATH: variables.PATH ?? "", HOME: "/" },
    timeoutMs: 30_000,
    signal,
    maxOutputBytes: 4096,
  });
  if (result.timedOut) throw outsideError("databricks-cli.version", `${path} did not tell its version within 30 s`);
  const said = stripControls(redact(`${result.stdout}\n${result.stderr}`)).trim();
  const version = /\bv?(\d+\.\d+\.\d+)\b/.exec(result.stdout)?.[1];
  if (result.status !== 0 || version === undefined || !/databricks/i.test(result.stdout)) {
    const retired = /^Version 0\.\d+/m.test(said);
    throw usageError(
      "databricks-cli.other",
      retired
        ? `${path} is the retired Python tool (${said.slice(0, 40)}), which knows no bundles`
        : `${path} is not the Databricks CLI: asked for its version it said ${JSON.stringify(said.slice(0, 120))}`,
      INSTALL,
    );
  }
  if (compareVersions(version, OLDEST_CLI) < 0)
    throw usageError(
      "databricks-cli.old",
      `${path} is version ${version}, and ${OLDEST_CLI} or later is needed: older ones fetch another program, Terraform, while they deploy`,
      INSTALL,
    );
  return { path, version };
}

function locate(variables: Readonly<Record<string, string>>): string {
  const named = variables.DATABRICKS_CLI_PATH;
  if (named !== undefined && named !== "") {
    if (isAbsolute(named) && isProgram(named)) return named;
    throw usageError(
      "databricks-cli.path",
      `DATABRICKS_CLI_PATH names ${named}, which is no program${isAbsolute(named) ? "" : ": its path must be absolute"}`,
      INSTALL,
    );
  }
  // A relative folder in PATH would let the project's folder decide which program gets the token.
  const found = (variables.PATH ?? "")
    .split(delimiter)
    .filter(isAbsolute)
    .map((folder) => join(folder, "databricks"))
    .find(isProgram);
  if (found === undefined)
    throw usageError("databricks-cli.missing", "the Databricks CLI, which deploys bundles, is not on PATH", INSTALL);
  return found;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** Below zero: `a` is older. Pure. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((text) => text.split(".").map(Number));
  for (const i of [0, 1, 2]) {
    const difference = (left?.[i] ?? 0) - (right?.[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
