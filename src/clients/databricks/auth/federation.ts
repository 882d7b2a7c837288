import { open } from "node:fs/promises";
import * as z from "zod";
import { errnoOf, outsideError, usageError } from "../../../lib/error.ts";
import { problemOf, sendHttp } from "../../../lib/http.ts";
import { isLoopback } from "../../../lib/loopback.ts";
import { learnSecret } from "../../../lib/redact.ts";
import { type AuthWorld, federationAudience, requestToken, tokenEndpoint } from "./oauth.ts";
import type { TokenSource } from "./token.ts";

const MAX_BYTES = 64 << 10;

/** A way to an ID token of the job that runs us. */
export interface IdTokens {
  /** What is asked, for messages. */
  whose: string;
  get(audience: string): Promise<string>;
  /** What tells one job from another. */
  identity(): Promise<string>;
}

export interface Federation {
  scopes: string;
  clientId: string | undefined;
  audience: string | undefined;
}

/** An ID token of the runner, exchanged at the workspace for one of its own (workload identity federation). */
export function federated(name: string, ids: IdTokens, settings: Federation, world: AuthWorld): TokenSource {
  return {
    async fetch() {
      const endpoint = await tokenEndpoint(world);
      const audience = settings.audience ?? (await federationAudience(world)) ?? endpoint;
      const form = {
        grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
        subject_token: learnSecret(await ids.get(audience)),
        subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
        scope: settings.scopes,
        ...(settings.clientId !== undefined && { client_id: settings.clientId }),
      };
      return requestToken(endpoint, form, { whose: ids.whose, world });
    },
    keptFor: async () => [
      name,
      world.host,
      settings.clientId ?? "",
      settings.audience ?? "",
      settings.scopes,
      await ids.identity(),
    ],
  };
}

const answer = z.object({ value: z.string().min(1) });

/** GitHub's ID tokens, for a job with `permissions: id-token: write`. */
export function githubIds(url: string, requestToken: string, world: AuthWorld): IdTokens {
  const whose = "the ID token of this GitHub job";
  return {
    whose,
    async get(audience) {
      const asked = URL.canParse(url) ? new URL(url) : undefined;
      if (asked === undefined || (asked.protocol !== "https:" && !isLoopback(asked.hostname)))
        throw usageError("databricks.github", "ACTIONS_ID_TOKEN_REQUEST_URL is not an https address");
      asked.searchParams.set("audience", audience);
      const reply = await sendHttp({
        method: "GET",
        url: asked.href,
        headers: { authorization: `Bearer ${learnSecret(requestToken)}` },
        signal: world.signal,
      });
      const parsed = answer.safeParse(reply.json);
      if (reply.status !== 200 || !parsed.success)
        throw outsideError(
          "databricks.github",
          `GitHub gives no ID token: it answered ${reply.status} ${problemOf(reply).message}`.trim(),
          "give the job permissions: { id-token: write }",
        );
      return parsed.data.value;
    },
    identity: async () => requestToken,
  };
}

/** An ID token in a variable, as other CI systems give it. */
export function variableIds(name: string, value: string): IdTokens {
  return { whose: `the ID token in ${name}`, get: async () => value, identity: async () => value };
}

/** An ID token in a file, which whoever put it there may renew. */
export function fileIds(path: string): IdTokens {
  const read = async (): Promise<string> => {
    let text = "";
    try {
      const file = await open(path, "r");
      try {
        const { bytesRead, buffer } = await file.read(Buffer.alloc(MAX_BYTES), 0, MAX_BYTES, 0);
        text = buffer.subarray(0, bytesRead).toString("utf8").trim();
      } finally {
        await file.close();
      }
    } catch (error) {
      throw usageError(
        "databricks.oidc",
        `the file with the ID token cannot be read: ${path} (${errnoOf(error) ?? "error"})`,
      );
    }
    if (text === "") throw usageError("databricks.oidc", `the file with the ID token is empty: ${path}`);
    return text;
  };
  return { whose: `the ID token in ${path}`, get: read, identity: read };
}
