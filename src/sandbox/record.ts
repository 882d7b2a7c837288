import * as z from "zod";
import { startedProcess } from "../local/server.ts";

const principal = z.object({
  name: z.string().min(1),
  applicationId: z.string().min(1).optional(),
  admin: z.boolean().optional(),
  token: z.string().min(1),
  clientSecret: z.string().min(1).optional(),
});

/** `sandbox.json`: what factory knows about the rehearsal workspace between two commands, and what the workspace is started with. */
export const sandboxRecord = z.object({
  v: z.literal(1),
  /** Random, new at each start; the workspace tells it, so that an answer on the port proves whose it is. */
  identity: z.string().min(8),
  /** Whether the state lies in the folder and outlives a stop. */
  keep: z.boolean(),
  catalogs: z.array(z.string()),
  schemas: z.array(z.string()),
  volume: z.string(),
  principals: z.array(principal),
  /** `on` as `catalog dev` or `schema dev.claims`; `to` the name of a principal. */
  grants: z.array(z.object({ on: z.string(), to: z.string(), privileges: z.array(z.string()) })),
  process: startedProcess.optional(),
  /** Of a stopped one: where it was to be found, which a kept one is again, since a policy may pin it. */
  port: z.int().min(1).max(65_535).optional(),
});
export type SandboxRecord = z.infer<typeof sandboxRecord>;

/** What starting and stopping the rehearsal workspace needs of the machine. */
export interface SandboxHost {
  /** Where record, profiles, log and, if kept, the state lie. */
  folder: string;
  /** Keeps other factories from starting or stopping it; returns what lets them again. */
  lock(signal: AbortSignal, onWait: (pid: number) => void): Promise<() => void>;
  /** Undefined: none was ever started here, or its record cannot be read. */
  read(): SandboxRecord | undefined;
  save(record: SandboxRecord): void;
  /** True when its process lives, and is the one that was started. */
  lives(record: SandboxRecord): boolean;
  /** True when its port answers, as this one. */
  answers(record: SandboxRecord): Promise<boolean>;
  freePort(): Promise<number>;
  isPortFree(port: number): Promise<boolean>;
  portHolder(port: number): Promise<string | undefined>;
  /** Starts it in the background and records its pid at once. */
  launch(record: SandboxRecord): Promise<SandboxRecord>;
  /** The last lines of its log, for a message. */
  lastWords(): string;
  /** Ends it: politely, then not. Returns how many processes there were. */
  end(record: SandboxRecord): Promise<number>;
  /** Writes the profiles, readable by this user only; returns the path. */
  writeProfiles(text: string): string;
  profilesPath(): string;
  /** Removes state and profiles. */
  forget(): void;
}
