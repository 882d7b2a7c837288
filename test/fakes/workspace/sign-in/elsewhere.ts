import { identities } from "../principals.ts";
import { type Ask, ok, param, type Reply, type Route } from "../route.ts";
import { defineSection } from "../state.ts";
import { clientOf } from "./oauth.ts";
import { issueToken, readIdToken, signIdToken } from "./tokens.ts";

/** The resource that stands for Databricks at Azure (reference 1.4). */
const DATABRICKS = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d";
const MANAGEMENT = "https://management.core.windows.net/";
const ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/** What the places outside the workspace, which programs sign in by, know. */
export const elsewhere = defineSection("elsewhere", () => ({
  /** What a CI job shows to get an ID token. */
  requestToken: "fake-actions-request-token",
  /** Claims of the ID tokens that the job gets; `aud`, `iss` and times are added. */
  claims: new Map<string, unknown>([["sub", "repo:acme/models:environment:production"]]),
  idTokenSeconds: 300,
  tenant: "fa4e0000-0000-4000-8000-000000000001",
}));

export const GITHUB = "/_github";
export const AZURE = "/_azure";

/** Stand-ins for GitHub's issuer of ID tokens and for Azure's token endpoint, under paths of this server. */
export const elsewhereRoutes: readonly Route[] = [
  {
    method: "GET",
    path: `${GITHUB}/token`,
    access: "open",
    cites: "1.4, GitHub ID token: ACTIONS_ID_TOKEN_REQUEST_URL",
    handle: gitHubToken,
  },
  {
    method: "POST",
    path: `${AZURE}/:tenant/oauth2/token`,
    access: "open",
    cites: "1.4, Azure SP: client credentials with a resource",
    handle: azureToken,
  },
  {
    method: "POST",
    path: `${AZURE}/:tenant/oauth2/v2.0/token`,
    access: "open",
    cites: "1.4, GitHub→Entra: client_assertion; scope <resource>/.default",
    handle: azureToken,
  },
  {
    method: "GET",
    path: "/aad/auth",
    access: "open",
    cites: "databricks-sdk 0.162, load_azure_tenant_id: the tenant is in the redirect",
    handle: (ask) => ({
      status: 302,
      headers: { location: `https://login.microsoftonline.com/${elsewhere.of(ask.state).tenant}/oauth2/authorize` },
    }),
  },
];

/** An ID token as our issuer gives it to a CI job. */
export function idToken(ask: Pick<Ask, "state" | "url" | "now">, audience: string): string {
  const { claims, idTokenSeconds } = elsewhere.of(ask.state);
  const now = Math.floor(ask.now() / 1000);
  return signIdToken({
    iss: `${ask.url}${GITHUB}`,
    iat: now,
    nbf: now,
    exp: now + idTokenSeconds,
    ...Object.fromEntries(claims),
    aud: audience,
  });
}

function gitHubToken(ask: Ask): Reply {
  if (ask.headers.authorization !== `Bearer ${elsewhere.of(ask.state).requestToken}`)
    return { status: 401, body: { message: "the request token is not valid" } };
  const audience = ask.query.get("audience") ?? "https://github.com/acme";
  return ok({ count: 1, value: idToken(ask, audience) });
}

function azureToken(ask: Ask): Reply {
  const form = new URLSearchParams(ask.body.toString("utf8"));
  const refused = (error: string, error_description: string): Reply => ({
    status: 401,
    body: { error, error_description },
  });
  const known = identities.of(ask.state);
  if (param(ask, "tenant") !== elsewhere.of(ask.state).tenant)
    return { status: 400, body: { error: "invalid_request", error_description: "AADSTS90002: Tenant not found." } };
  const client = form.get("client_id") ?? clientOf(ask, form)?.id ?? "";
  const principal = known.principals.get(client);
  if (form.get("client_assertion_type") === ASSERTION) {
    const claims = readIdToken(form.get("client_assertion") ?? "");
    if (claims?.aud !== "api://AzureADTokenExchange")
      return refused("invalid_client", "AADSTS700212: audience of the assertion");
  } else {
    const secret = form.get("client_secret");
    if (!(known.secrets.get(client) ?? []).some((each) => each.secret === secret))
      return refused("invalid_client", "AADSTS7000215: Invalid client secret provided.");
  }
  if (principal === undefined) return refused("unauthorized_client", "AADSTS700016: Application not found.");
  const resource = form.get("resource") ?? (form.get("scope") ?? "").replace(/\/\.default$/, "");
  if (resource !== DATABRICKS && resource !== MANAGEMENT)
    return {
      status: 400,
      body: { error: "invalid_resource", error_description: "AADSTS500011: resource principal not found." },
    };
  const { token, seconds } = issueToken(ask.state, principal, "azure", `${ask.url}${AZURE}`, ask.now());
  // A token for the management resource opens no workspace.
  if (resource === MANAGEMENT) known.tokens.delete(token);
  return ok({
    token_type: "Bearer",
    access_token: token,
    expires_in: String(seconds),
    expires_on: String(Math.floor(ask.now() / 1000) + seconds),
    resource,
  });
}
