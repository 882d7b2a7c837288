import { afterEach, describe, expect, it } from "vitest";
import * as z from "zod";
import { type FakeWorkspace, startWorkspace, type WorkspaceOptions } from "./server.ts";

const ME = "/api/2.0/preview/scim/v2/Me";
const SUBJECT = "repo:acme/models:environment:production";
const reply = z.object({
  access_token: z.string().optional(),
  expires_in: z.coerce.number().optional(),
  error: z.string().optional(),
  error_description: z.string().optional(),
});

describe("signing in to the fake workspace", () => {
  let workspace: FakeWorkspace;
  const start = async (options: WorkspaceOptions = {}): Promise<void> => {
    workspace = await startWorkspace({ principals: [{ name: "ci" }], ...options });
  };
  afterEach(() => workspace.stop());

  const basic = (id = "", secret = ""): string => `Basic ${Buffer.from(`${id}:${secret}`).toString("base64")}`;
  const ask = async (form: Record<string, string>, authorization?: string, path = "/oidc/v1/token") => {
    const answer = await fetch(`${workspace.url}${path}`, {
      method: "POST",
      body: new URLSearchParams(form),
      ...(authorization !== undefined && { headers: { authorization } }),
    });
    return { status: answer.status, ...reply.parse(await answer.json()) };
  };
  const me = async (token = "") =>
    (await fetch(`${workspace.url}${ME}`, { headers: { authorization: `Bearer ${token}` } })).status;
  const credentials = { grant_type: "client_credentials", scope: "all-apis" };
  const exchange = (audience: string, more: Record<string, string> = {}) => ({
    grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
    subject_token: workspace.issuer.idToken(audience),
    subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
    scope: "all-apis",
    ...more,
  });

  it("gives a token for a client's secret, and lets it expire when it is told or when its time is over", async () => {
    let now = Date.now();
    await start({ tokenSeconds: 60, now: () => now });
    const { clientId, clientSecret } = workspace.identity("ci");
    const given = await ask(credentials, basic(clientId, clientSecret));
    expect([given.status, given.expires_in]).toEqual([200, 60]);
    expect(await me(given.access_token)).toBe(200);
    now += 61_000;
    expect(await me(given.access_token)).toBe(401);
    const next = await ask(credentials, basic(clientId, clientSecret));
    expect(await me(next.access_token)).toBe(200);
    workspace.expireTokens();
    expect(await me(next.access_token)).toBe(401);
    expect(await me(workspace.identity("ci").token)).toBe(200);
    expect(await ask(credentials, basic(clientId, "wrong"))).toMatchObject({ status: 401, error: "invalid_client" });
    expect(await ask({ grant_type: "client_credentials" }, basic(clientId, clientSecret))).toMatchObject({
      status: 400,
      error: "invalid_scope",
    });
  });

  it("exchanges an ID token only if issuer, audience and subject are the policy's to the letter", async () => {
    await start();
    const { url } = workspace.issuer;
    const client_id = workspace.identity("ci").clientId ?? "";
    expect(await ask(exchange("factory", { client_id }))).toMatchObject({ status: 400, error: "invalid_request" });
    workspace.federate({ issuer: url, audiences: ["factory"], subject: SUBJECT, servicePrincipal: "ci" });
    const given = await ask(exchange("factory", { client_id }));
    expect(await me(given.access_token)).toBe(200);
    expect((await ask(exchange("Factory", { client_id }))).error_description).toContain("audience is Factory");
    expect((await ask(exchange("factory"))).error).toBe("invalid_request");
    expect((await ask(exchange("factory", { client_id }), basic("a", "b"))).status).toBe(400);
    const forged = `${workspace.issuer.idToken("factory").slice(0, -8)}AAAAAAAA`;
    expect((await ask(exchange("factory", { client_id, subject_token: forged }))).error).toBe("invalid_grant");
  });

  it("refuses another subject", async () => {
    await start();
    const { url } = workspace.issuer;
    workspace.federate({ issuer: url, audiences: ["factory"], subject: SUBJECT.toUpperCase(), servicePrincipal: "ci" });
    const client_id = workspace.identity("ci").clientId ?? "";
    expect((await ask(exchange("factory", { client_id }))).error_description).toContain(`subject is ${SUBJECT}`);
  });

  it("plays GitHub's issuer and Azure's token endpoint", async () => {
    await start();
    const { requestUrl, requestToken } = workspace.issuer;
    const refused = await fetch(`${requestUrl}&audience=x`);
    expect(refused.status).toBe(401);
    const answer = await fetch(`${requestUrl}&audience=x`, { headers: { authorization: `Bearer ${requestToken}` } });
    expect(
      z
        .object({ value: z.string() })
        .parse(await answer.json())
        .value.split("."),
    ).toHaveLength(3);
    const { clientId = "", clientSecret = "" } = workspace.identity("ci");
    const form = {
      grant_type: "client_credentials",
      client_id: clientId,
      client_secret: clientSecret,
      resource: "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d",
    };
    const path = `/_azure/${workspace.azure.tenant}/oauth2/token`;
    const given = await ask(form, undefined, path);
    expect(await me(given.access_token)).toBe(200);
    const management = await ask({ ...form, resource: "https://management.core.windows.net/" }, undefined, path);
    expect([management.status, await me(management.access_token)]).toEqual([200, 403]);
    expect((await ask(form, undefined, "/_azure/other/oauth2/token")).status).toBe(400);
  });
});
