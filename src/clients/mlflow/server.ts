import { type HttpReply, type HttpRequest, sendHttp } from "../../lib/http.ts";
import { type Call, type Exchange, isOverload } from "./mlflow-api.ts";

/** A plain MLflow server, and how it is reached. */
export interface Server {
  /** Address without credentials and final slash. */
  readonly uri: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal | undefined;
  clock?: { serverMs: number; localMs: number };
}

/** How a server on this machine is started. */
export const STARTED_BY = "factory local start";

/** Sends any request to the server and remembers what its clock said. */
export async function send(server: Server, request: HttpRequest): Promise<HttpReply> {
  return noteClock(server, await sendHttp({ startedBy: STARTED_BY, ...request }));
}

/** The same reply; the clock that it tells is remembered. */
export function noteClock(server: Server, reply: HttpReply): HttpReply {
  const serverMs = Date.parse(reply.headers.date ?? "");
  if (!Number.isNaN(serverMs)) server.clock = { serverMs, localMs: Date.now() };
  return reply;
}

/** Calls the server's REST API. */
export async function exchangeWith(server: Server, call: Call): Promise<Exchange> {
  const query = call.query === undefined ? "" : `?${new URLSearchParams(call.query)}`;
  const request: HttpRequest = {
    method: call.method,
    url: `${server.uri}/api/2.0/mlflow/${call.path}${query}`,
    headers: server.headers,
    signal: call.signal ?? server.signal,
    isOverload,
    ...(call.json !== undefined && { json: call.json }),
    ...(call.idempotent !== undefined && { idempotent: call.idempotent }),
    ...(call.timeoutMs !== undefined && { timeoutMs: call.timeoutMs }),
  };
  return { request, reply: await send(server, request) };
}
