import { errnoOf, type FactoryError, messageOf, outsideError } from "./error.ts";
import type { HttpReply, HttpRequest } from "./http.ts";
import { isLoopback } from "./loopback.ts";
import { publicUrl } from "./public-url.ts";
import { redact, stripControls } from "./redact.ts";

type Asked = Pick<HttpRequest, "method" | "url" | "startedBy">;

/** The error (exit 4) for a reply that is not what was asked for: method, address without query, status, error code, request id. */
export function httpFailure(request: Asked, reply: HttpReply): FactoryError {
  const { code, message, requestId } = problemOf(reply);
  const said = code === "" && message === "" ? "" : `: ${[code, message].filter((part) => part !== "").join(" ")}`;
  // Support asks for it. Many messages hold it already.
  const id = requestId === undefined || message.includes(requestId) ? "" : ` (request ${requestId})`;
  const hint =
    reply.status === 401 || reply.status === 403
      ? "check the credentials for this server and what they may do"
      : reply.status === 407
        ? "the proxy wants credentials: HTTPS_PROXY=http://user:password@host:port"
        : reply.status >= 300 && reply.status < 400
          ? "redirects are not followed: give the address that it points to"
          : undefined;
  return outsideError(
    `http.${reply.status}`,
    `${request.method} ${publicUrl(request.url)} answered ${reply.status}${said}${id}`,
    hint,
  );
}

export interface ServerProblem {
  /** The error code of the server, or "". A number is given in digits. */
  code: string;
  /** What it says, at most 300 characters without secrets; or "". */
  message: string;
  requestId: string | undefined;
}

/**
 * What a reply says of its failure: `{error_code, message}`, `{error, error_description}` of OAuth, `{detail, status}` of SCIM, or
 * the first line of plain text, `CODE: message`.
 */
export function problemOf(reply: HttpReply): ServerProblem {
  const requestId = requestIdOf(reply);
  if (reply.json !== undefined) {
    const field = (name: string) => fieldOf(reply.json, name);
    const scim = field("detail") !== "" && field("status") !== "" && field("error_code") === "";
    return {
      code: field("error_code") || (scim ? `SCIM_${field("status")}` : field("error")),
      message: field("message") || field("error_description") || field("detail"),
      requestId,
    };
  }
  if (!/^text\/plain\b/.test(reply.headers["content-type"] ?? "")) return { code: "", message: "", requestId };
  const line = shown(reply.text.split("\n")[0] ?? "");
  const [, code = "", rest] = /^([A-Z][A-Z_]{2,60}): (.*)$/.exec(line) ?? [];
  return { code, message: rest ?? line, requestId };
}

function fieldOf(json: unknown, name: string): string {
  const value: unknown = typeof json === "object" && json !== null ? Reflect.get(json, name) : undefined;
  if (typeof value === "number") return String(value);
  return typeof value === "string" ? shown(value) : "";
}

function shown(text: string): string {
  return stripControls(redact(text)).replace(/\s+/g, " ").trim().slice(0, 300);
}

/** The id under which the server knows this request. */
export function requestIdOf(reply: Pick<HttpReply, "headers">): string | undefined {
  const value = reply.headers["x-request-id"] ?? reply.headers["x-databricks-request-id"] ?? "";
  return /^[\w.:-]{1,64}$/.test(value) ? redact(value) : undefined;
}

/** The error (exit 4) for a request that got no reply. */
export function noReply(request: Asked, error: unknown): FactoryError {
  const { origin } = new URL(request.url);
  const code = errnoOf(error) ?? "";
  if (code === "ECONNREFUSED")
    return outsideError(
      "http.refused",
      `nothing answers at ${origin}`,
      request.startedBy !== undefined && isLoopback(new URL(request.url).hostname)
        ? `is it running? ${request.startedBy}`
        : "is the server running, and is that its address?",
      error,
    );
  if (code === "ENOTFOUND" || code === "EAI_AGAIN")
    return outsideError("http.host", `the host of ${origin} is not known`, "check the address and the network", error);
  if (/CERT|SELF_SIGNED|UNABLE_TO_VERIFY/.test(code)) {
    return outsideError(
      "http.certificate",
      `the certificate of ${origin} is not trusted (${code})`,
      "give the authority's file in NODE_EXTRA_CA_CERTS or SSL_CERT_FILE",
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
