import { type FederationPolicy, identities, type Principal } from "../principals.ts";
import { type Ask, ok, type Reply, type Route } from "../route.ts";
import { issueToken, readIdToken } from "./tokens.ts";

const EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT = "urn:ietf:params:oauth:token-type:jwt";

/** How a program signs in: discovery, client credentials, token exchange. Reference 1.3 and 1.4. */
export const oauthRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/.well-known/databricks-config",
    access: "open",
    cites: "1.3, host metadata",
    handle: (ask) =>
      ok({
        oidc_endpoint: `${ask.url}/oidc`,
        account_id: identities.of(ask.state).accountId,
        workspace_id: ask.orgId,
        cloud: "AWS",
        host_type: "WORKSPACE_HOST",
      }),
  },
  {
    method: "GET",
    path: "/oidc/.well-known/oauth-authorization-server",
    access: "open",
    cites: "1.3, OIDC discovery",
    handle: (ask) => ok(endpoints(`${ask.url}/oidc`)),
  },
  {
    method: "GET",
    path: "/oidc/accounts/:account/.well-known/oauth-authorization-server",
    access: "open",
    cites: "1.3, OIDC discovery of the account",
    handle: (ask) => ok(endpoints(`${ask.url}/oidc/accounts/${identities.of(ask.state).accountId}`)),
  },
  { method: "POST", path: "/oidc/v1/token", access: "open", cites: "1.4, token requests", handle: tokenReply },
  {
    method: "POST",
    path: "/oidc/accounts/:account/v1/token",
    access: "open",
    cites: "1.4, token requests of the account",
    handle: tokenReply,
  },
];

const endpoints = (root: string): object => ({
  issuer: root,
  authorization_endpoint: `${root}/v1/authorize`,
  token_endpoint: `${root}/v1/token`,
  response_types_supported: ["code"],
  grant_types_supported: ["client_credentials", EXCHANGE],
  scopes_supported: ["all-apis", "offline_access"],
});

/** Errors of a token endpoint have a shape of their own: `{error, error_description}`. */
const failed = (status: number, error: string, error_description: string): Reply => ({
  status,
  body: { error, error_description },
});

function tokenReply(ask: Ask): Reply {
  const form = new URLSearchParams(ask.body.toString("utf8"));
  if (!(form.get("scope") ?? "").split(" ").includes("all-apis"))
    return failed(400, "invalid_scope", "The scope all-apis is needed.");
  switch (form.get("grant_type")) {
    case "client_credentials":
      return byCredentials(ask, form);
    case EXCHANGE:
      return byExchange(ask, form);
    default:
      return failed(400, "unsupported_grant_type", `Unsupported grant type ${form.get("grant_type") ?? ""}`);
  }
}

function byCredentials(ask: Ask, form: URLSearchParams): Reply {
  const client = clientOf(ask, form);
  const known = identities.of(ask.state);
  const principal = client === undefined ? undefined : known.principals.get(client.id);
  const secrets = client === undefined ? [] : (known.secrets.get(client.id) ?? []);
  const holds = secrets.some(
    ({ secret, expires }) => secret === client?.secret && (expires === undefined || expires > ask.now()),
  );
  if (principal === undefined || !holds) return failed(401, "invalid_client", "Client authentication failed");
  return granted(ask, principal);
}

/** HTTP Basic, as the reference says; also in the form, which OAuth allows. */
export function clientOf(ask: Ask, form: URLSearchParams): { id: string; secret: string } | undefined {
  const basic = /^Basic (\S+)$/i.exec(ask.headers.authorization ?? "")?.[1];
  if (basic !== undefined) {
    const [id = "", ...secret] = Buffer.from(basic, "base64").toString("utf8").split(":");
    return { id: decodeURIComponent(id), secret: decodeURIComponent(secret.join(":")) };
  }
  const [id, secret] = [form.get("client_id"), form.get("client_secret")];
  return id === null || secret === null ? undefined : { id, secret };
}

function byExchange(ask: Ask, form: URLSearchParams): Reply {
  if (ask.headers.authorization !== undefined)
    return failed(400, "invalid_request", "A token exchange carries no Authorization header.");
  if (form.get("subject_token_type") !== JWT)
    return failed(400, "invalid_request", `subject_token_type must be ${JWT}`);
  const claims = readIdToken(form.get("subject_token") ?? "");
  if (claims === undefined) return failed(400, "invalid_grant", "The signature of the subject token is not valid.");
  const { exp } = claims;
  if (typeof exp !== "number" || exp * 1000 <= ask.now())
    return failed(400, "invalid_grant", "The subject token has expired.");
  const clientId = form.get("client_id") ?? undefined;
  const policies = identities.of(ask.state).policies.filter((each) => each.servicePrincipal === clientId);
  if (policies.length === 0)
    return failed(
      400,
      "invalid_request",
      clientId === undefined ? "No federation policy of the account." : `No federation policy for ${clientId}.`,
    );
  const refusals = policies.map((policy) => refusalBy(ask, policy, claims));
  const at = refusals.indexOf(undefined);
  const policy = policies[at];
  if (policy === undefined) return failed(400, "invalid_grant", `No federation policy matches: ${refusals.join("; ")}`);
  const name = policy.servicePrincipal ?? String(claims[policy.subjectClaim ?? "sub"]);
  const principal = identities.of(ask.state).principals.get(name);
  if (principal === undefined) return failed(400, "invalid_grant", "The subject is no principal of this workspace.");
  return granted(ask, principal);
}

/** Why a policy does not match; issuer, audience and subject must be equal to the letter. */
function refusalBy(ask: Ask, policy: FederationPolicy, claims: Record<string, unknown>): string | undefined {
  if (claims.iss !== policy.issuer) return `issuer is ${String(claims.iss)}`;
  const audiences = policy.audiences.length > 0 ? policy.audiences : [identities.of(ask.state).accountId];
  const given = Array.isArray(claims.aud) ? claims.aud.map(String) : [String(claims.aud)];
  if (!given.some((each) => audiences.includes(each))) return `audience is ${given.join(", ")}`;
  const subject = claims[policy.subjectClaim ?? "sub"];
  if (policy.subject !== undefined && subject !== policy.subject) return `subject is ${String(subject)}`;
  return undefined;
}

function granted(ask: Ask, principal: Principal): Reply {
  const { token, seconds } = issueToken(ask.state, principal, "oauth", `${ask.url}/oidc`, ask.now());
  return ok({ access_token: token, token_type: "Bearer", expires_in: seconds, scope: "all-apis" });
}
