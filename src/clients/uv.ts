import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { harmlessVariables } from "../lib/child-variables.ts";
import { writeFileAtomic } from "../lib/files.ts";
import { acquireLock } from "../lib/lock.ts";
import { type Report, withTask } from "../lib/progress.ts";
import { runProcess } from "../lib/run-process.ts";
import { UV_VERSION } from "./mlflow-pins.ts";
import { installerVariables, requirePython } from "./python.ts";

export interface UvRequest {
  /** The platform's data folder for factory. */
  data: string;
  variables: Readonly<Record<string, string>>;
  report: Report;
  signal: AbortSignal;
}

/** Oldest uv that knows `UV_DEFAULT_INDEX`, `--compile-bytecode` and dependency groups. */
const OLDEST = [0, 5, 0] as const;

/** The uv on PATH or installed by factory before, with its version; looks only, installs nothing. */
export async function findUv(
  request: Pick<UvRequest, "data" | "variables" | "signal">,
): Promise<{ path: string; version: string } | undefined> {
  for (const path of ["uv", installedUv(request.data)]) {
    if (path === undefined) continue;
    const version = await versionOf(path, request);
    if (version !== undefined) return { path, version };
  }
  return undefined;
}

/**
 * A uv program: the one on PATH, else one that is installed into factory's own data folder with pip.
 * Undefined when it cannot be had (no venv module, not in the index): then venv and pip do the work, slower.
 */
export async function ensureUv(request: UvRequest): Promise<string | undefined> {
  const found = await findUv(request);
  if (found !== undefined) return found.path;
  const python = await requirePython(request.variables, request.signal);
  const folder = toolFolder(request.data);
  const release = await acquireLock({
    path: `${folder}.lock`,
    what: "the installation of uv",
    waitMs: 300_000,
    signal: request.signal,
  });
  try {
    const already = installedUv(request.data);
    if (already !== undefined) return already;
    return await withTask(request.report, "uv", `uv ${UV_VERSION}`, () => install(folder, python.path, request));
  } finally {
    release();
  }
}

async function install(folder: string, python: string, request: UvRequest): Promise<string | undefined> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const env = await installerVariables(request.variables, python, request.signal);
  const logFile = join(folder, "install.log");
  const steps = [
    [python, "-m", "venv", folder],
    [join(folder, "bin", "python"), "-m", "pip", "install", "--no-deps", "--only-binary", ":all:", `uv==${UV_VERSION}`],
  ];
  for (const argv of steps) {
    const result = await runProcess({ argv, cwd: folder, env, signal: request.signal, logFile, timeoutMs: 240_000 });
    if (result.status !== 0) {
      request.report({
        type: "note",
        tone: "warning",
        text: `uv could not be installed, pip is used instead (${logFile})`,
      });
      return undefined;
    }
  }
  writeFileAtomic(join(folder, "complete"), `${UV_VERSION}\n`);
  return installedUv(request.data);
}

function toolFolder(data: string): string {
  return join(data, "tools", `uv-${UV_VERSION}`);
}

function installedUv(data: string): string | undefined {
  const folder = toolFolder(data);
  const marker = join(folder, "complete");
  const program = join(folder, "bin", "uv");
  return existsSync(marker) && readFileSync(marker, "utf8").trim() === UV_VERSION && existsSync(program)
    ? program
    : undefined;
}

async function versionOf(
  path: string,
  request: Pick<UvRequest, "data" | "variables" | "signal">,
): Promise<string | undefined> {
  try {
    const result = await runProcess({
      argv: [path, "--version"],
      cwd: "/",
      env: harmlessVariables(request.variables),
      timeoutMs: 10_000,
      signal: request.signal,
    });
    const [, ...parts] = /^uv (\d+)\.(\d+)\.(\d+)/.exec(result.stdout) ?? [];
    if (result.status !== 0 || parts.length !== 3) return undefined;
    const numbers = parts.map(Number);
    const differs = OLDEST.findIndex((least, i) => numbers[i] !== least);
    return differs === -1 || (numbers[differs] ?? 0) > (OLDEST[differs] ?? 0) ? parts.join(".") : undefined;
  } catch {
    request.signal.throwIfAborted();
    return undefined;
  }
}
