import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import { factory, type Home, type Ran } from "../support/factory.ts";

const document = z.object({
  ok: z.boolean(),
  data: z.looseObject({}).optional(),
  error: z.looseObject({ code: z.string(), message: z.string() }).optional(),
});
const record = z.looseObject({
  identity: z.string(),
  mlflow: z.string(),
  process: z
    .looseObject({ pid: z.number().optional(), started: z.string().optional(), port: z.number(), phase: z.string() })
    .optional(),
});

export interface Answered extends Ran {
  ok: boolean;
  data: Record<string, unknown>;
  error: { code: string; message: string } | undefined;
}

/** One folder with a server of its own, driven through the program. */
export class Place {
  readonly folder: string;
  readonly state: string;
  private readonly home: Home;

  constructor(home: Home, name: string) {
    this.home = home;
    this.folder = join(home.folder, name);
    this.state = join(this.folder, ".factory/local");
    mkdirSync(this.folder);
  }

  async run(...args: string[]): Promise<Answered> {
    const ran = await factory([...args, "--dir", this.folder, "--json"], {
      cwd: this.home.folder,
      variables: this.home.variables,
    });
    return { ...ran, ...parse(ran.stdout) };
  }

  /** A start that is still going on: resolves once the server's pid is recorded. */
  async beginStart(port: number): Promise<{ done: Promise<Answered>; kill(signal: NodeJS.Signals): void }> {
    let kill: ((signal: NodeJS.Signals) => void) | undefined;
    const done = factory(["local", "start", "--dir", this.folder, "--port", String(port), "--json"], {
      cwd: this.home.folder,
      variables: this.home.variables,
      started: (child) => (kill = child.kill),
    }).then((ran) => ({
      ...ran,
      ...(ran.stdout === "" ? { ok: false, data: {}, error: undefined } : parse(ran.stdout)),
    }));
    await until(() => this.record()?.process?.pid !== undefined && this.record()?.process?.phase === "starting");
    if (kill === undefined) throw new Error("no child");
    return { done, kill };
  }

  record(): z.infer<typeof record> | undefined {
    try {
      return record.parse(JSON.parse(readFileSync(join(this.state, "server.json"), "utf8")));
    } catch {
      return undefined;
    }
  }

  edit(change: (current: z.infer<typeof record>) => object): void {
    const current = this.record();
    if (current === undefined) throw new Error("no record");
    writeFileSync(join(this.state, "server.json"), JSON.stringify(change(current)));
  }

  /** Living processes that have this folder as their working folder, as the system (not factory) tells. */
  processes(): number[] {
    if (process.platform !== "linux") return lsofUnder(this.state);
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .filter((pid) => {
        try {
          const state = /\) (\S)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1];
          return state !== "Z" && readlinkSync(`/proc/${pid}/cwd`) === this.state;
        } catch {
          return false;
        }
      });
  }
}

function lsofUnder(folder: string): number[] {
  const found = spawnSync("lsof", ["-a", "-d", "cwd", "-t", folder], { encoding: "utf8" });
  return found.stdout
    .split("\n")
    .filter((line) => line !== "")
    .map(Number);
}

function parse(stdout: string): Pick<Answered, "ok" | "data" | "error"> {
  const { ok, data, error } = document.parse(JSON.parse(stdout));
  return { ok, data: data ?? {}, error };
}

export async function until(condition: () => boolean, limitMs = 60_000): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error("it did not happen in time");
    await sleep(20);
  }
}

/** A listener on 127.0.0.1 that answers nothing useful. */
export async function listenOn(port: number): Promise<{ port: number; close(): Promise<void> }> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () =>
      socket.end("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", () => socket.destroy()),
    );
  });
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(port, "127.0.0.1", resolve));
  const address = server.address();
  const bound = typeof address === "object" && address !== null ? address.port : 0;
  return { port: bound, close: () => new Promise((resolve) => server.close(() => resolve())) };
}

export async function anyPort(): Promise<number> {
  const listener = await listenOn(0);
  await listener.close();
  return listener.port;
}

/** A process that sleeps until it is killed. */
export function bystander(): { pid: number; alive(): boolean; kill(): void } {
  const child = spawn("sleep", ["600"], { detached: true, stdio: "ignore" });
  if (child.pid === undefined) throw new Error("no sleep");
  return {
    pid: child.pid,
    alive: () => child.exitCode === null && child.signalCode === null,
    kill: () => void child.kill("SIGKILL"),
  };
}
