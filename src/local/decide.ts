import type { ServerFacts } from "./server.ts";

export type ServerState = "running" | "starting" | "stopped" | "crashed" | "unresponsive" | "foreign";

export interface ServerVerdict {
  state: ServerState;
  /** One sentence for a person. */
  message: string;
  /** What to do about it; absent when all is well. */
  hint?: string;
}

const CLEAN_UP = "factory local start cleans up and starts it again; factory local stop only cleans up";

/** What state the server of a home is in, from what was seen. */
export function judgeServer(facts: ServerFacts): ServerVerdict {
  const { record, processes, answer, port } = facts;
  const known = record?.process;
  if (known !== undefined && processes.length > 0) {
    if (!facts.leaderLives && known.pid !== undefined) {
      return {
        state: "crashed",
        message: `the server's main process ${known.pid} is gone; ${stillRun(processes.length)}`,
        hint: CLEAN_UP,
      };
    }
    if (known.phase === "starting") {
      if (facts.busy) return { state: "starting", message: `the server is starting (since ${known.at})` };
      return {
        state: "crashed",
        message: `a start of the server was cut off at ${known.at}; ${stillRun(processes.length)}`,
        hint: CLEAN_UP,
      };
    }
    if (answer === "ours") return { state: "running", message: `the server runs on port ${known.port}` };
    if (answer === "other") return foreign(facts);
    return {
      state: "unresponsive",
      message: `process ${known.pid ?? "?"} lives, but does not answer on port ${known.port}`,
      hint: "factory local stop, then factory local start",
    };
  }
  if (known === undefined) {
    if (answer === "none") return { state: "stopped", message: "no server runs here" };
    return { ...foreign(facts), state: "stopped", message: `no server runs here; ${foreign(facts).message}` };
  }
  if (answer !== "none") return foreign(facts);
  return {
    state: "crashed",
    message: `the server on port ${port} ended without being stopped${known.pid === undefined ? "" : ` (its process ${known.pid} is gone)`}`,
    hint: "factory local start starts it again; nothing that it had answered for is lost",
  };
}

function foreign(facts: ServerFacts): ServerVerdict {
  const holder = facts.portHolder === undefined ? "" : `: ${facts.portHolder}`;
  return {
    state: "foreign",
    message: `port ${facts.port} is held by something that is not the server of this home${holder}`,
    hint: "stop that, or choose another port: factory local start --port N",
  };
}

export type StartPlan =
  | { do: "nothing" }
  | { do: "refuse"; code: string; message: string; hint: string }
  | { do: "start"; port: number; cleanFirst: boolean };

/** What a start does, decided while holding the lock: so a server that is "starting" has lost whoever started it. */
export function planStart(facts: ServerFacts, asked: number | undefined, defaultPort: number): StartPlan {
  const { state } = judgeServer(facts);
  const running = facts.record?.process?.port;
  if (state === "running") {
    if (asked === undefined || asked === running) return { do: "nothing" };
    return {
      do: "refuse",
      code: "local.other-port",
      message: `the server already runs on port ${running ?? "?"}, not ${asked}`,
      hint: "factory local stop first",
    };
  }
  return { do: "start", port: asked ?? defaultPort, cleanFirst: facts.processes.length > 0 };
}

export type DatabasePlan =
  | { do: "open" }
  | { do: "back-up"; from: string | undefined }
  | { do: "refuse"; message: string; hint: string };

/** MLflow migrates an older database in place, without asking; an older MLflow cannot read a newer one at all. */
export function planDatabase(exists: boolean, wroteLast: string | undefined, mlflow: string): DatabasePlan {
  if (!exists || wroteLast === mlflow) return { do: "open" };
  if (wroteLast === undefined) return { do: "back-up", from: undefined };
  if (compareVersions(wroteLast, mlflow) > 0) {
    return {
      do: "refuse",
      message: `the database was last opened by MLflow ${wroteLast}, and this factory brings the older ${mlflow}, which cannot read it`,
      hint: "use the newer factory again, or put back a copy from the backups folder, or choose another folder with --dir",
    };
  }
  return { do: "back-up", from: wroteLast };
}

/** Less than, equal to or greater than zero, by the numbers in the versions; a pre-release comes before its release. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [numbersOf(a), numbersOf(b)];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return Number(isRelease(a)) - Number(isRelease(b));
}

function numbersOf(version: string): number[] {
  return (/^\d+(?:\.\d+)*/.exec(version)?.[0] ?? "0").split(".").map(Number);
}

function isRelease(version: string): boolean {
  return /^[\d.]+$/.test(version);
}

/** The port of a URI on this machine; undefined for any other. */
export function loopbackPort(uri: string): number | undefined {
  if (!URL.canParse(uri)) return undefined;
  const { protocol, hostname, port } = new URL(uri);
  if (protocol !== "http:" || !["127.0.0.1", "localhost", "[::1]"].includes(hostname)) return undefined;
  return port === "" ? 80 : Number(port);
}

function stillRun(processes: number): string {
  return processes === 1 ? "1 process of it still runs" : `${processes} processes of it still run`;
}
