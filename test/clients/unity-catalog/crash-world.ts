import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type LosingProxy, losingProxy, type Passed } from "../../fakes/losing-proxy.ts";
import type { Fault, FaultHandle } from "../../fakes/workspace/faults.ts";
import { files } from "../../fakes/workspace/files/tree.ts";
import type { LogEntry } from "../../fakes/workspace/log.ts";
import { identities } from "../../fakes/workspace/principals.ts";
import { type FakeWorkspace, startWorkspace } from "../../fakes/workspace/server.ts";
import type { State } from "../../fakes/workspace/state.ts";
import { unity } from "../../fakes/workspace/unity/store.ts";
import type { Ran } from "../../support/factory.ts";
import { program, root } from "../../support/paths.ts";
import type { Name, SmallLine } from "../../support/small-line.ts";
import { ENVIRONMENTS, startCatalogs, unityLine } from "./line-parts.ts";
import { trainInWorkspace } from "./train-in-workspace.ts";

/** One request of a run: the `nth` of its kind, from 1. */
export interface Point {
  kind: string;
  nth: number;
}

export interface Killing {
  at: Point;
  /** Before the workspace is asked, or after it acted and before the reply is given. */
  when: "before" | "after";
}

export interface End {
  entries: string[];
  /** `versions`: status and digest of each. */
  models: { full: string; versions: [string, string][]; aliases: unknown; tags: unknown }[];
  objects: unknown[];
}

/**
 * A line whose environments are all catalogs, with a workspace that can be put back to an earlier state, and a proxy at whose requests a
 * run is killed.
 */
export interface CatalogWorld {
  line: SmallLine;
  proxy: LosingProxy;
  keep(name: string): void;
  has(name: string): boolean;
  back(name: string, more?: { latencyMs?: number; seed?: number }): Promise<void>;
  /**
   * Who writes signs in by OAuth from now on, so that a token that has expired is followed by another, and everybody reaches the
   * workspace itself, so that a fault comes as it was made.
   */
  signInByOauth(): void;
  fault(fault: Fault): FaultHandle;
  /** Takes every fault back, lets reads see every write, and gives people whose own token ended a new one: only they can. */
  calm(): Promise<void>;
  run(who: Name, args: readonly string[], killing?: Killing): Promise<Ran>;
  /** The requests of the last run through the proxy. */
  asked(): readonly (Passed & { point: string })[];
  /** What the workspace was asked in the last run. */
  log(): readonly LogEntry[];
  times(): ReadonlyMap<number, { from: number; to: number }>;
  /** What the workspace holds and the ledger says, without what differs from run to run. */
  end(): End;
  remove(): Promise<void>;
}

export async function catalogWorld(): Promise<CatalogWorld> {
  let fake: FakeWorkspace = await startCatalogs({}, ENVIRONMENTS);
  const { port } = fake;
  let killing: (Killing & { left: number; child: ChildProcess | undefined }) | undefined;
  let dead = false;
  let holdMs = 0;
  let times = new Map<number, { from: number; to: number }>();
  const met = async (when: Killing["when"], request: Passed): Promise<void> => {
    if (dead && when === "before") throw new Error("its sender was killed");
    if (killing === undefined || killing.when !== when || killing.at.kind !== pointOf(request) || --killing.left > 0)
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
  const proxy = await losingProxy(fake.url, {
    async beforeRequest(n, request) {
      times.set(n, { from: performance.now(), to: Number.NaN });
      await met("before", request);
      if (holdMs > 0) await new Promise((resolve) => setTimeout(resolve, holdMs));
    },
    async afterReply(n, request) {
      times.set(n, { from: times.get(n)?.from ?? Number.NaN, to: performance.now() });
      await met("after", request);
    },
  });
  const bare = await unityLine({ uri: fake.url }, fake, proxy.uri, {}, ENVIRONMENTS);
  const trainer = fake.identity("factory-dev");
  const line: SmallLine = {
    ...bare,
    // The workspace of now, with the identity of then.
    train: (text = "some") => trainInWorkspace({ ...fake, identity: () => trainer }, bare, text),
  };
  const built = join(dirname(line.root), "program");
  cpSync(dirname(program), join(built, "dist"), { recursive: true });
  cpSync(join(root, "package.json"), join(built, "package.json"));
  const kept = new Map<string, { ledger: Buffer | undefined; latest: Buffer | undefined; state: State }>();
  const latest = join(line.folder, ".factory/evidence/latest");
  const read = (path: string) => (existsSync(path) ? readFileSync(path) : undefined);
  const writers = ENVIRONMENTS.map((name) => ({ name, ...oauthOf(fake, name) }));
  const reader = fake.identity("reader@example.com").token;
  const restart = async (state: State, seed = 1): Promise<void> => {
    await fake.stop();
    fake = await startWorkspace({ port, state, seed });
  };
  return {
    line,
    proxy,
    keep(name) {
      kept.set(name, { ledger: read(line.ledgerPath), latest: read(latest), state: fake.state.copy() });
    },
    has: (name) => kept.has(name),
    async back(name, { latencyMs = 0, seed } = {}) {
      const found = kept.get(name);
      if (found === undefined) throw new Error(`no state ${name}`);
      await restart(found.state.copy(), seed);
      holdMs = latencyMs;
      for (const file of readdirSync(dirname(line.ledgerPath)))
        if (file !== "evidence") rmSync(join(dirname(line.ledgerPath), file), { recursive: true });
      if (found.ledger !== undefined) writeFileSync(line.ledgerPath, found.ledger);
      if (found.latest !== undefined) writeFileSync(latest, found.latest);
      for (const { home } of Object.values(line.people)) rmSync(join(home, "cache"), { recursive: true, force: true });
    },
    signInByOauth() {
      const profiles = writers.map(
        ({ name, id, secret }) => `[${name}]\nhost = ${fake.url}\nclient_id = ${id}\nclient_secret = ${secret}\n`,
      );
      writeFileSync(join(line.people.ci.home, ".databrickscfg"), profiles.join("\n"), { mode: 0o600 });
      const reading = ENVIRONMENTS.map((name) => `[${name}]\nhost = ${fake.url}\ntoken = ${reader}\n`);
      writeFileSync(join(line.people.approver.home, ".databrickscfg"), reading.join("\n"), { mode: 0o600 });
    },
    fault: (fault) => fake.fault(fault),
    async calm() {
      for (const record of identities.of(fake.state).tokens.values()) if (record.kind === "pat") delete record.expires;
      await restart(fake.state);
    },
    async run(who, args, asked) {
      proxy.seen.length = 0;
      fake.log.length = 0;
      times = new Map();
      dead = false;
      killing = asked === undefined ? undefined : { ...asked, left: asked.at.nth, child: undefined };
      return spawned([join(built, "dist/main.js"), ...args, "--yes", "--json"], line, who, (child) => {
        if (killing !== undefined) killing.child = child;
      });
    },
    asked: () => proxy.seen.map((each) => ({ ...each, point: pointOf(each) })),
    log: () => fake.log,
    times: () => times,
    end: () => endOf(fake.state, line),
    async remove() {
      await proxy.stop();
      await fake.stop();
      line.remove();
    },
  };
}

function oauthOf(fake: FakeWorkspace, name: string): { id: string; secret: string } {
  const { clientId: id, clientSecret: secret } = fake.identity(`factory-${name}`);
  if (id === undefined || secret === undefined) throw new Error(`factory-${name} is no service principal`);
  return { id, secret };
}

/** Long enough for a machine that is busy with other work. */
const LONGEST_MS = 400_000;

/** The anchor: which entry the registry has seen. */
const HEAD = "factory_ledger_head";

/** A request without what differs: names of files, models and people. */
export function pointOf({ method, url }: Pick<Passed, "method" | "url">): string {
  const [named = "", query = ""] = url.split("?");
  const path = decodeURIComponent(named);
  const short = path
    .replace(/^\/api\/2\.\d\//, "")
    .replace(/(fs\/\w+)\/(Volumes|Models)\/.*/, "$1/$2")
    .replace(/[a-z_]+\.claims\.\w+/, "*")
    .replace(/(logged-models)\/m-\w+/, "$1/*")
    .replace(/^\/presigned\/.*/, "presigned")
    .replace(/effective-permissions\/(\w+)\/.*/, "effective-permissions/$1");
  // The same call tells whose a model is, and what it was asked for besides.
  return `${method} ${short}${query.includes("include_aliases") ? " with aliases" : ""}`;
}

function endOf(state: State, line: SmallLine): End {
  const { models, volumes } = unity.of(state);
  const stored = [...files.of(state).entries.keys()];
  const digests = new Map<string, string>();
  const name = (digest: string | undefined): string => {
    if (digest === undefined) return "none";
    const known = digests.get(digest) ?? `digest ${digests.size + 1}`;
    digests.set(digest, known);
    return known;
  };
  return {
    // A first command that did not come as far as writing left no ledger.
    entries: existsSync(line.ledgerPath) ? line.ledger().map((each) => each.kind) : [],
    models: [...models.entries()].map(([full, model]) => ({
      full,
      versions: [...model.versions.values()].map(({ status, tags }): [string, string] => [
        status,
        name(tags.get("factory_digest")),
      ]),
      aliases: [...model.aliases]
        .map(([alias, number]) => [alias, name(model.versions.get(number)?.tags.get("factory_digest"))])
        .sort(),
      tags: [...model.tags]
        .map(([key, value]) => (key === HEAD ? `${key} of entry ${value.split(":")[0]}` : key))
        .sort(),
    })),
    objects: [...volumes.values()].map(({ volume_id, catalog_name }) => [
      catalog_name,
      stored
        .filter((key) => key.includes(volume_id))
        .map((key) => key.replace(/^.*factory-evidence\/[0-9a-f]{64}\//, "").replaceAll(/[0-9a-f]{16,64}/g, "*"))
        .sort(),
    ]),
  };
}

function spawned(
  argv: readonly string[],
  line: SmallLine,
  who: Name,
  started: (child: ChildProcess) => void,
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, argv, {
      cwd: line.folder,
      env: line.people[who].variables,
      stdio: ["ignore", "pipe", "pipe"],
    });
    started(child);
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => (stdout += chunk));
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => (stderr += chunk));
    const timer = setTimeout(() => child.kill("SIGTERM"), LONGEST_MS);
    child.on("error", reject);
    child.on("close", (status) => {
      clearTimeout(timer);
      resolve({ status, stdout, stderr });
    });
  });
}
