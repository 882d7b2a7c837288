import type * as z from "zod";
import { FactoryError, outsideError } from "../../lib/error.ts";
import { type HttpReply, type HttpRequest, httpFailure, problemOf } from "../../lib/http.ts";
import { publicUrl } from "../../lib/public-url.ts";

export const FORM = "workspace.form";
export const PAGE = "workspace.page";

/**
 * Whether it is unknown if a call had its effect: no reply, an error of the server or of something in between, or a reply that
 * is not the workspace's own.
 */
export function isUnknownOutcome(error: unknown): boolean {
  return (
    error instanceof FactoryError &&
    ([FORM, PAGE, "http.json", "http.size"].includes(error.code) || /^http\.(?:failed|408|429|5\d\d)$/.test(error.code))
  );
}

const MISSING = /^(?:RESOURCE_DOES_NOT_EXIST|NOT_FOUND|[A-Z]+(?:_[A-Z]+)*_(?:DOES_NOT_EXIST|NOT_FOUND))$/;
/** Said of an address of the API that this workspace lacks, and of a feature that is switched off: no answer about the thing. */
const NO_ANSWER = new Set(["ENDPOINT_NOT_FOUND", "FEATURE_DISABLED"]);
/** These answer 400 INVALID_PARAMETER_VALUE for an id that does not exist. */
const MISSING_AS_400 = /\/api\/2\.\d\/(?:clusters\/get|jobs\/get|jobs\/runs\/get|jobs\/runs\/get-output)$/;

/** A reply that means "there is no such thing". A 404 of something in between (a page, no JSON) does not. */
export function isNotFound(request: Pick<HttpRequest, "method" | "url">, reply: HttpReply): boolean {
  const { code, message } = problemOf(reply);
  if (reply.status === 404) {
    if (request.method === "HEAD") return true;
    return MISSING.test(code) && !NO_ANSWER.has(code);
  }
  if (reply.status !== 400 || code !== "INVALID_PARAMETER_VALUE") return false;
  const path = new URL(request.url).pathname;
  return (
    (MISSING_AS_400.test(path) && /does not exist/i.test(message)) ||
    (path.includes("/mlflow/") && /^Registered model alias .* not found/.test(message))
  );
}

/** Whether the token was not accepted, so that nothing was done: 401, and 403 by its words. */
export function isTokenRefused(reply: HttpReply): boolean {
  return reply.status === 401 || (reply.status === 403 && /invalid access token/i.test(problemOf(reply).message));
}

/** The error (exit 4) for a reply that is not what was asked for. */
export function workspaceFailure(
  request: Pick<HttpRequest, "method" | "url">,
  reply: HttpReply,
  label: string,
): FactoryError {
  const failure = httpFailure(request, reply);
  if (isTokenRefused(reply)) {
    const { code, message } = problemOf(reply);
    const said = [code, message].filter((part) => part !== "" && part !== String(reply.status)).join(" ");
    return outsideError(
      failure.code,
      `${label} does not accept the token${said === "" ? "" : `: ${said}`} (${request.method} ${publicUrl(request.url)} answered ${reply.status})`,
      "it has expired, was revoked, or is of another workspace: make a new one or log in again; where this one comes from: factory doctor",
    );
  }
  const hint =
    reply.status === 403 ? `ask for the right on ${label}; factory doctor --env says what is missing` : failure.hint;
  return outsideError(failure.code, failure.message, hint);
}

/** The reply in its expected form. Throws exit 4 for another status or form. */
export function accept<T>(request: HttpRequest, reply: HttpReply, schema: z.ZodType<T>, label: string): T {
  if (reply.status < 200 || reply.status >= 300) throw workspaceFailure(request, reply, label);
  if (isPage(reply))
    throw outsideError(
      PAGE,
      `${request.method} ${publicUrl(request.url)} answered ${reply.status} with a web page, not with data`,
      "a login page or a proxy stands in between: check the network, a private link, and the address of the workspace",
    );
  // Some calls answer a success with no body, or with a plain OK.
  const parsed = schema.safeParse(reply.json === undefined || reply.json === "" ? {} : reply.json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw outsideError(
    FORM,
    `${request.method} ${publicUrl(request.url)} answered in a form that is not understood${issue === undefined ? "" : `: ${issue.path.join(".")} ${issue.message}`}`,
    "is this the address of a Databricks workspace?",
  );
}

/** A page of something in between, where data was asked for. */
export function isPage(reply: HttpReply): boolean {
  return (
    /^text\/html\b/i.test(reply.headers["content-type"] ?? "") ||
    /^\s*<(?:!doctype|html)/i.test(reply.text.slice(0, 200))
  );
}
