/** One setting of a workspace: its key in a profile, the variable that carries it, and the family of credentials that it belongs to. */
interface Attribute {
  env?: string;
  /** Another name of the key in a profile. */
  alias?: string;
  family?: string;
  /** Never to be shown. */
  secret?: true;
}

/** As Databricks' own tools name them: docs/authentication.md. */
const TABLE = {
  host: { env: "DATABRICKS_HOST" },
  account_id: { env: "DATABRICKS_ACCOUNT_ID" },
  workspace_id: { env: "DATABRICKS_WORKSPACE_ID" },
  auth_type: { env: "DATABRICKS_AUTH_TYPE" },
  token: { env: "DATABRICKS_TOKEN", family: "pat", secret: true },
  username: { env: "DATABRICKS_USERNAME", family: "basic" },
  password: { env: "DATABRICKS_PASSWORD", family: "basic", secret: true },
  client_id: { env: "DATABRICKS_CLIENT_ID", family: "oauth" },
  client_secret: { env: "DATABRICKS_CLIENT_SECRET", family: "oauth", secret: true },
  scopes: {},
  audience: { env: "DATABRICKS_TOKEN_AUDIENCE" },
  oidc_token_env: { env: "DATABRICKS_OIDC_TOKEN_ENV", family: "env-oidc" },
  /** The name in Go; Python has the other. */
  databricks_id_token_filepath: {
    env: "DATABRICKS_OIDC_TOKEN_FILEPATH",
    alias: "oidc_token_filepath",
    family: "file-oidc",
  },
  databricks_cli_path: { env: "DATABRICKS_CLI_PATH" },
  azure_workspace_resource_id: { env: "DATABRICKS_AZURE_RESOURCE_ID", family: "azure" },
  azure_client_id: { env: "ARM_CLIENT_ID", family: "azure" },
  azure_client_secret: { env: "ARM_CLIENT_SECRET", family: "azure", secret: true },
  azure_tenant_id: { env: "ARM_TENANT_ID", family: "azure" },
  azure_use_msi: { env: "ARM_USE_MSI", family: "azure" },
  google_service_account: { env: "DATABRICKS_GOOGLE_SERVICE_ACCOUNT", family: "google" },
  google_credentials: { env: "GOOGLE_CREDENTIALS", family: "google", secret: true },
  metadata_service_url: { env: "DATABRICKS_METADATA_SERVICE_URL", family: "metadata-service", secret: true },
} as const satisfies Record<string, Attribute>;

export type AttributeName = keyof typeof TABLE;

export const ATTRIBUTES: readonly (Attribute & { name: AttributeName })[] = Object.entries(TABLE).flatMap(
  ([name, attribute]) => (isAttribute(name) ? [{ name, ...attribute }] : []),
);

function isAttribute(name: string): name is AttributeName {
  return Object.hasOwn(TABLE, name);
}
