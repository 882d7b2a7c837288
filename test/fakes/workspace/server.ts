import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { control } from "./control.ts";
import { type Exchange, exchange } from "./exchange.ts";
import { type Fault, type FaultHandle, Faults } from "./faults.ts";
import type { LogEntry } from "./log.ts";
import { Router } from "./match.ts";
import {
  addPrincipal,
  type FederationPolicy,
  type Identity,
  identities,
  type PrincipalOptions,
  principalNamed,
} from "./principals.ts";
import { ROUTES } from "./routes.ts";
import { AZURE, elsewhere, GITHUB, idToken } from "./sign-in/elsewhere.ts";
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
  /** What ID tokens are exchanged for tokens of the workspace; `servicePrincipal` by display name or application id. */
  federation?: readonly FederationPolicy[];
  /** How long a token of the token endpoints lives (default 3600). */
  tokenSeconds?: number;
  /** Decides about faults by chance. */
  seed?: number;
  /** The workspace's clock. */
  now?: () => number;
  /** Waited before each answer: a round trip. */
  latencyMs?: number;
  /** PEM; then the server speaks https. */
  tls?: { key: string; cert: string };
  /** Told at `/_sandbox/about`, so that whoever started it knows it again. */
  identity?: string;
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
  federate(policy: FederationPolicy): void;
  /** Lets tokens expire now: those of one principal (by name as in the options), or all that the token endpoints gave out. */
  expireTokens(name?: string): void;
  /** What a CI job has in its environment to get ID tokens, and an ID token for other ways in. */
  issuer: { url: string; requestUrl: string; requestToken: string; idToken(audience: string): string };
  /** What stands in for `https://login.microsoftonline.com`, and the tenant that it knows. */
  azure: { url: string; tenant: string };
  fault(fault: Fault): FaultHandle;
  clearFaults(): void;
  stop(): Promise<void>;
}

const HOST = "127.0.0.1";
const ADMIN = "admin@example.com";

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
  const given = options.principals ?? [];
  const admin = add({ name: ADMIN, groups: ["admins"], ...given.find((each) => each.name === ADMIN), admin: true });
  for (const each of given) if (each.name !== ADMIN) add(each);
  const federate = (policy: FederationPolicy): void => {
    const { servicePrincipal: name } = policy;
    const servicePrincipal = name === undefined ? undefined : (principalNamed(state, name)?.name ?? name);
    identities.of(state).policies.push({ ...policy, ...(servicePrincipal !== undefined && { servicePrincipal }) });
  };
  for (const each of options.federation ?? []) federate(each);
  if (options.tokenSeconds !== undefined) identities.of(state).tokenSeconds = options.tokenSeconds;
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
    identity: options.identity,
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
    federate,
    expireTokens(name) {
      const principal = name === undefined ? undefined : principalNamed(state, name)?.name;
      for (const record of identities.of(state).tokens.values())
        if (name === undefined ? record.kind !== "pat" : record.principal === principal) record.expires = now();
    },
    issuer: {
      url: `${world.url}${GITHUB}`,
      requestUrl: `${world.url}${GITHUB}/token?api-version=2.0`,
      requestToken: elsewhere.of(state).requestToken,
      idToken: (audience) => idToken({ state, url: world.url, now }, audience),
    },
    azure: { url: `${world.url}${AZURE}`, tenant: elsewhere.of(state).tenant },
    fault: (fault) => faults.add(fault),
    clearFaults: () => faults.clear(),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
