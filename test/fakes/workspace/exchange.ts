import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { authenticate, tokenOf } from "./auth.ts";
import type { Fault, Faults } from "./faults.ts";
import type { LogEntry } from "./log.ts";
import { type Match, nameOf, type Router } from "./match.ts";
import { ANONYMOUS, identities, type Principal } from "./principals.ts";
import { type Ask, Refusal, type Reply, refuse } from "./route.ts";
import { faultReply, replyOf, send } from "./send.ts";
import type { StaleReads } from "./stale.ts";
import type { State } from "./state.ts";

/** What answering a request needs of the server. */
export interface Exchange {
  router: Router;
  faults: Faults;
  stale: StaleReads;
  log: LogEntry[];
  state: State;
  orgId: string;
  url: string;
  latencyMs: number;
  identity: string | undefined;
  now(): number;
  onChange(state: State): void;
}

/** A sandbox may run for days. */
const LOG_LENGTH = 50_000;

/** Answers one request: route, identity, fault, effect, reply, log. */
export async function exchange(world: Exchange, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const requestId = randomUUID();
  const method = request.method ?? "GET";
  const url = request.url ?? "/";
  const path = url.split("?", 1)[0] ?? "/";
  const body = await bodyOf(request);
  if (world.latencyMs > 0) await sleep(world.latencyMs);
  const found = world.router.find(method, path);
  const match = "route" in found ? found : undefined;
  const entry: LogEntry = {
    at: world.now(),
    method,
    url,
    route: match === undefined ? undefined : nameOf(match.route),
    status: 0,
    userAgent: request.headers["user-agent"] ?? "",
    principal: undefined,
    requestId,
    fault: undefined,
    acted: false,
  };
  world.log.push(entry);
  if (world.log.length > LOG_LENGTH) world.log.splice(0, LOG_LENGTH / 10);
  let who: Principal | Refusal;
  try {
    who =
      match?.route.access === "open" ? ANONYMOUS : authenticate(request.headers, world.state, world.now(), requestId);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    who = error;
  }
  entry.principal = who instanceof Refusal ? undefined : who.name;
  const struck = world.faults.strike({ method, path, match, principal: entry.principal });
  const fault = struck?.fault;
  entry.fault = struck?.id;

  const act = async (): Promise<Reply> => {
    if (match === undefined) return "allowed" in found ? unknownRoute(method, path, found.allowed) : { status: 501 };
    const principal = again(world, request, requestId, match, who, fault);
    const state = world.stale.stateFor(match, world.state, world.now());
    const query = new URLSearchParams(url.slice(path.length + 1));
    const { headers } = request;
    const now = (): number => world.now();
    const { orgId } = world;
    const ask: Ask = {
      method,
      path,
      params: match.params,
      query,
      headers,
      body,
      principal,
      state,
      url: world.url,
      orgId,
      requestId,
      now,
    };
    const reply = await match.route.handle(ask);
    entry.acted = true;
    return reply;
  };
  if (fault?.kind === "stale") world.stale.remember(world.state, fault, world.now());
  const isLost = fault !== undefined && ["status", "html", "reset", "hang"].includes(fault.kind);
  const early = isLost && fault.when !== "after";
  const reply = early ? undefined : await guarded(act);
  if (entry.acted && method !== "GET" && method !== "HEAD") world.onChange(world.state);
  if (isLost && (fault.kind === "reset" || fault.kind === "hang")) {
    if (fault.kind === "reset") response.destroy();
    return;
  }
  const shown = (fault === undefined ? undefined : faultReply(fault)) ?? reply ?? { status: 500 };
  entry.status = shown.status;
  const common = { "x-request-id": requestId, "x-databricks-org-id": world.orgId };
  const dated = { ...common, date: new Date(world.now()).toUTCString() };
  await send(response, method === "HEAD" ? bare(shown) : shown, dated, fault);
}

/** Runs a route; what it refuses becomes a reply, what breaks in it an honest 500. */
async function guarded(act: () => Promise<Reply>): Promise<Reply> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof Refusal) return replyOf(error);
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return replyOf(refuse(500, "INTERNAL_ERROR", `the fake workspace itself broke: ${message}`));
  }
}

/** The principal, after a fault has let the token expire. */
function again(
  world: Exchange,
  request: IncomingMessage,
  requestId: string,
  match: Match,
  who: Principal | Refusal,
  fault: Fault | undefined,
): Principal {
  const token = tokenOf(request.headers);
  if (fault?.kind === "expire" && token !== undefined && match.route.access !== "open") {
    const record = identities.of(world.state).tokens.get(token);
    if (record !== undefined) record.expires = world.now();
    return authenticate(request.headers, world.state, world.now(), requestId);
  }
  if (who instanceof Refusal) throw who;
  return who;
}

function unknownRoute(method: string, path: string, allowed: readonly string[]): Reply {
  if (allowed.length > 0) {
    const refusal = refuse(
      405,
      "METHOD_NOT_ALLOWED",
      `${method} is not allowed for ${path}; allowed: ${allowed.join(", ")}`,
    );
    return { ...replyOf(refusal), headers: { allow: allowed.join(", ") } };
  }
  return replyOf(refuse(501, "NOT_IMPLEMENTED", `the fake workspace has no route for ${method} ${path}`));
}

/** A reply to HEAD: its headers, no body, and so no JSON that would tell an error. */
const bare = (reply: Reply): Reply => ({ status: reply.status, headers: { "content-length": "0", ...reply.headers } });

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of request) if (Buffer.isBuffer(piece)) pieces.push(piece);
  return Buffer.concat(pieces);
}
