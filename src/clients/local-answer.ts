import * as z from "zod";
import { FactoryError } from "../lib/error.ts";
import { type HttpReply, sendHttp } from "../lib/http.ts";

const TAG = "factory.local.server";
const TIMEOUT_MS = 2000;
/** A server under load may need this long; taking it for hung would end it. */
const PATIENT_MS = 10_000;

const experiment = z.object({
  experiment: z.object({ tags: z.array(z.object({ key: z.string(), value: z.string() })).default([]) }),
});

/** What answers on a port of this machine; `alive` says that processes of the expected server live. */
export async function whoAnswers(
  port: number,
  identity: string | undefined,
  alive: boolean,
): Promise<"none" | "ours" | "other"> {
  let health = await ask(port, "/health");
  // Silent with our processes alive: busy, or hung; not foreign.
  if (health === "silent" && alive) health = await ask(port, "/health", PATIENT_MS);
  if (health === "refused" || (health === "silent" && alive)) return "none";
  if (health === "silent" || health.status !== 200 || identity === undefined) return "other";
  const found = await identityOn(port);
  if (found === undefined) return alive ? "ours" : "other";
  return found === identity ? "ours" : "other";
}

/** Once the server is healthy, writes its identity into it and reads it back; false while it is not up. */
export async function claimServer(port: number, identity: string): Promise<boolean> {
  const health = await ask(port, "/health");
  if (typeof health === "string" || health.status !== 200) return false;
  const url = `http://127.0.0.1:${port}/api/2.0/mlflow/experiments/set-experiment-tag`;
  await sendHttp({
    method: "POST",
    url,
    json: { experiment_id: "0", key: TAG, value: identity },
    idempotent: true,
    retries: 2,
    timeoutMs: 10_000,
  });
  return (await identityOn(port)) === identity;
}

async function identityOn(port: number): Promise<string | undefined> {
  const reply = await ask(port, "/api/2.0/mlflow/experiments/get?experiment_id=0");
  if (typeof reply === "string") return undefined;
  const tags = experiment.safeParse(reply.json).data?.experiment.tags;
  // A reply that is no experiment at all comes from something that is not MLflow, or from one in trouble (5xx).
  if (tags === undefined) return reply.status >= 500 ? undefined : "";
  return tags.find((tag) => tag.key === TAG)?.value ?? "";
}

async function ask(port: number, path: string, timeoutMs = TIMEOUT_MS): Promise<HttpReply | "refused" | "silent"> {
  try {
    return await sendHttp({
      method: "GET",
      url: `http://127.0.0.1:${port}${path}`,
      timeoutMs,
      retries: 0,
      maxBodyBytes: 1 << 20,
    });
  } catch (error) {
    return error instanceof FactoryError && error.code === "http.refused" ? "refused" : "silent";
  }
}
