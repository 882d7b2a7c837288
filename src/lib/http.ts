import type { IncomingMessage, RequestOptions } from "node:http";
import * as http from "node:http";
import * as https from "node:https";
import { errnoOf, FactoryError, messageOf, outsideError } from "./error.ts";
import { redact } from "./redact.ts";

export interface HttpRequest {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "HEAD";
  url: string;
  /** Credentials belong here, never into the URL. */
  headers?: Readonly<Record<string, string>>;
  /** An object is sent as JSON. */
  json?: unknown;
  body?: Uint8Array;
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

const TIMEOUT_MS = 60_000;
const MAX_BODY_BYTES = 32 << 20;
const RETRIES = 4;
const LONGEST_WAIT_MS = 30_000;
/** Shorter than the five seconds after which common servers close an idle connection: a stale one is never used. */
const agentOptions = { keepAlive: true, maxSockets: 8, timeout: 4000 };
let agents: { http: http.Agent; https: https.Agent } | undefined;

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
  const outcome = await exchange<HttpReply | { value: T }>(request, async (body, head) =>
    head.status >= 200 && head.status < 300 ? { value: await read(body, head) } : readReply(request, body, head),
  );
  if ("value" in outcome) return outcome.value;
  throw httpFailure(request, outcome);
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

/** A URL as it may be shown: no user, no password, no query. */
export function publicUrl(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  return parsed === undefined ? redact(url) : `${parsed.origin}${parsed.pathname}`;
}

async function exchange<T extends object>(request: HttpRequest, read: BodyReader<T>): Promise<T> {
  const repeatable = request.idempotent ?? ["GET", "HEAD", "PUT", "DELETE"].includes(request.method);
  const retries = repeatable ? (request.retries ?? RETRIES) : 0;
  for (let attempt = 0; ; attempt++) {
    request.signal?.throwIfAborted();
    let waitMs = Math.min(200 * 2 ** attempt, LONGEST_WAIT_MS);
    try {
      const result = await once(request, read);
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

function isBrokenConnection(error: unknown): boolean {
  return ["ECONNRESET", "EPIPE", "ETIMEDOUT", "EAI_AGAIN"].includes(errnoOf(error) ?? "");
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

function once<T>(request: HttpRequest, read: BodyReader<T>): Promise<T> {
  const url = new URL(request.url);
  if (url.username !== "" || url.password !== "")
    throw outsideError(
      "http.url",
      `${publicUrl(request.url)} must not carry credentials`,
      "give them in the variables of that server",
    );
  const body = request.json === undefined ? request.body : Buffer.from(JSON.stringify(request.json));
  agents ??= { http: new http.Agent(agentOptions), https: new https.Agent(agentOptions) };
  const options: RequestOptions = {
    method: request.method,
    headers: {
      accept: "application/json, */*;q=0.5",
      ...(request.json !== undefined && { "content-type": "application/json" }),
      ...(body !== undefined && { "content-length": String(body.byteLength) }),
      ...request.headers,
    },
    agent: url.protocol === "https:" ? agents.https : agents.http,
    ...(request.signal !== undefined && { signal: request.signal }),
  };
  return new Promise<T>((resolve, reject) => {
    let reading = false;
    let silence: Error | undefined;
    const outgoing = (url.protocol === "https:" ? https : http).request(url, options, (incoming) => {
      // From here on the reader meets every error of the connection; its own must not be hidden by what it causes there.
      reading = true;
      incoming.on("error", () => {});
      const headers: Record<string, string> = {};
      for (const [name, value] of Object.entries(incoming.headers))
        if (typeof value === "string") headers[name] = value;
      read(incoming, { status: incoming.statusCode ?? 0, headers }).then(resolve, (error: unknown) => {
        incoming.destroy();
        reject(silence !== undefined && isBrokenConnection(error) ? silence : error);
      });
    });
    const timeoutMs = request.timeoutMs ?? TIMEOUT_MS;
    outgoing.setTimeout(timeoutMs, () => {
      silence = Object.assign(new Error(`no answer within ${Math.round(timeoutMs / 1000)} s`), { code: "ETIMEDOUT" });
      outgoing.destroy(silence);
    });
    outgoing.on("error", (error) => {
      if (!reading) reject(error);
    });
    outgoing.end(body);
  });
}

async function readReply(
  request: HttpRequest,
  body: IncomingMessage,
  head: { status: number; headers: HttpReply["headers"] },
): Promise<HttpReply> {
  const limit = request.maxBodyBytes ?? MAX_BODY_BYTES;
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    if (!(chunk instanceof Uint8Array)) continue;
    size += chunk.byteLength;
    if (size > limit)
      throw outsideError(
        "http.size",
        `${request.method} ${publicUrl(request.url)} answered with more than ${limit} bytes`,
      );
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString("utf8");
  return { ...head, text, json: parseIfJson(request, head, text) };
}

function parseIfJson(
  request: HttpRequest,
  head: { status: number; headers: HttpReply["headers"] },
  text: string,
): unknown {
  if (text === "" || !/^application\/(?:[\w.+-]+\+)?json\b/i.test(head.headers["content-type"] ?? "")) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch (error) {
    if (head.status >= 400) return undefined;
    throw outsideError(
      "http.json",
      `${request.method} ${publicUrl(request.url)} answered with broken JSON`,
      undefined,
      error,
    );
  }
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
