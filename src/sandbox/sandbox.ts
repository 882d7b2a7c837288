import { setTimeout as sleep } from "node:timers/promises";
import { FactoryError, messageOf, outsideError, usageError } from "../lib/error.ts";
import { type Report, withTask } from "../lib/progress.ts";
import { planSandbox, profilesOf } from "./plan.ts";
import type { SandboxHost, SandboxRecord } from "./record.ts";

const START_MS = 30_000;
const POLL_MS = 50;

export interface StartRequest {
  /** Refused when something holds it; default: that of the time before when the state is kept, else a free one. */
  port?: number;
  schemas: readonly string[];
  keep: boolean;
  report: Report;
  signal: AbortSignal;
}

export interface RunningSandbox {
  url: string;
  port: number;
  pid: number | undefined;
  catalogs: string[];
  schemas: string[];
  /** The file with a profile for each environment. */
  profiles: string;
  keep: boolean;
  folder: string;
  /** False when it ran already. */
  started: boolean;
}

const urlOf = (port: number): string => `http://127.0.0.1:${port}`;

/** Makes sure that the rehearsal workspace runs. Running already is fine, unless something else is asked of it. */
export async function startSandbox(request: StartRequest, host: SandboxHost): Promise<RunningSandbox> {
  const release = await host.lock(request.signal, waiting(request.report));
  try {
    const before = host.read();
    if (before?.process !== undefined) {
      if (host.lives(before) && (await host.answers(before))) return already(request, host, before);
      await host.end(before);
    }
    return await start(request, host, before);
  } finally {
    release();
  }
}

function already(request: StartRequest, host: SandboxHost, record: SandboxRecord): RunningSandbox {
  const port = record.process?.port ?? 0;
  const lacks = request.schemas.filter((schema) => !record.schemas.includes(schema));
  const other =
    request.port !== undefined && request.port !== port
      ? `it runs on port ${port}, not ${request.port}`
      : lacks.length > 0
        ? `it runs without the schema ${lacks.join(", ")}`
        : request.keep && !record.keep
          ? "it runs with its state in memory"
          : undefined;
  if (other !== undefined) throw usageError("sandbox.other", `the sandbox: ${other}`, "factory sandbox stop first");
  return described(host, record, false);
}

async function start(
  request: StartRequest,
  host: SandboxHost,
  before: SandboxRecord | undefined,
): Promise<RunningSandbox> {
  // Of a sandbox that was not kept nothing is left to go on with.
  const goesOn = before?.keep === true && request.keep;
  const portBefore = goesOn ? portOf(before) : undefined;
  const port = request.port ?? portBefore ?? (await host.freePort());
  if (!(await host.isPortFree(port))) throw await portTaken(port, request, host);
  if (!goesOn) host.forget();
  const plan = planSandbox(request.schemas, request.keep, before);
  const planned: SandboxRecord = { ...plan, process: { port, phase: "starting", at: new Date().toISOString() } };
  // Written before the process exists, so that not even a kill in between leaves one that nobody knows of.
  host.save(planned);
  let launched = planned;
  try {
    launched = await host.launch(planned);
    await withTask(request.report, "sandbox", `rehearsal workspace on port ${port}`, () =>
      untilUp(launched, host, request.signal),
    );
    host.writeProfiles(profilesOf(plan, urlOf(port)));
    const up = running(launched);
    host.save(up);
    return described(host, up, true);
  } catch (error) {
    await host.end(launched);
    host.save(stopped(plan, portBefore));
    request.signal.throwIfAborted();
    if (error instanceof FactoryError) throw error;
    throw outsideError("sandbox.start", `the sandbox could not be started: ${messageOf(error)}`, undefined, error);
  }
}

/** Never another port by itself: the profiles and every policy that pins the host would be of no use without a word. */
async function portTaken(port: number, { keep, port: asked }: StartRequest, host: SandboxHost): Promise<FactoryError> {
  const holder = await host.portHolder(port);
  const by = holder === undefined ? "" : ` by ${holder}`;
  return asked === undefined
    ? outsideError(
        "sandbox.port-taken",
        `port ${port}, which the kept sandbox had before, is taken${by}`,
        `stop that; or choose another port: factory sandbox start --keep --port N, and a policy that pins ${urlOf(port)} has to name the new one`,
      )
    : outsideError(
        "sandbox.port-taken",
        `port ${port} is taken${by}`,
        `stop that, or choose another port: factory sandbox start${keep ? " --keep" : ""} --port N`,
      );
}

/** Where it is to be found, or was before it stopped. */
const portOf = (record: SandboxRecord): number | undefined => record.process?.port ?? record.port;

function stopped({ process: _, port: __, ...rest }: SandboxRecord, port: number | undefined): SandboxRecord {
  return { ...rest, ...(port !== undefined && { port }) };
}

async function untilUp(record: SandboxRecord, host: SandboxHost, signal: AbortSignal): Promise<void> {
  const deadline = Date.now() + START_MS;
  while (!(await host.answers(record))) {
    signal.throwIfAborted();
    if (!host.lives(record))
      throw outsideError("sandbox.ended", `the sandbox ended while it started${host.lastWords()}`);
    if (Date.now() > deadline)
      throw outsideError("sandbox.slow", `the sandbox did not answer within ${START_MS / 1000} s${host.lastWords()}`);
    await sleep(POLL_MS);
  }
}

/** Ends the rehearsal workspace. What was kept in the folder stays; the rest, profiles included, is gone. */
export async function stopSandbox(
  request: { report: Report; signal: AbortSignal },
  host: SandboxHost,
): Promise<{ ended: number; kept: boolean; folder: string }> {
  if (host.read() === undefined) return { ended: 0, kept: false, folder: host.folder };
  const release = await host.lock(request.signal, waiting(request.report));
  try {
    const record = host.read();
    if (record === undefined) return { ended: 0, kept: false, folder: host.folder };
    const ended = record.process === undefined ? 0 : await host.end(record);
    host.save(stopped(record, record.keep ? portOf(record) : undefined));
    if (!record.keep) host.forget();
    return { ended, kept: record.keep, folder: host.folder };
  } finally {
    release();
  }
}

export interface SandboxStatus {
  state: "running" | "stopped" | "crashed" | "unresponsive";
  message: string;
  hint?: string;
  /** Of a running one. */
  sandbox?: RunningSandbox;
  since?: string;
}

/** What state the rehearsal workspace is in; changes nothing. */
export async function sandboxStatus(host: SandboxHost): Promise<SandboxStatus> {
  const record = host.read();
  if (record?.process === undefined)
    return {
      state: "stopped",
      message: `no sandbox runs${record?.keep === true ? `; its state${record.port === undefined ? " is" : ` and its port ${record.port} are`} kept for the next start` : ""}`,
      hint:
        record?.keep === true
          ? "factory sandbox start --keep goes on with its state"
          : "factory sandbox start makes one",
    };
  const { port, at } = record.process;
  if (!host.lives(record)) {
    return {
      state: "crashed",
      message: `the sandbox on port ${port} ended without being stopped`,
      hint: record.keep
        ? "factory sandbox start --keep goes on with its state"
        : "factory sandbox start makes a new one",
    };
  }
  if (!(await host.answers(record)))
    return {
      state: "unresponsive",
      message: `the process of the sandbox lives, but does not answer on port ${port}`,
      hint: "factory sandbox stop, then factory sandbox start",
    };
  const message = `a rehearsal workspace runs on port ${port}; nothing of it is Databricks`;
  return { state: "running", message, sandbox: described(host, record, false), since: at };
}

function described(host: SandboxHost, record: SandboxRecord, started: boolean): RunningSandbox {
  const { catalogs, schemas, keep } = record;
  const port = record.process?.port ?? 0;
  const [url, pid, profiles] = [urlOf(port), record.process?.pid, host.profilesPath()];
  return { url, port, pid, catalogs, schemas, profiles, keep, folder: host.folder, started };
}

const running = (record: SandboxRecord): SandboxRecord =>
  record.process === undefined ? record : { ...record, process: { ...record.process, phase: "running" } };

const waiting =
  (report: Report) =>
  (pid: number): void =>
    report({ type: "note", tone: "info", text: `process ${pid} is starting or stopping the sandbox; waiting for it` });
