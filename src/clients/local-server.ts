import { spawn } from "node:child_process";
import { closeSync, copyFileSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, rmSync } from "node:fs";
import { readdir, rm, statfs } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { type FactoryError, outsideError } from "../lib/error.ts";
import { fileError } from "../lib/file-error.ts";
import { writeFileAtomic } from "../lib/files.ts";
import { acquireLock, lockHolder } from "../lib/lock.ts";
import { processStart } from "../lib/process-identity.ts";
import { redact, stripControls } from "../lib/redact.ts";
import { type LocalHost, type ServerFacts, type ServerRecord, serverRecord } from "../local/server.ts";
import { claimServer, whoAnswers } from "./local-answer.ts";
import { homeServedAt, isPortFree, portHolder } from "./port.ts";
import { ensurePythonEnvironment } from "./python-env.ts";
import { endProcesses, leaderLives, MARK, processesOf } from "./server-processes.ts";

const LOCK_WAIT_MS = 180_000;
const ABANDONED_UPLOAD = /^\.artifact\.uploading\./;
/** What a server needs of the user's environment: nothing that could carry a credential. */
const PASSED_ON = /^(?:HOME|TMPDIR|LANG|LC_\w+|TZ|USER|LOGNAME|LD_LIBRARY_PATH|OPENBLAS_\w+|OMP_\w+)$/;

/**
 * `mlflow` with its arguments. Its `server` makes ready the database and then starts uvicorn in a process of its own, which imports
 * MLflow all over again: half of the start, and half of the memory. Here uvicorn runs where MLflow is there already. Left alone it would look
 * for modules in the working folder first, which lies in the repository: it is told the folder that holds MLflow.
 */
const MLFLOW_IN_ONE_PROCESS = `
import os, sys
import uvicorn.main, mlflow.cli, mlflow.server

def here(command, extra_env, **_):
    os.environ.update({name: str(value) for name, value in extra_env.items()})
    packages = os.path.dirname(os.path.dirname(mlflow.__file__))
    sys.exit(uvicorn.main.main([*command[command.index("uvicorn") + 1:], "--app-dir", packages]))

mlflow.server._exec_cmd = here
mlflow.cli.cli(sys.argv[1:], prog_name="mlflow")
`;

export interface LocalHostOptions {
  /** The platform's data folder for factory. */
  data: string;
  variables: Readonly<Record<string, string>>;
}

/** The machine that factory runs on, as the place of a local MLflow server. */
export function openLocalHost({ data, variables }: LocalHostOptions): LocalHost {
  return {
    async python(report, signal) {
      return ensurePythonEnvironment({ data, variables, report, signal });
    },
    async lock(folder, signal, onWait) {
      const lock = {
        path: lockOf(folder),
        what: `the local server in ${folder}`,
        waitMs: LOCK_WAIT_MS,
        signal,
        onWait,
      };
      try {
        return await acquireLock(lock);
      } catch (error) {
        throw fileError(error, folder);
      }
    },
    observe,
    isPortFree: (port) => isPortFree(port),
    portHolder: async (port) => portHolder(port),
    homeServed: async (port) => homeServedAt(port),
    async freeBytes(folder) {
      mkdirSync(folder, { recursive: true });
      // The folder may lie in the repository that holds the policy: a database and models do not belong into that.
      const ignored = join(folder, ".gitignore");
      if (!existsSync(ignored)) writeFileAtomic(ignored, "*\n");
      const disk = await statfs(folder);
      return disk.bavail * disk.bsize;
    },
    hasDatabase: (folder) => existsSync(databaseOf(folder)),
    async backUp(folder, from) {
      const backups = join(folder, "backups");
      mkdirSync(backups, { recursive: true });
      const stamp = new Date().toISOString().replace(/[:.]/g, "-");
      const copy = join(backups, `mlflow-${from ?? "unknown"}-${stamp}.db`);
      try {
        copyFileSync(databaseOf(folder), `${copy}.part`);
        renameSync(`${copy}.part`, copy);
      } catch (error) {
        rmSync(`${copy}.part`, { force: true });
        throw fileError(error, backups);
      }
      return copy;
    },
    sweep: (folder) => sweep(join(folder, "artifacts")),
    save: saveRecord,
    async launch({ folder, record, port, python }) {
      const log = openLog(folder);
      try {
        const child = spawn(
          join(python.bin, "python"),
          [
            ...["-I", "-c", MLFLOW_IN_ONE_PROCESS, "server"],
            // Relative to the working folder: in a path, `?`, `#` and `%` would be read as parts of a URI.
            ...["--backend-store-uri", "sqlite:///mlflow.db"],
            ...["--artifacts-destination", "./artifacts", "--serve-artifacts"],
            ...["--host", "127.0.0.1", "--port", String(port), "--workers", "1"],
          ],
          {
            cwd: folder,
            env: serverVariables(variables, python.bin, record.identity),
            detached: true,
            stdio: ["ignore", log, log],
          },
        );
        const failed = new Promise<never>((_, reject) => child.once("error", reject));
        const spawned = new Promise<void>((resolve) => child.once("spawn", resolve));
        await Promise.race([spawned, failed]);
        child.unref();
        const started = child.pid === undefined ? undefined : processStart(child.pid);
        const launched: ServerRecord =
          record.process === undefined || child.pid === undefined
            ? record
            : { ...record, process: { ...record.process, pid: child.pid, ...(started !== undefined && { started }) } };
        try {
          saveRecord(folder, launched);
        } catch (error) {
          await endProcesses(launched);
          throw error;
        }
        return launched;
      } finally {
        closeSync(log);
      }
    },
    async poll(folder, record) {
      const log = readLog(folder);
      if (!leaderLives(record)) throw endedError(folder, log);
      const { port } = record.process ?? {};
      // Without this line /health may be answered by another server that took the port first.
      if (port === undefined || !log.includes("Uvicorn running on")) return false;
      return claimServer(port, record.identity);
    },
    end: (record) => endProcesses(record),
  };
}

async function observe(folder: string, defaultPort: number): Promise<ServerFacts> {
  const record = readRecord(folder);
  const port = record?.process?.port ?? defaultPort;
  const processes = record === undefined ? [] : processesOf(record);
  const answer = await whoAnswers(port, record?.identity, processes.length > 0);
  return {
    record,
    leaderLives: record !== undefined && leaderLives(record),
    processes,
    busy: lockHolder(lockOf(folder)) !== undefined,
    answer,
    port,
    portHolder: answer === "other" ? portHolder(port) : undefined,
  };
}

function lockOf(folder: string): string {
  return join(folder, "lock");
}

function databaseOf(folder: string): string {
  return join(folder, "mlflow.db");
}

function recordOf(folder: string): string {
  return join(folder, "server.json");
}

function saveRecord(folder: string, record: ServerRecord): void {
  try {
    writeFileAtomic(recordOf(folder), `${JSON.stringify(record, undefined, 2)}\n`, 0o600);
  } catch (error) {
    throw fileError(error, folder);
  }
}

/** A record that cannot be read counts as none: the port, and the backup of the database, then guard what it would have. */
function readRecord(folder: string): ServerRecord | undefined {
  try {
    const parsed: unknown = JSON.parse(readFileSync(recordOf(folder), "utf8"));
    return serverRecord.safeParse(parsed).data;
  } catch {
    return undefined;
  }
}

/** A new log for each start, so that an old line is never taken for a new one; the one before is kept. */
function openLog(folder: string): number {
  const path = join(folder, "server.log");
  if (existsSync(path)) renameSync(path, `${path}.1`);
  return openSync(path, "wx", 0o600);
}

function readLog(folder: string): string {
  try {
    return readFileSync(join(folder, "server.log"), "utf8");
  } catch {
    return "";
  }
}

function endedError(folder: string, log: string): FactoryError {
  const path = join(folder, "server.log");
  if (/address already in use/i.test(log)) {
    return outsideError(
      "local.port-taken",
      "the port was taken by another process while the server started",
      "factory local start --port N",
    );
  }
  if (/database or disk is full|No space left/i.test(log))
    return outsideError("disk.full", "the MLflow server ended: the disk is full", `free some space; its log: ${path}`);
  if (/Can't locate revision/.test(log)) {
    return outsideError(
      "local.newer-database",
      "the MLflow server ended: a newer MLflow has changed its database",
      `put back a copy from ${join(folder, "backups")}, or choose another folder with --dir`,
    );
  }
  const lines = redact(stripControls(log))
    .split("\n")
    .filter((line) => line.trim() !== "")
    .slice(-6)
    .join("\n");
  return outsideError(
    "local.ended",
    `the MLflow server ended while it started${lines === "" ? "" : `:\n${lines}`}`,
    `its log: ${path}`,
  );
}

function serverVariables(
  variables: Readonly<Record<string, string>>,
  bin: string,
  identity: string,
): Record<string, string> {
  const kept = Object.fromEntries(Object.entries(variables).filter(([name]) => PASSED_ON.test(name)));
  return {
    ...kept,
    PATH: [bin, "/usr/local/bin", "/usr/bin", "/bin"].join(delimiter),
    MLFLOW_DISABLE_TELEMETRY: "true",
    DO_NOT_TRACK: "true",
    MLFLOW_SERVER_ENABLE_JOB_EXECUTION: "false",
    PYTHONUNBUFFERED: "1",
    [MARK]: identity,
  };
}

/** Files that uploads left behind when a server was killed; never listed by MLflow and never removed by it. */
async function sweep(artifacts: string): Promise<number> {
  if (!existsSync(artifacts)) {
    mkdirSync(artifacts, { recursive: true });
    return 0;
  }
  const entries = await readdir(artifacts, { recursive: true, withFileTypes: true });
  const abandoned = entries.filter((entry) => entry.isFile() && ABANDONED_UPLOAD.test(entry.name));
  for (const entry of abandoned) await rm(join(entry.parentPath, entry.name), { force: true });
  return abandoned.length;
}
