import type * as z from "zod";
import type { BodyReader, HttpReply, HttpRequest, StreamedBody } from "../../lib/http.ts";

/**
 * One Databricks workspace, reached as one identity. Every request carries a token that is fresh; nothing is asked before the
 * first call. Errors are exit 4 and name the workspace, never a credential.
 */
export interface Workspace {
  /** Origin without a final slash: `https://adb-1.azuredatabricks.net`. */
  readonly host: string;
  /** How messages name it: the host and the profile. */
  readonly label: string;
  /** Which credential was used and where it was found, for the doctor. */
  readonly credential: { authType: string; from: string };
  /** A bearer token that holds for some minutes at least, for the SQL driver and for factory's own Python. */
  token(): Promise<string>;
  /** The raw exchange, for calls whose refusals mean something. */
  attempt(call: WorkspaceCall): Promise<{ request: HttpRequest; reply: HttpReply }>;
  /** Undefined when the thing asked for does not exist. Any other failure throws. */
  find<T>(call: WorkspaceCall, schema: z.ZodType<T>): Promise<T | undefined>;
  /** Any failure throws. */
  demand<T>(call: WorkspaceCall, schema: z.ZodType<T>): Promise<T>;
  /** The body of a 2xx reply goes to `read`; undefined when there is no such thing. */
  stream<T>(call: WorkspaceCall, read: BodyReader<T>): Promise<T | undefined>;
  /** The workspace's clock against ours, by the header Date of its last reply; milliseconds since 1970. */
  clock(): { serverMs: number; localMs: number } | undefined;
}

export interface WorkspaceCall {
  method: HttpRequest["method"];
  /** From the root: `/api/2.1/unity-catalog/models/…`; each part encoded by the caller. */
  path: string;
  query?: Readonly<Record<string, string>>;
  json?: unknown;
  body?: Uint8Array | StreamedBody;
  headers?: Readonly<Record<string, string>>;
  /** For calls that are safe to repeat though their method is not, and the reverse. */
  idempotent?: boolean;
  signal?: AbortSignal;
  timeoutMs?: number;
}
