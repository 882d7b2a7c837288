import type { AttributeName } from "./attributes.ts";
import { azureCli, azureClientSecret, azureCloud } from "./azure.ts";
import { databricksCli } from "./databricks-cli.ts";
import { federated, fileIds, githubIds, type IdTokens, variableIds } from "./federation.ts";
import type { Resolved } from "./for-address.ts";
import { type AuthWorld, requestToken, tokenEndpoint } from "./oauth.ts";
import { findProgram, type Programs } from "./programs.ts";
import type { TokenSource } from "./token.ts";

/** A credential that is at hand, or what it lacks. */
export type Offer = { source: TokenSource; from: string } | { lacking: string };

export interface Method {
  name: string;
  /**
   * It is configured outright when it is offered: it is taken untried, and its failure is the answer, so that a wrong secret never
   * makes somebody else of us. The others are only found lying around; one that is refused is passed over.
   */
  outright: boolean;
  offer(at: At): Offer | Promise<Offer>;
}

export interface At {
  resolved: Resolved;
  world: AuthWorld;
  programs: Programs;
  variables: Readonly<Record<string, string>>;
  get(name: AttributeName): string | undefined;
  /** Where the first of these that is given was found. */
  whence(...names: AttributeName[]): string;
}

const pat: Method = {
  name: "pat",
  outright: true,
  offer({ get, whence, world }) {
    const token = get("token");
    if (token === undefined) return { lacking: "no token" };
    const fetch = async () => ({ value: token, expiresMs: undefined, fromMs: world.now() });
    return { source: { fetch, fixed: true }, from: whence("token") };
  },
};

const oauthM2m: Method = {
  name: "oauth-m2m",
  outright: true,
  offer({ get, whence, world }) {
    const [user, password, scope] = [get("client_id"), get("client_secret"), get("scopes") ?? "all-apis"];
    if (user === undefined || password === undefined) return { lacking: "no client_id with a client_secret" };
    const from = whence("client_secret");
    const whose = `client ${user}, whose secret is from ${from}`;
    const fetch = async () =>
      requestToken(
        await tokenEndpoint(world),
        { grant_type: "client_credentials", scope },
        { whose, world, basic: { user, password } },
      );
    const keptFor = async () => ["oauth-m2m", world.host, user, password, scope];
    return { source: { fetch, keptFor }, from };
  },
};

const cli: Method = {
  name: "databricks-cli",
  outright: false,
  async offer({ get, whence, programs, resolved, world }) {
    const path = get("databricks_cli_path");
    const named = path === undefined ? undefined : { path, from: whence("databricks_cli_path") };
    const program = await findProgram("databricks", named, programs);
    if (program === undefined) return { lacking: "the Databricks CLI is not on PATH" };
    const of = { profile: resolved.profile, host: resolved.host, configFile: resolved.file.path };
    const from = `${program} auth token --${of.profile === undefined ? `host ${of.host}` : `profile ${of.profile}`}`;
    return { source: databricksCli(program, of, programs, world.now), from };
  },
};

function federation(name: string, idTokens: (at: At) => { ids: IdTokens; from: string } | { lacking: string }): Method {
  return {
    name,
    outright: false,
    offer(at) {
      const found = idTokens(at);
      if ("lacking" in found) return found;
      const { get, world } = at;
      const settings = { clientId: get("client_id"), audience: get("audience"), scopes: get("scopes") ?? "all-apis" };
      return { source: federated(name, found.ids, settings, world), from: found.from };
    },
  };
}

const githubOidc = federation("github-oidc", ({ variables, world }) => {
  const { ACTIONS_ID_TOKEN_REQUEST_URL: url = "", ACTIONS_ID_TOKEN_REQUEST_TOKEN: token = "" } = variables;
  if (url === "" || token === "") return { lacking: "not in a GitHub job with permissions: id-token: write" };
  return { ids: githubIds(url, token, world), from: "ACTIONS_ID_TOKEN_REQUEST_URL" };
});

const envOidc = federation("env-oidc", ({ get, variables }) => {
  const name = get("oidc_token_env") ?? "DATABRICKS_OIDC_TOKEN";
  const value = variables[name] ?? "";
  return value === "" ? { lacking: `no ID token in ${name}` } : { ids: variableIds(name, value), from: name };
});

const fileOidc = federation("file-oidc", ({ get, whence }) => {
  const path = get("databricks_id_token_filepath");
  if (path === undefined) return { lacking: "no databricks_id_token_filepath" };
  return { ids: fileIds(path), from: `${path}, from ${whence("databricks_id_token_filepath")}` };
});

const azureSecret: Method = {
  name: "azure-client-secret",
  outright: true,
  offer({ get, whence, world }) {
    const cloud = azureCloud(world.host);
    if (cloud === undefined) return { lacking: "the host is not one of Azure's" };
    const clientId = get("azure_client_id");
    const clientSecret = get("azure_client_secret");
    const tenant = get("azure_tenant_id");
    if (clientId === undefined || clientSecret === undefined || tenant === undefined)
      return { lacking: "no azure_client_id with azure_client_secret and azure_tenant_id" };
    const from = whence("azure_client_secret");
    const principal = { clientId, clientSecret, tenant, resourceId: get("azure_workspace_resource_id") };
    const whose = `Azure client ${clientId}, whose secret is from ${from}`;
    return { source: azureClientSecret(cloud, principal, whose, world), from };
  },
};

const azureLogin: Method = {
  name: "azure-cli",
  outright: false,
  async offer({ get, programs, world }) {
    if (azureCloud(world.host) === undefined) return { lacking: "the host is not one of Azure's" };
    const program = await findProgram("az", undefined, programs);
    if (program === undefined) return { lacking: "the Azure CLI is not on PATH" };
    const source = azureCli(program, get("azure_tenant_id"), programs, world);
    return { source, from: `${program} account get-access-token` };
  },
};

/** In the order of Databricks' Go SDK and CLI: the first that is at hand is used. */
export const METHODS: readonly Method[] = [pat, oauthM2m, cli, githubOidc, envOidc, fileOidc, azureSecret, azureLogin];

/** What Databricks' own tools know too, and factory does not. */
export const OTHERS: readonly string[] = [
  "basic",
  "metadata-service",
  "azure-devops-oidc",
  "github-oidc-azure",
  "azure-msi",
  "google-credentials",
  "google-id",
  "external-browser",
  "runtime",
];
