import type { IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import { FactoryError } from "./error.ts";
import { isBrokenConnection, readReply, sendOnce } from "./http-exchange.ts";
import { noReply } from "./http-failure.ts";
import { traceFailure, traceReply } from "./http-trace.ts";

export { httpFailure, problemOf } from "./http-failure.ts";

/** A body that is too large for memory. `open` is called again from the start when the request is repeated; `bytes` is its exact length. */
export interface StreamedBody {
  bytes: number;
  open(): Readable;
}

export interface HttpRequest {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "HEAD";
  url: string;
  /** Credentials belong here, never into the URL. */
  headers?: Readonly<Record<string, string>>;
  /** An object is sent as JSON. */
  json?: unknown;
  body?: Uint8Array | StreamedBody;
  /** Longest silence of the other side. */
  timeoutMs?: number;
  signal?: AbortSignal | undefined;
  maxBodyBytes?: number;
  /** Whether repeating it does no harm; by default GET, HEAD, PUT and DELETE. A plain `false` forbids every repetition. */
  idempotent?: boolean;
  /** Repetitions after the first try. */
  retries?: number;
  /** No try begins later than this after the first, waits included. */
  budgetMs?: number;
  /** A final-looking reply (not 429 or 5xx) that is in truth an overload. */
  isOverload?: (reply: HttpReply) => boolean;
  /** How the other side is started, should it be on this machine and not run. */
  startedBy?: string;
}

export interface HttpReply {
  status: number;
  headers: Readonly<Record<string, string>>;
  /** The parsed body, only when the content type says JSON; otherwise undefined. */
  json: unknown;
  text: string;
}

/** Takes the body of a reply. Called again from the start when a repeatable request is repeated. */
export type BodyReader<T> = (
  body: IncomingMessage,
  reply: { status: number; headers: HttpReply["headers"] },
) => Promise<T>;

const RETRIES = 4;
const CUT_RETRIES = 2;
const LONGEST_WAIT_MS = 30_000;
const BUDGET_MS = 300_000;

/**
 * Sends a request and returns the last reply, whatever its status: the caller decides with `httpFailure`.
 * Repeats what is safe to repeat after 429, 5xx, an overload or a broken connection, and waits as long as Retry-After asks, within
 * the budget: where it asks for more, the reply is returned at once.
 * Throws exit 4 when no reply came, and the signal's reason on abort.
 */
export async function sendHttp(request: HttpRequest): Promise<HttpReply> {
  return exchange(request, async (body, head) => readReply(request, body, head));
}

/** Like `sendHttp`, with the body of a 2xx reply handed to `read`. */
export async function tryStreamHttp<T>(request: HttpRequest, read: BodyReader<T>): Promise<HttpReply | { value: T }> {
  return exchange<HttpReply | { value: T }>(request, async (body, head) =>
    head.status >= 200 && head.status < 300 ? { value: await read(body, head) } : readReply(request, body, head),
  );
}

async function exchange<T extends object>(request: HttpRequest, read: BodyReader<T>): Promise<T> {
  const repeatable = request.idempotent ?? ["GET", "HEAD", "PUT", "DELETE"].includes(request.method);
  const retries = request.retries ?? RETRIES;
  const began = performance.now();
  for (let attempt = 0; ; attempt++) {
    request.signal?.throwIfAborted();
    const started = performance.now();
    // Spread a little, so that many clients which failed at once do not come back at once.
    let waitMs = Math.min(200 * 2 ** attempt, LONGEST_WAIT_MS) * (1 + Math.random() / 4);
    try {
      const result = await sendOnce(request, read);
      const ms = performance.now() - started;
      if (!isReply(result) || !mayRepeat(request, result, repeatable)) return traced(request, result, ms);
      waitMs = (retryAfterSeconds(result) ?? waitMs / 1000) * 1000;
      const last = attempt >= retries || !inBudget(request, began, waitMs);
      traceReply(request, result, ms, last ? undefined : waitMs);
      if (last) return result;
    } catch (error) {
      request.signal?.throwIfAborted();
      // A reply that was cut short of its end, as JSON, is one that did not arrive.
      const cut = error instanceof FactoryError && error.code === "http.json" && attempt < CUT_RETRIES;
      const broken = !(error instanceof FactoryError) && isBrokenConnection(error);
      const again = (cut || broken) && repeatable && attempt < retries && inBudget(request, began, waitMs);
      traceFailure(request, error, performance.now() - started, again ? waitMs : undefined);
      if (!again) throw error instanceof FactoryError ? error : noReply(request, error);
    }
    await pause(waitMs, request.signal);
  }
}

function traced<T extends object>(request: HttpRequest, result: T, ms: number): T {
  traceReply(request, isReply(result) ? result : undefined, ms, undefined);
  return result;
}

function inBudget(request: HttpRequest, began: number, waitMs: number): boolean {
  return performance.now() - began + waitMs <= (request.budgetMs ?? BUDGET_MS);
}

function isReply(value: object): value is HttpReply {
  return "status" in value && "text" in value;
}

/**
 * | reply | GET, HEAD, PUT, DELETE, and what its caller calls repeatable | POST, PATCH |
 * | --- | --- | --- |
 * | 429 | again | again: it was turned away before anything was done |
 * | 408, 500, 502, 503, 504 and other 5xx but 501; an overload by its words | again | never: it may have acted |
 */
function mayRepeat(request: HttpRequest, reply: HttpReply, repeatable: boolean): boolean {
  if (reply.status === 429) return request.idempotent !== false;
  const transient = reply.status === 408 || (reply.status >= 500 && reply.status !== 501);
  return repeatable && (transient || request.isOverload?.(reply) === true);
}

/** Seconds that the other side asks us to wait, from the header `Retry-After` as a number or a date. */
export function retryAfterSeconds(reply: Pick<HttpReply, "headers">, now = Date.now()): number | undefined {
  const value = reply.headers["retry-after"];
  if (value === undefined) return undefined;
  if (/^\d{1,6}$/.test(value)) return Number(value);
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : Math.max(0, (at - now) / 1000);
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", done, { once: true });
  });
  signal?.throwIfAborted();
}
