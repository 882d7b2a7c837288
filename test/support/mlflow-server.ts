import { spawn } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { get } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { basename, delimiter, join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import * as z from "zod";
import { freePort } from "../../src/clients/port.ts";
import { ensurePythonEnvironment, type PythonEnvironment } from "../../src/clients/python-env.ts";
import { acquireLock } from "../../src/lib/lock.ts";
import { root, toolsFolder } from "./paths.ts";

export interface MlflowServer {
  uri: string;
  /** Holds the server's `python`. */
  bin: string;
  /** Database, artifacts and log. */
  folder: string;
  /** Ends the whole process group and removes the folder. */
  stop(): Promise<void>;
}

const START_MS = 120_000;

/** Environment variables of this process that have a value. */
export function processVariables(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

/** factory's managed Python environment, installed once for all suites. */
export function testPython(): Promise<PythonEnvironment> {
  return ensurePythonEnvironment({
    data: join(toolsFolder, "data", "factory"),
    variables: processVariables(),
    report: () => {},
    signal: new AbortController().signal,
  });
}

/** A real MLflow server of its own for one suite: random port, temporary folder. Stop it in `afterAll`. */
export async function startMlflowServer(): Promise<MlflowServer> {
  const { bin } = await testPython();
  const folder = mkdtempSync(join(tmpdir(), "factory-mlflow-"));
  const port = await freePort();
  const uri = `http://127.0.0.1:${port}`;
  const { PYTHONDONTWRITEBYTECODE: _, ...inherited } = processVariables();
  const variables = {
    ...inherited,
    PATH: `${bin}${delimiter}${inherited.PATH ?? ""}`,
    MLFLOW_DISABLE_TELEMETRY: "true",
    DO_NOT_TRACK: "true",
    MLFLOW_SERVER_ENABLE_JOB_EXECUTION: "false",
    PYTHONUNBUFFERED: "1",
  };
  const log = join(folder, "server.log");
  writeFileSync(log, "");
  const server =
    process.platform === "linux" ? await fork({ folder, port, variables }) : spawned(folder, port, variables);
  process.once("exit", server.kill);
  const stop = async (): Promise<void> => {
    server.kill();
    process.removeListener("exit", server.kill);
    await server.ended;
    rmSync(folder, { recursive: true, force: true });
  };
  for (const until = Date.now() + START_MS; Date.now() < until; await pause(50)) {
    const text = readFileSync(log, "utf8");
    if (server.gone()) {
      await stop();
      throw new Error(`the MLflow server ended:\n${text.slice(-2000)}`);
    }
    if (text.includes("Uvicorn running on") && (await answers(`${uri}/health`))) return { uri, bin, folder, stop };
  }
  const text = readFileSync(log, "utf8");
  await stop();
  throw new Error(`the MLflow server did not answer within ${START_MS / 1000} s:\n${text.slice(-2000)}`);
}

interface Running {
  /** Ends it with all that it started. */
  kill(): void;
  gone(): boolean;
  ended: Promise<void>;
}

/** As a user starts it. */
function spawned(folder: string, port: number, env: Record<string, string>): Running {
  const log = openSync(join(folder, "server.log"), "a");
  const child = spawn(
    "mlflow",
    [
      ...["server", "--backend-store-uri", `sqlite:///${folder}/mlflow.db`],
      ...["--artifacts-destination", join(folder, "artifacts"), "--serve-artifacts"],
      ...["--host", "127.0.0.1", "--port", String(port), "--workers", "1"],
    ],
    { cwd: folder, detached: true, stdio: ["ignore", log, log], env },
  );
  return {
    kill: () => killGroup(child.pid),
    gone: () => child.exitCode !== null || child.signalCode !== null,
    ended: new Promise((resolve) => child.once("close", () => resolve())),
  };
}

const said = z.union([z.object({ pid: z.int() }), z.object({ status: z.int() })]);

/**
 * The same, forked from a process that has imported MLflow and migrated an empty database: both take longer than most tests. It is
 * started once in a test run, by the first who asks.
 */
async function fork(wish: { folder: string; port: number; variables: Record<string, string> }): Promise<Running> {
  const socket = connect(join(await forks("servers"), "forks"));
  socket.on("error", () => {});
  let closed = false;
  const ended = new Promise<void>((resolve) =>
    socket.once("close", () => {
      closed = true;
      resolve();
    }),
  );
  const lines = createInterface(socket)[Symbol.asyncIterator]();
  socket.write(`${JSON.stringify(wish)}\n`);
  const { value, done } = await lines.next();
  const first = done === true ? undefined : said.parse(JSON.parse(value));
  if (first === undefined || !("pid" in first)) throw new Error("no MLflow server was started");
  // A server that runs keeps nobody alive; one that is to end is waited for.
  socket.unref();
  const kill = (): void => {
    socket.ref();
    killGroup(first.pid);
  };
  return { kill, gone: () => closed, ended };
}

/**
 * XDG_DATA_HOME in which factory's managed environment runs a program of factory's own in a process that was forked from one that
 * has imported MLflow: seconds for each. Everything else its interpreter does itself.
 */
export async function quickPython(): Promise<string> {
  const real = await testPython();
  if (process.platform !== "linux") return join(toolsFolder, "data");
  const folder = await forks("programs");
  const data = join(folder, "data");
  const copy = join(data, "factory", basename(real.folder));
  if (existsSync(copy)) return data;
  const half = `${copy}.${process.pid}`;
  mkdirSync(join(half, "bin"), { recursive: true });
  const python = join(real.bin, "python");
  const places = `REAL = ${JSON.stringify(python)}\nFORKS = ${JSON.stringify(join(folder, "forks"))}\n`;
  const program = readFileSync(join(root, "test/support/quick-python.py"), "utf8");
  writeFileSync(join(half, "bin/python"), `#!${python} -IS\n${places}${program}`);
  chmodSync(join(half, "bin/python"), 0o755);
  symlinkSync(join(real.bin, "mlflow"), join(half, "bin/mlflow"));
  writeFileSync(join(half, "factory-complete.json"), readFileSync(join(real.folder, "factory-complete.json")));
  try {
    renameSync(half, copy);
  } catch (error) {
    if (!existsSync(copy)) throw error;
    rmSync(half, { recursive: true });
  }
  return data;
}

/** Folder of this test run's process that forks these. */
async function forks(what: "servers" | "programs"): Promise<string> {
  // Test files are processes of their own below one that lives as long as the run.
  const owner = process.env.VITEST === undefined ? process.pid : process.ppid;
  const folder = join(tmpdir(), `factory-mlflow-${what}-of-${owner}`);
  const release = await acquireLock({
    path: `${folder}.lock`,
    what: `the start of what forks ${what} of MLflow`,
    waitMs: 2 * START_MS,
  });
  try {
    if (await accepts(join(folder, "forks"))) return folder;
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder);
    const { bin } = await testPython();
    const log = join(folder, "log");
    const out = openSync(log, "a");
    const { PYTHONDONTWRITEBYTECODE: _, ...variables } = processVariables();
    const child = spawn(join(bin, "python"), [join(root, "test/support/mlflow-forks.py"), String(owner), what], {
      cwd: folder,
      detached: true,
      stdio: ["ignore", out, out],
      env: { ...variables, MLFLOW_DISABLE_TELEMETRY: "true", DO_NOT_TRACK: "true" },
    });
    child.unref();
    for (const until = Date.now() + START_MS; Date.now() < until; await pause(50)) {
      if (child.exitCode !== null || child.signalCode !== null) break;
      if (await accepts(join(folder, "forks"))) return folder;
    }
    killGroup(child.pid);
    throw new Error(`nothing forks ${what} of MLflow:\n${readFileSync(log, "utf8").slice(-2000)}`);
  } finally {
    release();
  }
}

function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch {
    // Gone already.
  }
}

function accepts(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}

function answers(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    get(url, { agent: false }, (reply) => {
      reply.resume();
      resolve(reply.statusCode === 200);
    }).on("error", () => resolve(false));
  });
}
