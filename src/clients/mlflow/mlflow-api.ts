import type * as z from "zod";
import { FactoryError, outsideError } from "../../lib/error.ts";
import { type HttpReply, type HttpRequest, httpFailure, problemOf, sendHttp } from "../../lib/http.ts";
import { publicUrl } from "../../lib/public-url.ts";

export interface MlflowApi {
  /** Address without credentials and final slash. */
  readonly uri: string;
  headers: Readonly<Record<string, string>>;
  signal: AbortSignal | undefined;
  /** The server's clock by the header Date of its last reply, and ours at that moment; milliseconds since 1970. */
  clock?: { serverMs: number; localMs: number };
  /** Ids of the experiments where factory keeps things, by name, once they are known. */
  ownExperiments: Map<string, string>;
}

export interface Call {
  method: "GET" | "POST" | "PATCH" | "DELETE";
  /** Below `/api/2.0/mlflow/`. */
  path: string;
  query?: Readonly<Record<string, string>>;
  json?: unknown;
  /** For calls that are safe to repeat though their method is not: searches and settings. */
  idempotent?: boolean;
  signal?: AbortSignal;
  timeoutMs?: number;
}

const BUSY = "mlflow.busy";
const FORM = "mlflow.form";

/**
 * Whether it is unknown if a call had its effect: no reply, an error of the server or of something in between, or a reply that
 * is not the server's own.
 */
export function isUnknownOutcome(error: unknown): boolean {
  return (
    error instanceof FactoryError &&
    ([BUSY, FORM, "http.json"].includes(error.code) || /^http\.(?:failed|429|5\d\d)$/.test(error.code))
  );
}

/** A reply that means "there is no such thing": 404, or MLflow's 400 for an alias that does not exist. */
export function isNotFound(reply: HttpReply): boolean {
  const { code, message } = problemOf(reply);
  if (reply.status === 404) return code === "RESOURCE_DOES_NOT_EXIST" || code === "NOT_FOUND";
  return (
    reply.status === 400 && code === "INVALID_PARAMETER_VALUE" && /^Registered model alias .* not found/.test(message)
  );
}

/** MLflow's own ways of saying "too busy" with status 400. */
export function isOverload(reply: HttpReply): boolean {
  const { code, message } = problemOf(reply);
  return reply.status === 400 && code === "BAD_REQUEST" && /QueuePool|locked|UNIQUE constraint failed/.test(message);
}

/** Calls the REST API; undefined when the thing asked for does not exist. Any other failure throws (exit 4). */
export async function find<T>(api: MlflowApi, call: Call, schema: z.ZodType<T>): Promise<T | undefined> {
  const request = requestOf(api, call);
  const reply = await send(api, request);
  return isNotFound(reply) ? undefined : accept(request, reply, schema);
}

/** Calls the REST API. Any failure throws (exit 4). */
export async function demand<T>(api: MlflowApi, call: Call, schema: z.ZodType<T>): Promise<T> {
  const request = requestOf(api, call);
  return accept(request, await send(api, request), schema);
}

/** The raw exchange, for calls whose refusals mean something. */
export async function attempt(api: MlflowApi, call: Call): Promise<{ request: HttpRequest; reply: HttpReply }> {
  const request = requestOf(api, call);
  return { request, reply: await send(api, request) };
}

/** Sends any request to the server and remembers what its clock said. */
export async function send(api: MlflowApi, request: HttpRequest): Promise<HttpReply> {
  return noteClock(api, await sendHttp(request));
}

/** The same reply; the clock that it tells is remembered. */
export function noteClock(api: MlflowApi, reply: HttpReply): HttpReply {
  const serverMs = Date.parse(reply.headers.date ?? "");
  if (!Number.isNaN(serverMs)) api.clock = { serverMs, localMs: Date.now() };
  return reply;
}

/** The reply in its expected form. Throws exit 4 for another status or form. */
export function accept<T>(request: HttpRequest, reply: HttpReply, schema: z.ZodType<T>): T {
  if (isOverload(reply)) throw outsideError(BUSY, `${httpFailure(request, reply).message}`, "try again in a minute");
  if (reply.status < 200 || reply.status >= 300) throw httpFailure(request, reply);
  const parsed = schema.safeParse(reply.json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw outsideError(
    FORM,
    `${request.method} ${publicUrl(request.url)} answered in a form that is not understood${issue === undefined ? "" : `: ${issue.path.join(".")} ${issue.message}`}`,
    "is this an MLflow tracking server of version 3?",
  );
}

function requestOf(api: MlflowApi, call: Call): HttpRequest {
  const query = call.query === undefined ? "" : `?${new URLSearchParams(call.query)}`;
  const signal = call.signal ?? api.signal;
  return {
    method: call.method,
    url: `${api.uri}/api/2.0/mlflow/${call.path}${query}`,
    headers: api.headers,
    signal,
    isOverload,
    ...(call.json !== undefined && { json: call.json }),
    ...(call.idempotent !== undefined && { idempotent: call.idempotent }),
    ...(call.timeoutMs !== undefined && { timeoutMs: call.timeoutMs }),
  };
}
