import { spawn } from "node:child_process";
import { mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { get } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { ensurePythonEnvironment, type PythonEnvironment } from "../../src/clients/python-env.ts";
import { toolsFolder } from "./paths.ts";

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
  const { PYTHONDONTWRITEBYTECODE: _, ...variables } = processVariables();
  const log = openSync(join(folder, "server.log"), "a");
  const child = spawn(
    join(bin, "mlflow"),
    [
      "server",
      "--backend-store-uri",
      `sqlite:///${folder}/mlflow.db`,
      "--artifacts-destination",
      join(folder, "artifacts"),
      "--serve-artifacts",
      "--host",
      "127.0.0.1",
      "--port",
      String(port),
      "--workers",
      "1",
    ],
    {
      cwd: folder,
      detached: true,
      stdio: ["ignore", log, log],
      env: {
        ...variables,
        PATH: `${bin}${delimiter}${variables.PATH ?? ""}`,
        MLFLOW_DISABLE_TELEMETRY: "true",
        DO_NOT_TRACK: "true",
        MLFLOW_SERVER_ENABLE_JOB_EXECUTION: "false",
        PYTHONUNBUFFERED: "1",
      },
    },
  );
  const kill = (): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    } catch {
      // Gone already.
    }
  };
  process.once("exit", kill);
  const stop = async (): Promise<void> => {
    kill();
    process.removeListener("exit", kill);
    if (child.exitCode === null && child.signalCode === null)
      await new Promise((resolve) => child.once("close", resolve));
    rmSync(folder, { recursive: true, force: true });
  };
  for (const until = Date.now() + START_MS; Date.now() < until; await pause(100)) {
    const text = readFileSync(join(folder, "server.log"), "utf8");
    if (child.exitCode !== null || child.signalCode !== null) {
      await stop();
      throw new Error(`the MLflow server ended:\n${text.slice(-2000)}`);
    }
    if (text.includes("Uvicorn running on") && (await answers(`${uri}/health`))) return { uri, bin, folder, stop };
  }
  const text = readFileSync(join(folder, "server.log"), "utf8");
  await stop();
  throw new Error(`the MLflow server did not answer within ${START_MS / 1000} s:\n${text.slice(-2000)}`);
}

function answers(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    get(url, { agent: false }, (reply) => {
      reply.resume();
      resolve(reply.statusCode === 200);
    }).on("error", () => resolve(false));
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() =>
        typeof address === "object" && address !== null ? resolve(address.port) : reject(new Error("no port")),
      );
    });
  });
}
