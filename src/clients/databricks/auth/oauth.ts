import * as z from "zod";
import { FactoryError, outsideError } from "../../../lib/error.ts";
import { type HttpReply, type HttpRequest, problemOf, sendHttp } from "../../../lib/http.ts";
import { learnSecret } from "../../../lib/redact.ts";
import type { Token } from "./token.ts";

/** What answers as a workspace on this machine, and how it is started. */
export const STARTED_BY = "the sandbox: factory sandbox start, with --keep to go on";

/** What every way to a token over HTTP needs. */
export interface AuthWorld {
  /** The workspace. */
  host: string;
  signal: AbortSignal | undefined;
  now(): number;
}

const TIMEOUT_MS = 30_000;
export const REFUSED = "databricks.refused";

const server = z.object({ token_endpoint: z.string() });
const metadata = z.object({ token_federation_default_oidc_audiences: z.array(z.string()).optional() });
const granted = z.object({
  access_token: z.string().min(1),
  // Entra gives the number as text.
  expires_in: z.coerce.number().positive().optional(),
});

/**
 * Where this workspace gives out tokens, by its own word. It has to be the workspace itself: whoever could bend that word must not
 * have a secret sent elsewhere.
 */
export async function tokenEndpoint({ host, signal }: AuthWorld): Promise<string> {
  const url = `${host}/oidc/.well-known/oauth-authorization-server`;
  const request = { method: "GET", url, signal, timeoutMs: TIMEOUT_MS, startedBy: STARTED_BY } as const;
  const reply = await sendHttp(request);
  // Workspaces from before that page have the endpoint where it has always been.
  if (reply.status === 404) return `${host}/oidc/v1/token`;
  const parsed = server.safeParse(reply.json);
  if (reply.status !== 200 || !parsed.success) throw unexpected("does not say where it gives out tokens", host, reply);
  const endpoint = parsed.data.token_endpoint;
  if (!URL.canParse(endpoint) || new URL(endpoint).origin !== host)
    throw outsideError(
      "databricks.endpoint",
      `${host} says that another host gives out its tokens; no credential is sent there`,
      "check the address of the workspace, and who answers at it",
    );
  return endpoint;
}

/** The audience that the workspace wants an ID token to be for, if it says so. */
export async function federationAudience({ host, signal }: AuthWorld): Promise<string | undefined> {
  try {
    const url = `${host}/.well-known/databricks-config`;
    const reply = await sendHttp({ method: "GET", url, signal, timeoutMs: 5000, retries: 0 });
    const parsed = metadata.safeParse(reply.json);
    return parsed.success ? parsed.data.token_federation_default_oidc_audiences?.[0] : undefined;
  } catch (error) {
    if (signal?.aborted) throw error;
    return undefined;
  }
}

/** Asks for a token with a form. A refusal (400, 401, 403) has the code `databricks.refused`. */
export async function requestToken(
  endpoint: string,
  form: Readonly<Record<string, string>>,
  options: { whose: string; world: AuthWorld; basic?: { user: string; password: string } },
): Promise<Token> {
  const { whose, world, basic } = options;
  const user =
    basic === undefined ? undefined : `${encodeURIComponent(basic.user)}:${encodeURIComponent(basic.password)}`;
  const request: HttpRequest = {
    method: "POST",
    url: endpoint,
    headers: {
      "content-type": "application/x-www-form-urlencoded",
      ...(user !== undefined && { authorization: `Basic ${learnSecret(Buffer.from(user).toString("base64"))}` }),
    },
    body: Buffer.from(`${new URLSearchParams(form)}`),
    signal: world.signal,
    timeoutMs: TIMEOUT_MS,
    startedBy: STARTED_BY,
    // A second token does no harm.
    idempotent: true,
  };
  const reply = await sendHttp(request);
  if ([400, 401, 403].includes(reply.status)) throw refused(whose, new URL(endpoint).origin, reply);
  const parsed = granted.safeParse(reply.json);
  if (reply.status !== 200 || !parsed.success)
    throw unexpected("does not give out a token", new URL(endpoint).origin, reply);
  return tokenOf(parsed.data.access_token, parsed.data.expires_in, world.now());
}

/** A token that holds for so many seconds; it is masked from now on. */
export function tokenOf(value: string, seconds: number | undefined, nowMs: number): Token {
  return {
    value: learnSecret(value),
    expiresMs: seconds === undefined ? undefined : nowMs + seconds * 1000,
    fromMs: nowMs,
  };
}

/** A credential that is not accepted. */
function refused(whose: string, origin: string, reply: HttpReply): FactoryError {
  const { code, message } = problemOf(reply);
  return outsideError(
    REFUSED,
    `${origin} refuses ${whose} (${[reply.status, code].filter((part) => part !== "").join(" ")})${message === "" ? "" : `: ${message}`}`,
    "check that it is of this workspace, was not revoked and has not ended: docs/authentication.md",
  );
}

function unexpected(what: string, origin: string, reply: HttpReply): FactoryError {
  const page = /^text\/html\b/i.test(reply.headers["content-type"] ?? "");
  const { code, message } = problemOf(reply);
  const said = page
    ? ", with a web page"
    : [code, message]
        .filter((part) => part !== "")
        .join(" ")
        .replace(/^(?=.)/, ": ");
  const hint = page
    ? "a login page or a proxy stands in between: check the network and the address"
    : "is it a Databricks workspace?";
  return outsideError(`http.${reply.status}`, `${origin} ${what}: it answered ${reply.status}${said}`, hint);
}

/** Whether a credential was turned down, in contrast to a server that could not tell. */
export function isRefusal(error: unknown): boolean {
  return error instanceof FactoryError && error.code === REFUSED;
}
