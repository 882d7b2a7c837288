import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { FactoryError, messageOf, outsideError, usageError } from "../lib/error.ts";
import { type Report, withTask } from "../lib/progress.ts";
import { stateFolder } from "../project/local-record.ts";
import { judgeServer, planDatabase, planStart, type ServerVerdict } from "./decide.ts";
import type { LocalHost, ManagedPython, ServerRecord } from "./server.ts";

export const DEFAULT_PORT = 5210;
/** The first start of an environment or database is slow on a loaded machine. */
const FIRST_START_MS = 120_000;
const LATER_START_MS = 60_000;
const POLL_MS = 100;
const NEEDED_BYTES = 200e6;

export interface LocalRequest {
  /** The folder that the server belongs to: its state is in `.factory/local` inside. */
  home: string;
  report: Report;
  signal: AbortSignal;
}

export interface StartRequest extends LocalRequest {
  /** Refused when something holds it. */
  port?: number;
  /** Used when `port` is not given; default 5210. */
  defaultPort?: number;
}

export interface RunningServer {
  uri: string;
  port: number;
  pid: number | undefined;
  /** The version of MLflow. */
  version: string;
  /** Database, artifacts, log. */
  folder: string;
  /** False when it ran already. */
  started: boolean;
  /** The copy that was made before a newer MLflow migrated the database. */
  backup: string | undefined;
}

/**
 * Makes sure that the home's own MLflow server runs; running already is fine. What a killed factory or server left behind
 * is cleaned up first. Throws outside errors (exit 4): port taken, disk full, no Python, no network, server ended.
 */
export async function startLocalServer(request: StartRequest, host: LocalHost): Promise<RunningServer> {
  const folder = stateFolder(request.home);
  const defaultPort = request.defaultPort ?? DEFAULT_PORT;
  const seen = await host.observe(folder, request.port ?? defaultPort);
  const early = planStart(seen, request.port, defaultPort);
  if (early.do === "nothing" && seen.record !== undefined) return describe(folder, seen.record, false, undefined);
  // Before a long install, not after it.
  if (early.do === "start" && !early.cleanFirst) await refuseTakenPort(early.port, host);
  const python = await host.python(request.report, request.signal);
  const release = await lockFolder(folder, request, host);
  try {
    const facts = await host.observe(folder, request.port ?? defaultPort);
    const plan = planStart(facts, request.port, defaultPort);
    if (plan.do === "refuse") throw usageError(plan.code, plan.message, plan.hint);
    if (plan.do === "nothing" && facts.record !== undefined) return describe(folder, facts.record, false, undefined);
    if (plan.do === "start" && plan.cleanFirst && facts.record !== undefined) {
      const ended = await host.end(facts.record);
      request.report({
        type: "note",
        tone: "warning",
        text: `ended ${ended} left-over process${ended === 1 ? "" : "es"} of an earlier start`,
      });
    }
    return await start(request, host, python, folder, plan.do === "start" ? plan.port : defaultPort, facts.record);
  } finally {
    release();
  }
}

async function start(
  request: StartRequest,
  host: LocalHost,
  python: ManagedPython,
  folder: string,
  port: number,
  before: ServerRecord | undefined,
): Promise<RunningServer> {
  await refuseTakenPort(port, host);
  const free = await host.freeBytes(folder);
  if (free < NEEDED_BYTES)
    throw outsideError(
      "disk.full",
      `not enough disk space for the server in ${folder}: ${Math.round(free / 1e6)} MB free, 200 MB needed`,
      "free some space, or choose another folder with --dir",
    );
  const exists = host.hasDatabase(folder);
  const database = planDatabase(exists, before?.mlflow, python.mlflow);
  if (database.do === "refuse") throw usageError("local.newer-database", database.message, database.hint);
  const backup = database.do === "back-up" ? await host.backUp(folder, database.from) : undefined;
  if (backup !== undefined)
    request.report({
      type: "note",
      tone: "info",
      text: `database copied to ${backup} before MLflow ${python.mlflow} opens it`,
    });
  await host.sweep(folder);
  request.signal.throwIfAborted();
  const planned: ServerRecord = {
    v: 1,
    identity: randomBytes(16).toString("hex"),
    mlflow: python.mlflow,
    process: { port, phase: "starting", at: new Date().toISOString() },
  };
  // Written before the process exists, so that not even a kill in between leaves one that nobody knows of.
  host.save(folder, planned);
  let launched = planned;
  try {
    launched = await host.launch({ folder, record: planned, port, python });
    await withTask(request.report, "local-server", `MLflow server on port ${port}`, () =>
      waitUntilUp(folder, launched, host, request.signal, exists ? LATER_START_MS : FIRST_START_MS),
    );
    const up = withPhase(launched, "running");
    host.save(folder, up);
    return describe(folder, up, true, backup);
  } catch (error) {
    await host.end(launched);
    host.save(folder, withoutProcess(launched));
    request.signal.throwIfAborted();
    if (error instanceof FactoryError) throw error;
    throw outsideError(
      "local.start",
      `the MLflow server could not be started: ${messageOf(error)}`,
      `its log: ${join(folder, "server.log")}`,
      error,
    );
  }
}

async function refuseTakenPort(port: number, host: LocalHost): Promise<void> {
  if (await host.isPortFree(port)) return;
  const holder = await host.portHolder(port);
  throw outsideError(
    "local.port-taken",
    `port ${port} is taken${holder === undefined ? "" : ` by ${holder}`}`,
    "stop that, or choose another port: factory local start --port N (and the same in the registry's uri in policy.yaml)",
  );
}

async function waitUntilUp(
  folder: string,
  record: ServerRecord,
  host: LocalHost,
  signal: AbortSignal,
  limitMs: number,
): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (!(await host.poll(folder, record))) {
    signal.throwIfAborted();
    if (Date.now() > deadline) {
      throw outsideError(
        "local.slow",
        `the MLflow server did not answer within ${limitMs / 1000} s`,
        `its log: ${join(folder, "server.log")}`,
      );
    }
    await sleep(POLL_MS);
  }
  signal.throwIfAborted();
}

function lockFolder(folder: string, { report, signal }: LocalRequest, host: LocalHost): Promise<() => void> {
  return host.lock(folder, signal, (pid) =>
    report({
      type: "note",
      tone: "info",
      text: `process ${pid} is starting or stopping this server; waiting for it`,
    }),
  );
}

export interface StoppedServer {
  /** Living processes that were ended; 0 when it had stopped already. */
  ended: number;
  folder: string;
}

/** Ends every process of the home's server, also of one that crashed or was cut off; stopped already is fine. */
export async function stopLocalServer(request: LocalRequest, host: LocalHost): Promise<StoppedServer> {
  const folder = stateFolder(request.home);
  const { record: known } = await host.observe(folder, DEFAULT_PORT);
  if (known?.process === undefined) return { ended: 0, folder };
  const release = await lockFolder(folder, request, host);
  try {
    const { record } = await host.observe(folder, DEFAULT_PORT);
    if (record?.process === undefined) return { ended: 0, folder };
    const ended = await host.end(record);
    host.save(folder, withoutProcess(record));
    return { ended, folder };
  } finally {
    release();
  }
}

export interface ServerStatus extends ServerVerdict {
  uri: string;
  port: number;
  pid: number | undefined;
  version: string | undefined;
  folder: string;
  processes: readonly number[];
  since: string | undefined;
}

/** The state of the home's server; changes nothing. */
export async function localServerStatus(home: string, defaultPort: number, host: LocalHost): Promise<ServerStatus> {
  const folder = stateFolder(home);
  const facts = await host.observe(folder, defaultPort);
  const known = facts.record?.process;
  return {
    ...judgeServer(facts),
    uri: `http://127.0.0.1:${facts.port}`,
    port: facts.port,
    pid: known?.pid,
    version: facts.record?.mlflow,
    folder,
    processes: facts.processes,
    since: known?.at,
  };
}

function describe(folder: string, record: ServerRecord, started: boolean, backup: string | undefined): RunningServer {
  const port = record.process?.port ?? DEFAULT_PORT;
  return {
    uri: `http://127.0.0.1:${port}`,
    port,
    pid: record.process?.pid,
    version: record.mlflow,
    folder,
    started,
    backup,
  };
}

function withPhase(record: ServerRecord, phase: "starting" | "running"): ServerRecord {
  return record.process === undefined ? record : { ...record, process: { ...record.process, phase } };
}

function withoutProcess({ process: _, ...record }: ServerRecord): ServerRecord {
  return record;
}
