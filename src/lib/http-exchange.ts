import type { ClientRequest, IncomingMessage, RequestOptions } from "node:http";
import * as http from "node:http";
import * as https from "node:https";
import { errnoOf, outsideError } from "./error.ts";
import type { BodyReader, HttpReply, HttpRequest, StreamedBody } from "./http.ts";
import { agentFor } from "./http-agents.ts";
import { httpSettings } from "./http-settings.ts";
import { publicUrl } from "./public-url.ts";

const TIMEOUT_MS = 60_000;
const MAX_BODY_BYTES = 32 << 20;

/**
 * One request, one reply, no repetition. Throws what the connection threw; a body that is too large or broken is exit 4.
 */
export async function sendOnce<T>(request: HttpRequest, read: BodyReader<T>): Promise<T> {
  const url = new URL(request.url);
  if (url.username !== "" || url.password !== "")
    throw outsideError(
      "http.url",
      `${publicUrl(request.url)} must not carry credentials`,
      "give them in the variables of that server",
    );
  const body = request.json === undefined ? request.body : Buffer.from(JSON.stringify(request.json));
  const options: RequestOptions = {
    method: request.method,
    headers: {
      accept: "application/json, */*;q=0.5",
      "user-agent": httpSettings().userAgent,
      ...(request.json !== undefined && { "content-type": "application/json" }),
      ...(body !== undefined && { "content-length": String("open" in body ? body.bytes : body.byteLength) }),
      ...request.headers,
    },
    agent: await agentFor(url),
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
      read(incoming, { status: incoming.statusCode ?? 0, headers })
        .then(resolve, (error: unknown) => {
          incoming.destroy();
          reject(silence !== undefined && isBrokenConnection(error) ? silence : error);
        })
        .finally(() => {
          // Answered before it took the whole body (a refusal): nothing may wait for the rest.
          if (!outgoing.writableFinished) outgoing.destroy();
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
    if (body === undefined || !("open" in body)) outgoing.end(body);
    else sendStream(body, outgoing);
  });
}

/** A body of another length than announced would leave both sides waiting: too few or too many bytes break the connection. */
function sendStream(body: StreamedBody, outgoing: ClientRequest): void {
  const source = body.open();
  let sent = 0;
  source.on("data", (chunk: Uint8Array) => {
    sent += chunk.byteLength;
  });
  source.on("error", (error) => outgoing.destroy(error));
  source.on("end", () => {
    if (sent === body.bytes) outgoing.end();
    else outgoing.destroy(new Error(`${sent} of ${body.bytes} bytes could be read`));
  });
  outgoing.on("close", () => source.destroy());
  source.pipe(outgoing, { end: false });
}

/** The whole reply, within the size limit of the request. */
export async function readReply(
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

/** Whether the connection broke, so that a request that is safe to repeat may be repeated. */
export function isBrokenConnection(error: unknown): boolean {
  return ["ECONNRESET", "EPIPE", "ETIMEDOUT", "EAI_AGAIN"].includes(errnoOf(error) ?? "");
}
