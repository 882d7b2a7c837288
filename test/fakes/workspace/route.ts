import type { IncomingHttpHeaders } from "node:http";
import * as z from "zod";
import type { Principal } from "./principals.ts";
import type { State } from "./state.ts";

export type Method = "GET" | "PUT" | "POST" | "PATCH" | "DELETE" | "HEAD";

/** One call of the workspace's API. Every route says where its shape was read: a section of the reference, or the client that asked. */
export interface Route {
  method: Method;
  /** `:name` takes one segment, `*name` at the end takes the rest with its slashes; both arrive decoded. */
  path: string;
  cites: string;
  /** `open` needs no token: discovery and token endpoints. */
  access?: "token" | "open";
  handle(ask: Ask): Reply | Promise<Reply>;
}

/** What a route is asked. */
export interface Ask {
  method: string;
  /** Path without the query, as sent. */
  path: string;
  params: Readonly<Record<string, string>>;
  query: URLSearchParams;
  headers: IncomingHttpHeaders;
  body: Buffer;
  /** Who asks; on an open route the anonymous principal. */
  principal: Principal;
  state: State;
  /** Origin of this server. */
  url: string;
  /** Numeric id of the workspace, as a string. */
  orgId: string;
  requestId: string;
  /** Milliseconds since 1970 by the workspace's clock. */
  now(): number;
}

export interface Reply {
  status: number;
  headers?: Readonly<Record<string, string>>;
  /** An object is sent as JSON, text and bytes as they are. */
  body?: object | string | Buffer;
}

export const ok = (body: object = {}): Reply => ({ status: 200, body });
/** 204, as the Files API answers writes. */
export const empty = (headers: Readonly<Record<string, string>> = {}): Reply => ({ status: 204, headers });

/** A parameter of the path, which the router has filled. */
export function param(ask: Ask, name: string): string {
  const value = ask.params[name];
  if (value === undefined) throw new Error(`the route has no parameter ${name}`);
  return value;
}

/** An answer that refuses; thrown by routes, sent in the shape `{error_code, message, details}`. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly code: string | number,
    message: string,
    readonly details: readonly object[] = [],
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }
}

export const refuse = (status: number, code: string | number, message: string, details?: readonly object[]): Refusal =>
  new Refusal(status, code, message, details);
export const badValue = (message: string): Refusal => refuse(400, "INVALID_PARAMETER_VALUE", message);
export const notFound = (message: string, code = "RESOURCE_DOES_NOT_EXIST"): Refusal => refuse(404, code, message);
export const denied = (message: string): Refusal => refuse(403, "PERMISSION_DENIED", message);

/** The JSON body, held to a schema. Use `z.strictObject`, so that a misspelt field is refused; `z.looseObject` only where the reference says that unknown fields are ignored. */
export function bodyOf<T>(ask: Ask, schema: z.ZodType<T>): T {
  return held(parsed(ask), schema);
}

/** Parameters of the query, held to a schema of strings (`z.coerce.number()` and `flag` help). */
export function queryOf<T>(ask: Ask, schema: z.ZodType<T>): T {
  return held(Object.fromEntries(ask.query), schema);
}

/** The JSON body if there is one, else the query: MLflow's client sends a body with DELETE, other clients a query. */
export function inputOf<T>(ask: Ask, schema: z.ZodType<T>): T {
  return ask.method === "GET" || ask.body.length === 0 ? queryOf(ask, schema) : bodyOf(ask, schema);
}

/** `true` and `false` in a query, in any case: Python clients write `True`. */
export const flag = z
  .string()
  .transform((text) => text.toLowerCase())
  .pipe(z.enum(["true", "false"]))
  .transform((text) => text === "true");

function parsed(ask: Ask): unknown {
  if (ask.body.length === 0) return {};
  try {
    const value: unknown = JSON.parse(ask.body.toString("utf8"));
    return value;
  } catch {
    throw refuse(400, "MALFORMED_REQUEST", "Could not parse request object: the body is no JSON");
  }
}

function held<T>(value: unknown, schema: z.ZodType<T>): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  if (issue?.code === "unrecognized_keys")
    throw refuse(400, "MALFORMED_REQUEST", `Could not parse request object: unknown field ${issue.keys.join(", ")}`);
  throw badValue(`Invalid value for ${issue?.path.join(".") || "the request"}: ${issue?.message ?? "?"}`);
}

/** One page of a list: the token is the place to go on from, opaque to clients. */
export function pageOf<T>(
  all: readonly T[],
  size: number,
  token: string | undefined,
): { items: readonly T[]; next: string | undefined } {
  const start = token === undefined || token === "" ? 0 : Number(Buffer.from(token, "base64url").toString("utf8"));
  if (!Number.isSafeInteger(start) || start < 0) throw badValue("Invalid page_token");
  const end = start + size;
  const next = end < all.length ? Buffer.from(String(end)).toString("base64url") : undefined;
  return { items: all.slice(start, end), next };
}
