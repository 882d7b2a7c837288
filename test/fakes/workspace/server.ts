import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { control } from "./control.ts";
import { type Exchange, exchange } from "./exchange.ts";
import { type Fault, type FaultHandle, Faults } from "./faults.ts";
import type { LogEntry } from "./log.ts";
import { Router } from "./match.ts";
import { addPrincipal, type Identity, type PrincipalOptions } from "./principals.ts";
import { ROUTES } from "./routes.ts";
import { StaleReads } from "./stale.ts";
import { State } from "./state.ts";
import { type CatalogOptions, type GrantOptions, grant, settleCatalogs } from "./unity/settle.ts";

export interface WorkspaceOptions {
  /** Default: a free one. */
  port?: number;
  /** Numeric workspace id, as a string. */
  orgId?: string;
  /** A state to go on with: of another server, so that several workspaces share a metastore, or one that was saved. */
  state?: State;
  /** Further principals; there is always the admin `admin@example.com`. */
  principals?: readonly PrincipalOptions[];
  /** Catalogs and their schemas; owner: the admin. */
  catalogs?: readonly CatalogOptions[];
  grants?: readonly GrantOptions[];
  /** Decides about faults by chance. */
  seed?: number;
  /** The workspace's clock. */
  now?: () => number;
  /** Waited before each answer: a round trip. */
  latencyMs?: number;
  /** PEM; then the server speaks https. */
  tls?: { key: string; cert: string };
  /** Called after each request that may have changed the state. */
  onChange?: (state: State) => void;
}

export interface FakeWorkspace {
  /** Origin, without a final slash. */
  url: string;
  port: number;
  orgId: string;
  state: State;
  /** The admin of workspace and metastore. */
  admin: Identity;
  /** What was asked, oldest first. */
  log: LogEntry[];
  /** Requests in the log whose route's name holds the text. */
  asked(route: string): LogEntry[];
  /** An identity of the options, by name. */
  identity(name: string): Identity;
  addPrincipal(options: PrincipalOptions): Identity;
  grant(options: GrantOptions): void;
  fault(fault: Fault): FaultHandle;
  clearFaults(): void;
  stop(): Promise<void>;
}

const HOST = "127.0.0.1";

/** Starts a fake Databricks workspace with one metastore: HTTP, state, rights that are enforced, and faults on demand. */
export async function startWorkspace(options: WorkspaceOptions = {}): Promise<FakeWorkspace> {
  const now = options.now ?? Date.now;
  const state = options.state ?? new State();
  const orgId = options.orgId ?? "7405600000000001";
  const people = new Map<string, Identity>();
  const add = (each: PrincipalOptions): Identity => {
    const identity = addPrincipal(state, each, now());
    people.set(each.name, identity);
    return identity;
  };
  const admin = add({ name: "admin@example.com", admin: true, groups: ["admins"] });
  for (const each of options.principals ?? []) add(each);
  settleCatalogs(state, admin, options.catalogs ?? [], options.grants ?? [], now());

  const faults = new Faults(options.seed ?? 1);
  const log: LogEntry[] = [];
  const world: Exchange = {
    router: new Router(ROUTES),
    faults,
    stale: new StaleReads(),
    log,
    state,
    orgId,
    now,
    url: "",
    latencyMs: options.latencyMs ?? 0,
    onChange: options.onChange ?? (() => {}),
  };
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const done = request.url?.startsWith("/_sandbox/") === true ? control : exchange;
    done(world, request, response).catch(() => response.destroy());
  };
  const server = options.tls === undefined ? createServer(answer) : createSecureServer(options.tls, answer);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, HOST, resolve);
  });
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("the fake workspace has no address");
  world.url = `${options.tls === undefined ? "http" : "https"}://${HOST}:${address.port}`;

  return {
    url: world.url,
    port: address.port,
    orgId,
    state,
    admin,
    log,
    asked: (route) => log.filter((entry) => entry.route?.includes(route) ?? false),
    identity(name) {
      const identity = people.get(name);
      if (identity === undefined) throw new Error(`no principal ${name} was given to the fake workspace`);
      return identity;
    },
    addPrincipal: add,
    grant: (each) => grant(state, each),
    fault: (fault) => faults.add(fault),
    clearFaults: () => faults.clear(),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
