import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { createServer } from "node:net";
import { platform } from "node:process";
import { errnoOf } from "../lib/error.ts";
import { commandLineOf } from "../lib/process-identity.ts";

/** True when a listener could be opened on the port of 127.0.0.1 right now. */
export function isPortFree(port: number, host = "127.0.0.1"): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", (error) =>
      ["EADDRINUSE", "EACCES"].includes(errnoOf(error) ?? "") ? resolve(false) : reject(error),
    );
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** A port of 127.0.0.1 that nobody listened on a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen({ port: 0, host: "127.0.0.1", exclusive: true }, () => {
      const address = server.address();
      server.close(() =>
        typeof address === "object" && address !== null ? resolve(address.port) : reject(new Error("no free port")),
      );
    });
  });
}

/** Who listens on a port of this machine, for a message: `process 812 (python3 -m http.server)`; undefined if the system does not tell. */
export function portHolder(port: number): string | undefined {
  const pid = listener(port);
  if (pid === undefined) return undefined;
  const other = homeServed(pid);
  if (other !== undefined) return `the MLflow server of ${other} (process ${pid})`;
  const command = commandLineOf(pid);
  return `process ${pid}${command === undefined ? "" : ` (${command})`}`;
}

/** The home whose server listens on a port of this machine; undefined for anything else, and if the system does not tell. */
export function homeServedAt(port: number): string | undefined {
  const pid = listener(port);
  return pid === undefined ? undefined : homeServed(pid);
}

const listener = (port: number): number | undefined =>
  platform === "linux" ? linuxListener(port) : lsofListener(port);

/** The home whose server the process is, when factory started it; known by its working folder. */
function homeServed(pid: number): string | undefined {
  try {
    return /^(.*)\/\.factory\/local$/.exec(readlinkSync(`/proc/${pid}/cwd`))?.[1];
  } catch {
    return undefined;
  }
}

const LISTEN = "0A";

function linuxListener(port: number): number | undefined {
  const inodes = new Set(["tcp", "tcp6"].flatMap((table) => listeningInodes(table, port)));
  if (inodes.size === 0) return undefined;
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      for (const fd of readdirSync(`/proc/${pid}/fd`)) {
        const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
        if (inode !== undefined && inodes.has(inode)) return Number(pid);
      }
    } catch {
      // Ended meanwhile, or somebody else's: it cannot be told.
    }
  }
  return undefined;
}

function listeningInodes(table: string, port: number): string[] {
  try {
    return readFileSync(`/proc/net/${table}`, "utf8")
      .split("\n")
      .map((line) => line.trim().split(/\s+/))
      .filter(([, local, , state]) => state === LISTEN && Number.parseInt(local?.split(":")[1] ?? "", 16) === port)
      .flatMap((fields) => fields[9] ?? []);
  } catch {
    return [];
  }
}

function lsofListener(port: number): number | undefined {
  try {
    const text = execFileSync("lsof", ["-nP", `-iTCP:${port}`, "-sTCP:LISTEN", "-t"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    const pid = Number(text.split("\n")[0]);
    return Number.isSafeInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}
