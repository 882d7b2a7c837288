import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import * as z from "zod";
import { type Hooks, type LosingProxy, losingProxy, type Passed } from "../fakes/losing-proxy.ts";
import type { Ran } from "../support/factory.ts";
import { type MlflowServer, startMlflowServer } from "../support/mlflow-server.ts";
import { program, root } from "../support/paths.ts";
import { makeLine, type Name, type SmallLine } from "../support/small-line.ts";

const here = import.meta.dirname;

/** One request of a run: the `nth` of its kind, from 1. */
export interface Point {
  kind: string;
  nth: number;
}

export interface Killing {
  at: Point;
  /** Before the real server is asked, or after it acted and before the reply is given. */
  when: "before" | "after";
}

/** What happens to a run. */
export interface How {
  /** It is killed at this request. */
  killing?: Killing;
  /** It is killed right after this step on the disk, counted from 1. */
  step?: number;
  /** Every step on the disk is written to this file. */
  log?: string;
  /** A folder whose programs are found first. */
  path?: string;
  /** For how many milliseconds a request is held back. */
  hold?(request: Passed): number;
}

const files = z.record(z.string(), z.string());
const picture = z.object({
  models: z.record(
    z.string(),
    z.object({
      tags: z.record(z.string(), z.string()),
      aliases: z.record(z.string(), z.string()),
      versions: z.array(
        z.object({
          version: z.string(),
          createdAt: z.number(),
          status: z.string(),
          source: z.string(),
          digest: z.string(),
          tags: z.record(z.string(), z.string()),
        }),
      ),
    }),
  ),
  logged: z.array(z.object({ experiment: z.string(), status: z.number(), id: z.string(), digest: z.string() })),
  objects: z.array(
    z.object({ experiment: z.string(), status: z.string(), kind: z.string(), digest: z.string(), files }),
  ),
  experiments: z.array(z.string()),
});
/** What a server holds, read from its database and its disk: digests are those of the real bytes. */
export type Picture = z.infer<typeof picture>;

/** Runs with a line of their own, on a real server that can be put back to an earlier state. */
export interface CrashWorld {
  server: MlflowServer;
  proxy: LosingProxy;
  line: SmallLine;
  /** Folder for temporary files of every process. */
  temporary: string;
  /** Keeps the state of server and ledger under a name. */
  keep(name: string): Promise<void>;
  /** Puts server, ledger and caches back. */
  back(name: string): Promise<void>;
  /** Text of the ledger, wherever it is. */
  ledger(): string;
  picture(): Promise<Picture>;
  /** Runs the program. */
  run(who: Name, args: readonly string[], how?: How): Promise<Ran>;
  /** Every request of the last run, in the order in which they came. */
  asked(): readonly Passed[];
  /** When requests of the last run came and when their replies were ready, by number. */
  times(): ReadonlyMap<number, { from: number; to: number }>;
  remove(): Promise<void>;
}

/** A server, a proxy before it, a line behind that, and a copy of the program that no build can change meanwhile. */
export async function crashWorld({ git = false }: { git?: boolean } = {}): Promise<CrashWorld> {
  const server = await startMlflowServer();
  const repository = git ? makeRepository(server.folder) : undefined;
  let killing: (Killing & { left: number; child: ChildProcess | undefined }) | undefined;
  let dead = false;
  let holding: How["hold"];
  let times = new Map<number, { from: number; to: number }>();
  const met = async (when: Killing["when"], request: Passed): Promise<void> => {
    if (dead && when === "before") throw new Error("its sender was killed");
    if (killing === undefined || killing.when !== when || killing.at.kind !== request.kind || --killing.left > 0)
      return;
    dead = true;
    const { child } = killing;
    killing = undefined;
    if (child === undefined) throw new Error("nobody to kill");
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await gone;
    if (when === "before") throw new Error("its sender was killed");
  };
  const hooks: Hooks = {
    async beforeRequest(n, request) {
      times.set(n, { from: performance.now(), to: Number.NaN });
      await met("before", request);
      const ms = holding?.(request) ?? 0;
      if (ms > 0) await pause(ms);
    },
    async afterReply(n, request) {
      times.set(n, { from: times.get(n)?.from ?? Number.NaN, to: performance.now() });
      await met("after", request);
    },
  };
  const proxy = await losingProxy(server.uri, hooks);
  const keeper = openKeeper(server);
  const ledger = repository && { kind: "git" as const, url: `file://${repository}`, branch: "ledger" };
  const line = makeLine(server, { ...(ledger && { ledger }), through: proxy.uri });
  const base = dirname(line.root);
  const temporary = join(base, "temporary");
  const built = join(base, "program");
  mkdirSync(temporary);
  cpSync(dirname(program), join(built, "dist"), { recursive: true });
  cpSync(join(root, "package.json"), join(built, "package.json"));
  const latest = join(line.folder, ".factory/evidence/latest");
  const kept = new Map<string, Map<string, Buffer>>();
  return {
    server,
    proxy,
    line,
    temporary,
    async keep(name) {
      const there = [line.ledgerPath, latest].filter((path) => existsSync(path));
      kept.set(name, new Map(there.map((path) => [path, readFileSync(path)])));
      if (repository !== undefined) cpSync(repository, `${repository}-${name}`, { recursive: true });
      await keeper.ask({ what: "save", name });
    },
    async back(name) {
      await keeper.ask({ what: "restore", name });
      for (const file of readdirSync(dirname(line.ledgerPath)))
        if (file !== "evidence") rmSync(join(dirname(line.ledgerPath), file), { recursive: true });
      if (repository !== undefined) {
        rmSync(repository, { recursive: true });
        cpSync(`${repository}-${name}`, repository, { recursive: true });
      }
      for (const [path, bytes] of kept.get(name) ?? []) writeFileSync(path, bytes);
      for (const { home } of Object.values(line.people)) rmSync(join(home, "cache"), { recursive: true, force: true });
      for (const file of readdirSync(temporary)) rmSync(join(temporary, file), { recursive: true });
    },
    ledger() {
      if (repository === undefined) return existsSync(line.ledgerPath) ? readFileSync(line.ledgerPath, "utf8") : "";
      const shown = spawnSync("git", ["-C", repository, "show", `ledger:${line.project}.jsonl`], { encoding: "utf8" });
      return shown.status === 0 ? shown.stdout : "";
    },
    picture: async () => picture.parse(await keeper.ask({ what: "dump" })),
    async run(who, args, { killing: asked, step, log, hold, path } = {}) {
      proxy.seen.length = 0;
      times = new Map();
      dead = false;
      holding = hold;
      killing = asked === undefined ? undefined : { ...asked, left: asked.at.nth, child: undefined };
      const preload = step === undefined && log === undefined ? [] : ["--require", join(here, "kill-after.cjs")];
      const ran = await spawned([...preload, join(built, "dist/main.js"), ...args], {
        cwd: line.folder,
        env: {
          ...line.people[who].variables,
          TMPDIR: temporary,
          ...(path !== undefined && { PATH: `${path}:${line.people[who].variables.PATH ?? ""}` }),
          ...(step !== undefined && { CRASH_AFTER: String(step) }),
          ...(log !== undefined && { CRASH_LOG: log }),
        },
        started: (child) => {
          if (killing !== undefined) killing.child = child;
        },
      });
      if (dead) await pause(SETTLE_MS);
      return ran;
    },
    asked: () => proxy.seen,
    times: () => times,
    async remove() {
      keeper.stop();
      await proxy.stop();
      await server.stop();
      line.remove();
    },
  };
}

function makeRepository(folder: string): string {
  const path = join(folder, "ledger.git");
  execFileSync("git", ["init", "--quiet", "--bare", "--initial-branch", "ledger", path]);
  return path;
}

/** What the real server was asked before the sender died may still have its effect. */
const SETTLE_MS = 100;

function spawned(
  argv: readonly string[],
  options: { cwd: string; env: Record<string, string>; started(child: ChildProcess): void },
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, argv, {
      cwd: options.cwd,
      env: options.env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    options.started(child);
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => (stdout += chunk));
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => (stderr += chunk));
    const timer = setTimeout(() => child.kill("SIGTERM"), 100_000);
    child.on("error", reject);
    child.on("close", (status) => {
      clearTimeout(timer);
      resolve({ status, stdout, stderr });
    });
  });
}

const answer = z.union([z.object({ ok: z.unknown() }), z.object({ error: z.string() })]);

/** A process that reads and replaces the server's database. */
function openKeeper(server: MlflowServer) {
  const child = spawn(join(server.bin, "python"), [join(here, "server-state.py"), server.folder], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  return {
    async ask(request: { what: "save" | "restore"; name: string } | { what: "dump" }): Promise<unknown> {
      child.stdin.write(`${JSON.stringify(request)}\n`);
      const next = await lines.next();
      if (next.done === true) throw new Error("the keeper of the server's state ended");
      const said = answer.parse(JSON.parse(next.value));
      if ("error" in said) throw new Error(said.error);
      return said.ok;
    },
    stop: () => child.kill(),
  };
}

/** Every file below a folder, sorted; none when it is not there. */
export function filesBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}
