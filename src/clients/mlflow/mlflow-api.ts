import type * as z from "zod";
import { FactoryError, outsideError } from "../../lib/error.ts";
import { type HttpReply, type HttpRequest, httpFailure, problemOf } from "../../lib/http.ts";
import { publicUrl } from "../../lib/public-url.ts";
import type { ArtifactStore } from "./artifacts.ts";

/** MLflow's REST API, wherever it is: on a plain server, or in a workspace. What differs between them is in here. */
export interface MlflowApi {
  /** Address without credentials and final slash. */
  readonly uri: string;
  /** How messages name it: `the MLflow server at http://…`. */
  readonly label: string;
  readonly signal: AbortSignal | undefined;
  /** Sends a call and returns the last reply, whatever its status. Throws exit 4 when none came. */
  exchange(call: Call): Promise<Exchange>;
  /** The server's clock by the header Date of its last reply, and ours at that moment; milliseconds since 1970. */
  clock(): { serverMs: number; localMs: number } | undefined;
  readonly artifacts: ArtifactStore;
  readonly experiments: ExperimentNames;
  /** Ids of the experiments where factory keeps things, by name, once they are known. */
  readonly ownExperiments: Map<string, string>;
}

/** How experiments are called there. */
export interface ExperimentNames {
  /** The one with a project's training runs. */
  training(project: string): string;
  /** The one of an environment and a model, where factory keeps bytes, evidence and bundles. */
  own(environment: string, modelName: string): string;
  /** What must be there before an experiment of this name can be made. */
  prepare(name: string): Promise<void>;
}

export interface Call {
  method: "GET" | "POST" | "PATCH" | "DELETE";
  /** Below `/api/2.0/mlflow/`. */
  path: string;
  query?: Readonly<Record<string, string>>;
  json?: unknown;
  /** For calls that are safe to repeat though their method is not: searches and settings. */
  idempotent?: boolean;
  signal?: AbortSignal;
  timeoutMs?: number;
}

/** `failure` words a reply that is not what was asked for, where the other side knows better than the status alone tells. */
export interface Exchange {
  request: Pick<HttpRequest, "method" | "url"> & { failure?: (reply: HttpReply) => FactoryError };
  reply: HttpReply;
}

const BUSY = "mlflow.busy";
const FORM = "mlflow.form";

/**
 * Whether it is unknown if a call had its effect: no reply, an error of the server or of something in between, or a reply that
 * is not the server's own.
 */
export function isUnknownOutcome(error: unknown): boolean {
  return (
    error instanceof FactoryError &&
    ([BUSY, FORM, "http.json"].includes(error.code) || /^http\.(?:failed|429|5\d\d)$/.test(error.code))
  );
}

/** A reply that means "there is no such thing": 404, or MLflow's 400 for an alias that does not exist. */
export function isNotFound(reply: HttpReply): boolean {
  const { code, message } = problemOf(reply);
  if (reply.status === 404) return code === "RESOURCE_DOES_NOT_EXIST" || code === "NOT_FOUND";
  return (
    reply.status === 400 && code === "INVALID_PARAMETER_VALUE" && /^Registered model alias .* not found/.test(message)
  );
}

/** MLflow's own ways of saying "too busy" with status 400. */
export function isOverload(reply: HttpReply): boolean {
  const { code, message } = problemOf(reply);
  return reply.status === 400 && code === "BAD_REQUEST" && /QueuePool|locked|UNIQUE constraint failed/.test(message);
}

/** Calls the REST API; undefined when the thing asked for does not exist. Any other failure throws (exit 4). */
export async function find<T>(api: MlflowApi, call: Call, schema: z.ZodType<T>): Promise<T | undefined> {
  const { request, reply } = await api.exchange(call);
  return isNotFound(reply) ? undefined : accept(request, reply, schema);
}

/** Calls the REST API. Any failure throws (exit 4). */
export async function demand<T>(api: MlflowApi, call: Call, schema: z.ZodType<T>): Promise<T> {
  const { request, reply } = await api.exchange(call);
  return accept(request, reply, schema);
}

/** The raw exchange, for calls whose refusals mean something. */
export function attempt(api: MlflowApi, call: Call): Promise<Exchange> {
  return api.exchange(call);
}

/** The error (exit 4) for a reply that is not what was asked for. */
export function refusal(request: Exchange["request"], reply: HttpReply): FactoryError {
  return request.failure?.(reply) ?? httpFailure(request, reply);
}

/** The reply in its expected form. Throws exit 4 for another status or form. */
export function accept<T>(request: Exchange["request"], reply: HttpReply, schema: z.ZodType<T>): T {
  if (isOverload(reply)) throw outsideError(BUSY, refusal(request, reply).message, "try again in a minute");
  if (reply.status < 200 || reply.status >= 300) throw refusal(request, reply);
  const parsed = schema.safeParse(reply.json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw outsideError(
    FORM,
    `${request.method} ${publicUrl(request.url)} answered in a form that is not understood${issue === undefined ? "" : `: ${issue.path.join(".")} ${issue.message}`}`,
    "is this an MLflow tracking server of version 3?",
  );
}
