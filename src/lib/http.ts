import type { IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import { errnoOf, FactoryError, messageOf, outsideError } from "./error.ts";
import { isBrokenConnection, readReply, sendOnce } from "./http-exchange.ts";
import { publicUrl } from "./public-url.ts";
import { redact } from "./redact.ts";

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
  /** Whether repeating it does no harm; by default GET, HEAD, PUT and DELETE. */
  idempotent?: boolean;
  /** Repetitions after the first try. */
  retries?: number;
  /** A final-looking reply (not 429 or 5xx) that is in truth an overload. */
  isOverload?: (reply: HttpReply) => boolean;
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
const LONGEST_WAIT_MS = 30_000;

/**
 * Sends a request and returns the last reply, whatever its status: the caller decides with `httpFailure`.
 * Repeats what is safe to repeat after 429, 5xx, an overload or a broken connection, and honours Retry-After.
 * Throws exit 4 when no reply came, and the signal's reason on abort.
 */
export async function sendHttp(request: HttpRequest): Promise<HttpReply> {
  return exchange(request, async (body, head) => readReply(request, body, head));
}

/** Like `sendHttp`, with the body of a 2xx reply handed to `read`; any other reply throws. */
export async function streamHttp<T>(request: HttpRequest, read: BodyReader<T>): Promise<T> {
  const outcome = await tryStreamHttp(request, read);
  if ("value" in outcome) return outcome.value;
  throw httpFailure(request, outcome);
}

/** Like `streamHttp`, with any other reply returned, for callers to whom a refusal means something. */
export async function tryStreamHttp<T>(request: HttpRequest, read: BodyReader<T>): Promise<HttpReply | { value: T }> {
  return exchange<HttpReply | { value: T }>(request, async (body, head) =>
    head.status >= 200 && head.status < 300 ? { value: await read(body, head) } : readReply(request, body, head),
  );
}

/** The error (exit 4) for a reply that is not what was asked for: method, address without query, status, error code. */
export function httpFailure(request: Pick<HttpRequest, "method" | "url">, reply: HttpReply): FactoryError {
  const { code, message } = problemOf(reply);
  const said = code === "" && message === "" ? "" : `: ${[code, message].filter((part) => part !== "").join(" ")}`;
  const hint =
    reply.status === 401 || reply.status === 403
      ? "check the credentials for this server and what they may do"
      : reply.status >= 300 && reply.status < 400
        ? "redirects are not followed: give the address that it points to"
        : undefined;
  return outsideError(
    `http.${reply.status}`,
    `${request.method} ${publicUrl(request.url)} answered ${reply.status}${said}`,
    hint,
  );
}

/** The error code and message of a JSON error body, or the first line of a plain one; at most 300 characters. */
export function problemOf(reply: HttpReply): { code: string; message: string } {
  const field = (name: string): string => {
    const value: unknown =
      typeof reply.json === "object" && reply.json !== null ? Reflect.get(reply.json, name) : undefined;
    return typeof value === "string" ? redact(value).slice(0, 300) : "";
  };
  if (reply.json !== undefined) return { code: field("error_code"), message: field("message") };
  const plain = /^text\/plain\b/.test(reply.headers["content-type"] ?? "");
  return { code: "", message: plain ? redact(reply.text.split("\n")[0] ?? "").slice(0, 300) : "" };
}

async function exchange<T extends object>(request: HttpRequest, read: BodyReader<T>): Promise<T> {
  const repeatable = request.idempotent ?? ["GET", "HEAD", "PUT", "DELETE"].includes(request.method);
  const retries = repeatable ? (request.retries ?? RETRIES) : 0;
  for (let attempt = 0; ; attempt++) {
    request.signal?.throwIfAborted();
    let waitMs = Math.min(200 * 2 ** attempt, LONGEST_WAIT_MS);
    try {
      const result = await sendOnce(request, read);
      if (attempt >= retries || !isReply(result) || !isTransient(request, result)) return result;
      waitMs =
        retryAfterSeconds(result) === undefined
          ? waitMs
          : Math.min((retryAfterSeconds(result) ?? 0) * 1000, LONGEST_WAIT_MS);
    } catch (error) {
      request.signal?.throwIfAborted();
      if (error instanceof FactoryError) throw error;
      if (attempt >= retries || !isBrokenConnection(error)) throw noReply(request, error);
    }
    await pause(waitMs, request.signal);
  }
}

function isReply(value: object): value is HttpReply {
  return "status" in value && "text" in value;
}

function isTransient(request: HttpRequest, reply: HttpReply): boolean {
  return reply.status === 429 || (reply.status >= 500 && reply.status !== 501) || request.isOverload?.(reply) === true;
}

/** Seconds that the other side asks us to wait, from the header `Retry-After` as a number or a date. */
export function retryAfterSeconds(reply: Pick<HttpReply, "headers">, now = Date.now()): number | undefined {
  const value = reply.headers["retry-after"];
  if (value === undefined) return undefined;
  if (/^\d{1,6}$/.test(value)) return Number(value);
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : Math.max(0, (at - now) / 1000);
}

function noReply(request: HttpRequest, error: unknown): FactoryError {
  const { origin } = new URL(request.url);
  const code = errnoOf(error) ?? "";
  if (code === "ECONNREFUSED")
    return outsideError(
      "http.refused",
      `nothing answers at ${origin}`,
      "is the server running? for the local one: factory local start",
      error,
    );
  if (code === "ENOTFOUND" || code === "EAI_AGAIN")
    return outsideError("http.host", `the host of ${origin} is not known`, "check the address and the network", error);
  if (/CERT|SELF_SIGNED|UNABLE_TO_VERIFY/.test(code)) {
    return outsideError(
      "http.certificate",
      `the certificate of ${origin} is not trusted (${code})`,
      "give the authority's file in NODE_EXTRA_CA_CERTS",
      error,
    );
  }
  return outsideError(
    "http.failed",
    `${request.method} ${publicUrl(request.url)} failed: ${redact(messageOf(error))}`,
    undefined,
    error,
  );
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
