import { FactoryError } from "../../lib/error.ts";
import { type HttpReply, type HttpRequest, sendHttp, tryStreamHttp } from "../../lib/http.ts";
import { STARTED_BY } from "./auth/oauth.ts";
import { accept, isNotFound, isPage, isTokenRefused, workspaceFailure } from "./replies.ts";
import type { Workspace, WorkspaceCall } from "./workspace.ts";

export interface WorkspaceParts {
  host: string;
  label: string;
  credential: Workspace["credential"];
  /** A bearer token; another than the one that was `refused`, if that can be. */
  token(refused?: string): Promise<string>;
  headers(): Promise<Readonly<Record<string, string>>>;
  signal: AbortSignal | undefined;
}

/** The calls of one workspace. A token that is refused is replaced once: a refusal did nothing, so that repeating is safe. */
export function workspaceApi(parts: WorkspaceParts): Workspace {
  let clock: { serverMs: number; localMs: number } | undefined;
  const note = <R extends object>(reply: R): R => {
    const date = "headers" in reply && isReply(reply) ? Date.parse(reply.headers.date ?? "") : Number.NaN;
    if (!Number.isNaN(date)) clock = { serverMs: date, localMs: Date.now() };
    return reply;
  };
  const authorized = async <R extends object>(call: WorkspaceCall, go: (request: HttpRequest) => Promise<R>) => {
    const token = await parts.token();
    const headers = await parts.headers();
    const request = requestOf(parts, call, headers, token);
    const first = note(await go(request));
    if (!isReply(first) || !isTokenRefused(first)) return { request, reply: first };
    const next = await parts.token(token);
    if (next === token) return { request, reply: first };
    const again = requestOf(parts, call, headers, next);
    return { request: again, reply: note(await go(again)) };
  };
  const attempt = (call: WorkspaceCall) => authorized(call, sendHttp);
  return {
    host: parts.host,
    label: parts.label,
    credential: parts.credential,
    token: () => parts.token(),
    attempt,
    async find(call, schema) {
      const { request, reply } = await attempt(call);
      return isNotFound(request, reply) ? undefined : accept(request, reply, schema, parts.label);
    },
    async demand(call, schema) {
      const { request, reply } = await attempt(call);
      return accept(request, reply, schema, parts.label);
    },
    async stream(call, read) {
      const guarded: typeof read = (body, head) => {
        const page = /^text\/html\b/i.test(head.headers["content-type"] ?? "") && !/\.html?$/i.test(call.path);
        if (!page) return read(body, head);
        body.resume();
        // As a broken connection it is tried again.
        throw Object.assign(new Error("a web page came instead of the file"), { code: "ECONNRESET" });
      };
      const { request, reply } = await authorized(call, (each) => tryStreamHttp(each, guarded));
      if ("value" in reply) return reply.value;
      if (isNotFound(request, reply)) return undefined;
      throw workspaceFailure(request, reply, parts.label);
    },
    clock: () => clock,
  };
}

function isReply(value: object): value is HttpReply {
  return "status" in value && "text" in value && "headers" in value;
}

function requestOf(
  parts: WorkspaceParts,
  call: WorkspaceCall,
  headers: Readonly<Record<string, string>>,
  token: string,
): HttpRequest {
  // A name in it that was not encoded must not lead elsewhere.
  if (!/^\/[^/]/.test(call.path) || /[?#\\]|\/(?:\.|%2e){1,2}(?:\/|$)/i.test(call.path))
    throw new FactoryError("workspace.path", 1, `not a path of the API: ${JSON.stringify(call.path)}`);
  const query = call.query === undefined ? "" : `?${new URLSearchParams(call.query)}`;
  const url = `${parts.host}${call.path}${query}`;
  return {
    method: call.method,
    url,
    headers: { ...headers, ...call.headers, authorization: `Bearer ${token}` },
    signal: call.signal ?? parts.signal,
    startedBy: STARTED_BY,
    // A proxy or a login page that stands in between for a moment.
    isOverload: (reply) => reply.status < 300 && isPage(reply),
    ...(call.json !== undefined && { json: call.json }),
    ...(call.body !== undefined && { body: call.body }),
    ...(call.idempotent !== undefined && { idempotent: call.idempotent }),
    ...(call.timeoutMs !== undefined && { timeoutMs: call.timeoutMs }),
  };
}
