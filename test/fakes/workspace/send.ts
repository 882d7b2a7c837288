import type { ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { Fault } from "./faults.ts";
import type { Refusal, Reply } from "./route.ts";

const CODES: Record<number, string> = {
  400: "BAD_REQUEST",
  401: "UNAUTHENTICATED",
  403: "PERMISSION_DENIED",
  404: "RESOURCE_DOES_NOT_EXIST",
  409: "RESOURCE_CONFLICT",
  429: "REQUEST_LIMIT_EXCEEDED",
  500: "INTERNAL_ERROR",
  501: "NOT_IMPLEMENTED",
  502: "BAD_GATEWAY",
  503: "TEMPORARILY_UNAVAILABLE",
  504: "DEADLINE_EXCEEDED",
};

export const replyOf = (refusal: Refusal): Reply => ({
  status: refusal.status,
  headers: refusal.headers,
  body: {
    error_code: refusal.code,
    message: refusal.message,
    ...(refusal.details.length > 0 && { details: refusal.details }),
  },
});

/** The answer that a fault gives in place of the right one; undefined for kinds that only bend how an answer is sent. */
export function faultReply(fault: Fault): Reply | undefined {
  const after = fault.retryAfter === undefined ? {} : { "retry-after": String(fault.retryAfter) };
  if (fault.kind === "html") {
    return {
      status: fault.status ?? 200,
      headers: { "content-type": "text/html; charset=utf-8", ...after },
      body: "<!doctype html><html><head><title>Sign in</title></head><body><h1>Please sign in</h1></body></html>",
    };
  }
  if (fault.kind !== "status") return undefined;
  const status = fault.status ?? 503;
  const error_code = fault.errorCode ?? CODES[status] ?? "UNKNOWN";
  return {
    status,
    headers: after,
    body: { error_code, message: fault.message ?? `The request could not be served: ${error_code}.` },
  };
}

/** Sends a reply, whole or as a fault of kind `truncate` or `slow` bends it. */
export async function send(
  response: ServerResponse,
  reply: Reply,
  common: Readonly<Record<string, string>>,
  fault: Fault | undefined,
): Promise<void> {
  const bytes = bytesOf(reply.body);
  const type = Buffer.isBuffer(reply.body)
    ? "application/octet-stream"
    : typeof reply.body === "string"
      ? "text/plain"
      : "application/json";
  const hasBody = reply.status !== 204 && reply.status !== 304;
  const headers: Record<string, string> = {
    ...common,
    ...(bytes.length > 0 && { "content-type": type }),
    ...(hasBody && { "content-length": String(bytes.length) }),
    ...reply.headers,
  };
  const truncates = fault?.kind === "truncate" && bytes.length > 1;
  const shown = truncates ? bytes.subarray(0, Math.floor(bytes.length / 2)) : bytes;
  if (truncates && fault.cut !== "connection") headers["content-length"] = String(shown.length);
  if (response.destroyed) return;
  response.writeHead(reply.status, headers);
  if (fault?.kind === "slow") {
    const pieces = Math.max(1, fault.pieces ?? 4);
    const size = Math.max(1, Math.ceil(shown.length / pieces));
    for (let at = 0; at < shown.length && !response.destroyed; at += size) {
      await sleep(fault.delayMs ?? 50);
      if (!response.destroyed) response.write(shown.subarray(at, at + size));
    }
    response.end();
    return;
  }
  if (truncates && fault.cut === "connection") {
    response.write(shown, () => response.destroy());
    return;
  }
  response.end(shown);
}

function bytesOf(body: Reply["body"]): Buffer {
  if (body === undefined) return Buffer.alloc(0);
  if (Buffer.isBuffer(body)) return body;
  return Buffer.from(typeof body === "string" ? body : JSON.stringify(body));
}
