import * as z from "zod";
import type { Report } from "../lib/progress.ts";

/** A process in the background, as a record of it stands between two commands. */
export const startedProcess = z.object({
  /** Leader of its process group; absent for the instant between the decision to start and the start. */
  pid: z.int().positive().optional(),
  /** When that process started, in the system's words: a pid alone is no identity. */
  started: z.string().optional(),
  port: z.int().min(1).max(65_535),
  phase: z.enum(["starting", "running"]),
  /** ISO time of the start. */
  at: z.string(),
});

/** `server.json` beside the database: what factory knows about the server between two commands. */
export const serverRecord = z.object({
  v: z.literal(1),
  /** Random, new at each start; also a tag on experiment 0 of the server, so that an answer on the port proves whose it is. */
  identity: z.string().min(8),
  /** The MLflow that last opened the database. */
  mlflow: z.string().min(1),
  process: startedProcess.optional(),
});
export type ServerRecord = z.infer<typeof serverRecord>;

export interface ServerFacts {
  /** Undefined: no server was ever started here, or its record cannot be read. */
  record: ServerRecord | undefined;
  /** The process that leads the server's group lives, and is the one that was started. */
  leaderLives: boolean;
  /** Living processes of the server, the leader included. */
  processes: readonly number[];
  /** Another factory is starting or stopping this server right now. */
  busy: boolean;
  /** What answers on the server's port: nothing, this home's server, or something else. */
  answer: "none" | "ours" | "other";
  /** The port that was looked at. */
  port: number;
  /** Who holds that port, if the system tells: `process 812 (python3 -m http.server)`. */
  portHolder: string | undefined;
}

export interface ManagedPython {
  bin: string;
  mlflow: string;
}

export interface LaunchRequest {
  folder: string;
  record: ServerRecord;
  port: number;
  python: ManagedPython;
}

/** What starting and stopping a local server needs from the machine that it runs on. */
export interface LocalHost {
  /** The managed Python environment, installed when it is not there yet. */
  python(report: Report, signal: AbortSignal): Promise<ManagedPython>;
  /** Keeps other factories from starting or stopping here; returns what lets them again. */
  lock(folder: string, signal: AbortSignal, onWait: (pid: number) => void): Promise<() => void>;
  observe(folder: string, defaultPort: number): Promise<ServerFacts>;
  /** True when nothing listens on the port of 127.0.0.1 (by bind test). */
  isPortFree(port: number): Promise<boolean>;
  /** Who holds the port, if the system tells. */
  portHolder(port: number): Promise<string | undefined>;
  /** The home whose server holds the port, if it is one of factory's and the system tells. */
  homeServed(port: number): Promise<string | undefined>;
  /** Of the disk that the folder is on; makes the folder when there is none. */
  freeBytes(folder: string): Promise<number>;
  hasDatabase(folder: string): boolean;
  /** Copies the database into `backups/`; returns the copy's path. */
  backUp(folder: string, from: string | undefined): Promise<string>;
  /** Removes what interrupted uploads left; returns how many files. */
  sweep(folder: string): Promise<number>;
  save(folder: string, record: ServerRecord): void;
  /** Starts the server in a process group of its own and records its pid at once. */
  launch(request: LaunchRequest): Promise<ServerRecord>;
  /** False while it is not up; true once it is, and then it is marked as this one. Throws when its process ended. */
  poll(folder: string, record: ServerRecord): Promise<boolean>;
  /** Ends every process of the server: politely, then not. Returns how many there were. */
  end(record: ServerRecord): Promise<number>;
}
