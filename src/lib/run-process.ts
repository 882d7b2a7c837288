import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { kill } from "node:process";
import { errnoOf, outsideError, usageError } from "./error.ts";

/** How long a child may take to end after SIGTERM before the whole group is killed. */
const GRACE_MS = 3000;
/** How long output that is still in the pipes is read after the child ended. */
const DRAIN_MS = 2000;

export interface ProcessRequest {
  /** Program and arguments; never a shell. */
  argv: readonly string[];
  cwd: string;
  /** The whole environment of the child; nothing is inherited silently. */
  env: Readonly<Record<string, string>>;
  timeoutMs?: number;
  signal?: AbortSignal;
  /** stdout and stderr go here; otherwise they are returned, at most `maxOutputBytes` of each. */
  logFile?: string;
  /** What of the output goes to the log file: given whole lines, it returns them without what must not be kept. */
  mask?: (lines: string) => string;
  /** Called with each line of both streams, for progress only. */
  onLine?: (line: string) => void;
  input?: string;
  /** After the input stdin stays open until the child ends: a child that reads it to its end knows that we are gone. */
  lifeline?: boolean;
  maxOutputBytes?: number;
  /** `latin1`: each byte of the output is one character, for output that is no text. Default: UTF-8. */
  encoding?: "utf8" | "latin1";
}

export interface ProcessResult {
  /** Exit status, or undefined if a signal or the timeout ended it. */
  status: number | undefined;
  timedOut: boolean;
  stdout: string;
  stderr: string;
  durationMs: number;
}

/**
 * The one place that starts processes which end. The child leads its own process group, so that a timeout or
 * Ctrl-C ends its children too. Throws a usage error if the program does not exist, and an interruption (exit 130) on abort.
 */
export async function runProcess(request: ProcessRequest): Promise<ProcessResult> {
  const [program, ...args] = request.argv;
  if (program === undefined || program === "") throw usageError("process.empty", "an empty command cannot be run");
  const started = performance.now();
  const log = request.logFile === undefined ? undefined : openLog(request.logFile);
  const piped = log === undefined || request.onLine !== undefined || request.mask !== undefined;
  let child: ChildProcess;
  try {
    child = spawn(program, args, {
      cwd: request.cwd,
      env: { ...request.env },
      detached: true,
      stdio: [
        request.input === undefined ? "ignore" : "pipe",
        piped ? "pipe" : (log ?? "pipe"),
        piped ? "pipe" : (log ?? "pipe"),
      ],
    });
  } catch (error) {
    if (log !== undefined) closeSync(log);
    throw outsideError("process.start", `${program} could not be started`, undefined, error);
  }
  const limit = request.maxOutputBytes ?? 1 << 20;
  const outLog = logWriter(log, request.mask);
  const errLog = logWriter(log, request.mask);
  const stdout = collect(child.stdout, limit, outLog, request.onLine, request.encoding);
  const stderr = collect(child.stderr, limit, errLog, request.onLine);
  if (request.input !== undefined) {
    child.stdin?.on("error", () => {});
    if (request.lifeline === true) child.stdin?.write(request.input);
    else child.stdin?.end(request.input);
  }
  let timedOut = false;
  const timer =
    request.timeoutMs === undefined
      ? undefined
      : setTimeout(() => {
          timedOut = true;
          endGroup(child);
        }, request.timeoutMs);
  const abort = () => endGroup(child);
  if (request.signal?.aborted) abort();
  request.signal?.addEventListener("abort", abort, { once: true });
  try {
    const status = await new Promise<number | undefined>((resolve, reject) => {
      child.once("error", (error) =>
        reject(
          errnoOf(error) === "ENOENT"
            ? usageError(
                "process.missing",
                `the program ${JSON.stringify(program)} was not found`,
                "install it, or check PATH: factory doctor",
              )
            : outsideError("process.start", `${program} could not be started: ${error.message}`, undefined, error),
        ),
      );
      child.once("close", (code) => resolve(code ?? undefined));
      // A grandchild that keeps our pipes open must not hold us: it is in the group, and the group ends with its leader.
      child.once("exit", () => {
        killGroup(child, "SIGKILL");
        // One that left the group may keep the pipes open for ever: what it writes later is not the child's word.
        setTimeout(() => {
          child.stdout?.destroy();
          child.stderr?.destroy();
        }, DRAIN_MS).unref();
      });
    });
    request.signal?.throwIfAborted();
    return { status, timedOut, stdout: stdout(), stderr: stderr(), durationMs: performance.now() - started };
  } finally {
    clearTimeout(timer);
    request.signal?.removeEventListener("abort", abort);
    outLog?.end();
    errLog?.end();
    if (log !== undefined) closeSync(log);
  }
}

function openLog(path: string): number {
  mkdirSync(dirname(path), { recursive: true });
  return openSync(path, "a", 0o600);
}

function collect(
  stream: ChildProcess["stdout"],
  limit: number,
  log: LogWriter | undefined,
  onLine: ((line: string) => void) | undefined,
  encoding: "utf8" | "latin1" = "utf8",
): () => string {
  const chunks: Buffer[] = [];
  let size = 0;
  let rest = "";
  stream?.on("data", (chunk: Buffer) => {
    log?.write(chunk);
    if (size < limit) chunks.push(chunk.subarray(0, limit - size));
    size += chunk.length;
    if (onLine === undefined) return;
    const lines = (rest + chunk.toString("utf8")).split(/\r?\n/);
    rest = (lines.pop() ?? "").slice(-4096);
    for (const line of lines) onLine(line);
  });
  return () => Buffer.concat(chunks).toString(encoding);
}

interface LogWriter {
  write(chunk: Buffer): void;
  /** Writes what is held back. */
  end(): void;
}

/** A line longer than this is masked in pieces. */
const MAX_HELD_BYTES = 1 << 20;

function logWriter(log: number | undefined, mask: ProcessRequest["mask"]): LogWriter | undefined {
  if (log === undefined) return undefined;
  if (mask === undefined) return { write: (chunk) => writeAll(log, chunk), end: () => {} };
  let held = Buffer.alloc(0);
  const release = (bytes: number) => {
    if (bytes > 0) writeAll(log, Buffer.from(mask(held.subarray(0, bytes).toString("utf8"))));
    held = held.subarray(bytes);
  };
  return {
    write(chunk) {
      held = Buffer.concat([held, chunk]);
      // Whole lines only: a chunk may end in the middle of what must be masked.
      release(held.length > MAX_HELD_BYTES ? held.length : held.lastIndexOf(0x0a) + 1);
    },
    end: () => release(held.length),
  };
}

function writeAll(fd: number, chunk: Buffer): void {
  try {
    writeLog(fd, chunk);
  } catch {
    // A full disk must not turn a log line into the verdict of the child.
  }
}

function writeLog(fd: number, chunk: Buffer): void {
  for (let at = 0; at < chunk.length; ) at += writeSync(fd, chunk, at);
}

function endGroup(child: ChildProcess): void {
  killGroup(child, "SIGTERM");
  setTimeout(() => {
    if (child.exitCode === null && child.signalCode === null) killGroup(child, "SIGKILL");
  }, GRACE_MS).unref();
}

function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    kill(-child.pid, signal);
  } catch {
    // The group is gone already.
  }
}
