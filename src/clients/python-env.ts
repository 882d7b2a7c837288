import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { basename, join } from "node:path";
import { kill } from "node:process";
import * as z from "zod";
import { outsideError } from "../lib/error.ts";
import { fileError } from "../lib/file-error.ts";
import { writeFileAtomic } from "../lib/files.ts";
import { sha256 } from "../lib/hash.ts";
import { acquireLock, type LockRequest } from "../lib/lock.ts";
import { listProcesses, startedWith } from "../lib/process-identity.ts";
import { withTask } from "../lib/progress.ts";
import { runProcess } from "../lib/run-process.ts";
import { MLFLOW_PINS, MLFLOW_VERSION } from "./mlflow-pins.ts";
import { type FoundPython, installError, installerVariables, requirePython } from "./python.ts";
import { ensureUv, type UvRequest } from "./uv.ts";

export interface PythonEnvironment {
  folder: string;
  /** Holds `python` and `mlflow`; goes first on a child's PATH. */
  bin: string;
  mlflow: string;
  python: string;
  installer: "uv" | "pip";
  packages: number;
}

const NEEDED_BYTES = 1.5e9;
/** Variable by which an installer's processes are known again. */
const MARK = "FACTORY_PYTHON_INSTALL";
const INSTALL_TIMEOUT_MS = 20 * 60_000;
const PINS_DIGEST = sha256(MLFLOW_PINS);
const PREFIX = `mlflow-${MLFLOW_VERSION}-${PINS_DIGEST.slice(0, 8)}-py`;

const marker = z.object({ pins: z.string(), python: z.string(), installer: z.enum(["uv", "pip"]), packages: z.int() });

/** factory's managed Python environment, if it is there and whole; installs nothing. */
export function findPythonEnvironment(data: string): PythonEnvironment | undefined {
  if (!existsSync(data)) return undefined;
  const names = readdirSync(data)
    .filter((name) => name.startsWith(PREFIX))
    .sort();
  for (const name of names) {
    const environment = readComplete(join(data, name));
    if (environment !== undefined) return environment;
  }
  return undefined;
}

/**
 * factory's managed Python environment: MLflow and everything it needs, by exact pins, bytecode compiled. Installed at
 * most once on a machine; an interrupted install is thrown away and begun again. Throws outside errors (exit 4) for no
 * Python, no network, a full disk.
 */
export async function ensurePythonEnvironment(request: UvRequest): Promise<PythonEnvironment> {
  const found = findPythonEnvironment(request.data);
  if (found !== undefined) return found;
  const python = await requirePython(request.variables, request.signal);
  const folder = join(request.data, `${PREFIX}${python.minor}`);
  const release = await acquireLockIn(request.data, {
    path: `${folder}.lock`,
    what: `the Python environment ${folder}`,
    waitMs: INSTALL_TIMEOUT_MS,
    signal: request.signal,
    onWait: (pid) =>
      request.report({
        type: "note",
        tone: "info",
        text: `process ${pid} is installing the Python environment; waiting for it`,
      }),
  });
  try {
    return readComplete(folder) ?? (await install(folder, python, request));
  } catch (error) {
    // Half an environment is of no use, and takes space that a full disk needs. The log stays.
    rmSync(folder, { recursive: true, force: true });
    throw fileError(error, request.data);
  } finally {
    release();
  }
}

async function acquireLockIn(data: string, lock: LockRequest): Promise<() => void> {
  try {
    return await acquireLock(lock);
  } catch (error) {
    throw fileError(error, data);
  }
}

/** A virtual environment cannot be moved, so it is built in place and counts once the marker, written last, is there. */
async function install(folder: string, python: FoundPython, request: UvRequest): Promise<PythonEnvironment> {
  endLeftOvers(folder);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const disk = await statfs(folder);
  if (disk.bavail * disk.bsize < NEEDED_BYTES) {
    throw outsideError(
      "disk.full",
      `not enough disk space in ${request.data} for the Python environment: ${gigabytes(disk.bavail * disk.bsize)} free, 1.5 GB needed`,
      "free some space, or set XDG_DATA_HOME to a folder on a larger disk",
    );
  }
  const uv = await ensureUv(request);
  const env = { ...(await installerVariables(request.variables, python.path, request.signal)), [MARK]: folder };
  const venv = join(folder, "bin", "python");
  const logFile = `${folder}.log`;
  rmSync(logFile, { force: true });
  const pins = join(request.data, `${basename(folder)}.txt`);
  writeFileSync(pins, MLFLOW_PINS);
  const steps: (readonly string[])[] =
    uv === undefined
      ? [
          [python.path, "-m", "venv", folder],
          [venv, "-m", "pip", "install", "--no-deps", "--only-binary", ":all:", "--compile", "-r", pins],
        ]
      : [
          // `--allow-existing`: the folder is ours and empty.
          [uv, "venv", "--allow-existing", "--no-config", "--no-project", "--python", python.path, folder],
          [
            uv,
            "pip",
            "install",
            "--no-config",
            "--python",
            venv,
            "--no-deps",
            "--only-binary",
            ":all:",
            "--compile-bytecode",
            "-r",
            pins,
          ],
        ];
  const total = new Set(
    MLFLOW_PINS.trim()
      .split("\n")
      .map((line) => line.split("==")[0]),
  ).size;
  const label = `Python environment (MLflow ${MLFLOW_VERSION}, ${uv === undefined ? "pip" : "uv"})`;
  await withTask(
    request.report,
    "python-environment",
    label,
    async (advance) => {
      let detail = "";
      const tick = setInterval(() => advance(installedPackages(folder), detail), 250);
      try {
        for (const argv of steps) {
          const lines: string[] = [];
          const onLine = (line: string): void => {
            lines.push(line);
            if (lines.length > 200) lines.shift();
            detail = progressDetail(line) ?? detail;
          };
          const result = await runProcess({
            argv,
            cwd: folder,
            env,
            signal: request.signal,
            logFile,
            timeoutMs: INSTALL_TIMEOUT_MS,
            onLine,
          });
          if (result.timedOut)
            throw outsideError(
              "python.timeout",
              `the Python environment was not installed within ${INSTALL_TIMEOUT_MS / 60_000} minutes`,
              `the log: ${logFile}`,
            );
          if (result.status !== 0) throw installError("the Python environment", lines.join("\n"), logFile);
        }
        advance(installedPackages(folder), `${installedPackages(folder)} packages`);
      } finally {
        clearInterval(tick);
      }
    },
    { total, unit: "steps" },
  );
  const packages = installedPackages(folder);
  const record: z.infer<typeof marker> = {
    pins: PINS_DIGEST,
    python: python.version,
    installer: uv === undefined ? "pip" : "uv",
    packages,
  };
  writeFileAtomic(join(folder, "factory-complete.json"), `${JSON.stringify(record)}\n`);
  const complete = readComplete(folder);
  if (complete === undefined)
    throw outsideError(
      "python.incomplete",
      `the Python environment ${folder} has no mlflow program after its install`,
      `the log: ${logFile}`,
    );
  return complete;
}

/** An installer whose factory was killed goes on alone, and would write into what is built anew here. */
function endLeftOvers(folder: string): void {
  for (const { pid } of listProcesses().filter((each) => startedWith(each.pid, `${MARK}=${folder}`) === true)) {
    try {
      kill(pid, "SIGKILL");
    } catch {
      // Ended meanwhile.
    }
  }
}

function readComplete(folder: string): PythonEnvironment | undefined {
  const path = join(folder, "factory-complete.json");
  const bin = join(folder, "bin");
  // existsSync follows links: false when the interpreter that the environment was made from is gone.
  if (!existsSync(path) || !existsSync(join(bin, "python")) || !existsSync(join(bin, "mlflow"))) return undefined;
  try {
    const text: unknown = JSON.parse(readFileSync(path, "utf8"));
    const record = marker.safeParse(text).data;
    if (record?.pins !== PINS_DIGEST) return undefined;
    return {
      folder,
      bin,
      mlflow: MLFLOW_VERSION,
      python: record.python,
      installer: record.installer,
      packages: record.packages,
    };
  } catch {
    return undefined;
  }
}

function installedPackages(folder: string): number {
  try {
    const [site] = readdirSync(join(folder, "lib")).filter((name) => name.startsWith("python"));
    if (site === undefined) return 0;
    return readdirSync(join(folder, "lib", site, "site-packages")).filter((name) => name.endsWith(".dist-info")).length;
  } catch {
    return 0;
  }
}

function progressDetail(line: string): string | undefined {
  const [, verb, what] =
    /^\s*(Collecting|Downloading|Using cached|Installing|Prepared|Resolved|Installed|Bytecode compiled)\s+([\w.-]+)/.exec(
      line,
    ) ?? [];
  if (verb === undefined || what === undefined) return undefined;
  if (verb === "Installing") return "installing";
  return verb === "Installed" ? "compiling bytecode" : `${verb.toLowerCase()} ${what}`;
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}
