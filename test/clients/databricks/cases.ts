/** One way to configure access, and who is then asked for what. `A` and `B` in texts stand for the addresses of two workspaces. */
export interface Case {
  name: string;
  /** `.databrickscfg`. */
  file?: string;
  variables?: Record<string, string>;
  /** The policy's. */
  profile: string;
  pin?: "A" | "B";
  /** Whether `databricks auth login` was done. */
  loggedIn?: true;
  ours: Answer;
  /** What the Python SDK says to the same file and variables; absent: the same. `profile: ""` asks it without one. */
  python?: { profile?: string; answer?: Answer; why: string };
}

export type Answer = { authType: string; host: "A" | "B" } | { error: string };

const pat = (host: "A" | "B" = "A"): Answer => ({ authType: "pat", host });
const TOKEN = "token = planted-token-of-a-profile";
const CLIENT = "client_id = CLIENT\nclient_secret = SECRET";
const UNNAMED = "policy names a profile that is missing; the SDK is asked without one";

export const CASES: readonly Case[] = [
  { name: "a profile with a token", file: `[p]\nhost = A\n${TOKEN}`, profile: "p", ours: pat() },
  {
    name: "a path and a query after the host",
    file: `[p]\nhost = A/?o=123\n${TOKEN}`,
    profile: "p",
    ours: pat(),
    python: { answer: { error: "A?o=123" }, why: "for Python the query stays part of the host" },
  },
  {
    name: "a profile with a client's secret",
    file: `[p]\nhost = A\n${CLIENT}`,
    profile: "p",
    ours: { authType: "oauth-m2m", host: "A" },
  },
  {
    name: "keys in capitals, colons, comments of a line",
    file: `# mine\n; all of it\n[p]\nHOST: A\nToken = planted-token-of-a-profile`,
    profile: "p",
    ours: pat(),
  },
  {
    name: "a comment after a value",
    file: `[p]\nhost = A # main\n${TOKEN} # until May`,
    profile: "p",
    ours: pat(),
    python: { answer: { error: "# main" }, why: "for Python the comment is part of the value" },
  },
  {
    name: "a token and a client's secret",
    file: `[p]\nhost = A\n${TOKEN}\n${CLIENT}`,
    profile: "p",
    ours: { error: "more than one authorization method configured: oauth and pat" },
  },
  {
    name: "the same, auth_type pins the token",
    file: `[p]\nhost = A\nauth_type = pat\n${TOKEN}\n${CLIENT}`,
    profile: "p",
    ours: pat(),
  },
  {
    name: "the same, auth_type pins the secret",
    file: `[p]\nhost = A\nauth_type = oauth-m2m\n${TOKEN}\n${CLIENT}`,
    profile: "p",
    ours: { authType: "oauth-m2m", host: "A" },
  },
  {
    name: "auth_type pins what is not there",
    file: `[p]\nhost = A\nauth_type = pat`,
    profile: "p",
    ours: { error: "auth type pat, from profile p of" },
    python: { answer: { error: "pat" }, why: "its own words" },
  },
  {
    name: "an auth_type that nobody knows",
    file: `[p]\nhost = A\nauth_type = magic\n${TOKEN}`,
    profile: "p",
    ours: { error: 'auth type "magic"' },
    python: { answer: { error: "magic" }, why: "its own words" },
  },
  {
    name: "a login of the CLI",
    file: "[p]\nhost = A\nauth_type = databricks-cli",
    profile: "p",
    loggedIn: true,
    ours: { authType: "databricks-cli", host: "A" },
  },
  {
    name: "a login of the CLI that nothing names",
    file: "[p]\nhost = A",
    profile: "p",
    loggedIn: true,
    ours: { authType: "databricks-cli", host: "A" },
  },
  {
    name: "only a host, and nobody logged in",
    file: "[p]\nhost = A",
    profile: "p",
    ours: { error: "no credential for A" },
    python: { answer: { error: "nobody is logged in" }, why: "its own words" },
  },
  {
    name: "a token beats a login",
    file: `[p]\nhost = A\n${TOKEN}`,
    profile: "p",
    loggedIn: true,
    ours: pat(),
  },
  {
    name: "GitHub's ID token",
    file: "[p]\nhost = A\nclient_id = CLIENT",
    variables: { ACTIONS_ID_TOKEN_REQUEST_URL: "GITHUB", ACTIONS_ID_TOKEN_REQUEST_TOKEN: "REQUEST" },
    profile: "p",
    ours: { authType: "github-oidc", host: "A" },
  },
  {
    name: "an ID token in a variable",
    file: "[p]\nhost = A\nclient_id = CLIENT",
    variables: { DATABRICKS_OIDC_TOKEN: "IDTOKEN" },
    profile: "p",
    ours: { authType: "env-oidc", host: "A" },
  },
  {
    name: "a login of the CLI and an ID token: the order of Go",
    file: "[p]\nhost = A\nclient_id = CLIENT",
    variables: { DATABRICKS_OIDC_TOKEN: "IDTOKEN" },
    profile: "p",
    loggedIn: true,
    ours: { authType: "databricks-cli", host: "A" },
    python: {
      answer: { authType: "env-oidc", host: "A" },
      why: "Python asks the CLI last, Go and the CLI itself ask it third",
    },
  },
  {
    name: "an ID token in a file",
    file: "[p]\nhost = A\nclient_id = CLIENT\nauth_type = file-oidc\ndatabricks_id_token_filepath = IDFILE",
    profile: "p",
    ours: { authType: "file-oidc", host: "A" },
    python: {
      answer: { error: "cannot configure default credentials" },
      why: "the key has another name in Python than in Go",
    },
  },
  {
    name: "an ID token in a file, by Python's key",
    file: "[p]\nhost = A\nclient_id = CLIENT\nauth_type = file-oidc\noidc_token_filepath = IDFILE",
    profile: "p",
    ours: { authType: "file-oidc", host: "A" },
  },
  {
    name: "an ID token in a file, named by a variable",
    file: "[p]\nhost = A\nclient_id = CLIENT\nauth_type = file-oidc",
    variables: { DATABRICKS_HOST: "A", DATABRICKS_OIDC_TOKEN_FILEPATH: "IDFILE" },
    profile: "p",
    ours: { authType: "file-oidc", host: "A" },
  },
  {
    name: "no such profile: the variables",
    variables: { DATABRICKS_HOST: "A", DATABRICKS_TOKEN: "planted-token-of-a-variable" },
    profile: "ci",
    ours: pat(),
    python: { profile: "", why: UNNAMED },
  },
  {
    name: "no such profile: a client's secret in variables",
    variables: { DATABRICKS_HOST: "A", DATABRICKS_CLIENT_ID: "CLIENT", DATABRICKS_CLIENT_SECRET: "SECRET" },
    profile: "ci",
    ours: { authType: "oauth-m2m", host: "A" },
    python: { profile: "", why: UNNAMED },
  },
  {
    name: "no such profile: with DATABRICKS_HOST no default profile is read",
    file: `[DEFAULT]\nhost = B\n${TOKEN}`,
    variables: { DATABRICKS_HOST: "A" },
    profile: "ci",
    ours: { error: "no credential for A" },
    python: { profile: "", answer: { error: "nobody is logged in" }, why: UNNAMED },
  },
  {
    name: "no such profile: the one that DATABRICKS_CONFIG_PROFILE names",
    file: `[other]\nhost = B\n${TOKEN}`,
    variables: { DATABRICKS_CONFIG_PROFILE: "other" },
    profile: "ci",
    ours: pat("B"),
    python: { profile: "", why: UNNAMED },
  },
  {
    name: "no such profile: default_profile, pinned",
    file: `[__settings__]\ndefault_profile = main\n[main]\nhost = A\n${TOKEN}\n[DEFAULT]\nhost = B\n${TOKEN}`,
    profile: "ci",
    pin: "A",
    ours: pat(),
    python: { profile: "", why: UNNAMED },
  },
  {
    name: "no such profile: DEFAULT, pinned",
    file: `[DEFAULT]\nhost = A\n${TOKEN}`,
    profile: "ci",
    pin: "A",
    ours: pat(),
    python: { profile: "", why: UNNAMED },
  },
  {
    name: "no such profile: DEFAULT, not pinned",
    file: `[DEFAULT]\nhost = A\n${TOKEN}`,
    profile: "ci",
    ours: { error: "has no profile ci; profile DEFAULT of" },
    python: { profile: "", answer: pat(), why: "another workspace must not stand in for the one that policy names" },
  },
  {
    name: "neither profile nor variables",
    file: `[other]\nhost = A\n${TOKEN}`,
    profile: "ci",
    ours: { error: "has no profile ci" },
    python: { answer: { error: "has no ci profile configured" }, why: "its own words" },
  },
  {
    name: "the section of settings is no profile",
    file: `[__settings__]\nhost = A\n${TOKEN}`,
    profile: "__settings__",
    ours: { error: "has no profile __settings__" },
    python: { answer: { error: "__settings__" }, why: "its own words" },
  },
  {
    name: "a variable of the same host beats the profile",
    file: `[p]\nhost = A\n${TOKEN}`,
    variables: { DATABRICKS_HOST: "A", DATABRICKS_TOKEN: "planted-token-of-a-variable" },
    profile: "p",
    ours: pat(),
  },
  {
    name: "a secret in a variable completes a profile of the same host",
    file: "[p]\nhost = A\nclient_id = CLIENT",
    variables: { DATABRICKS_HOST: "A", DATABRICKS_CLIENT_SECRET: "SECRET" },
    profile: "p",
    ours: { authType: "oauth-m2m", host: "A" },
  },
  {
    name: "two families of the same host",
    file: `[p]\nhost = A\n${TOKEN}`,
    variables: { DATABRICKS_HOST: "A", DATABRICKS_CLIENT_ID: "CLIENT", DATABRICKS_CLIENT_SECRET: "SECRET" },
    profile: "p",
    ours: { error: "more than one authorization method configured: oauth and pat" },
  },
  {
    name: "variables of another host",
    file: `[p]\nhost = A\n${TOKEN}`,
    variables: { DATABRICKS_HOST: "B", DATABRICKS_TOKEN: "planted-token-of-a-variable" },
    profile: "p",
    ours: pat(),
    python: { answer: pat("B"), why: "there the profile is not used at all, though it was named" },
  },
  {
    name: "the trap: DATABRICKS_HOST and a profile of another host",
    file: `[p]\nhost = A\n${TOKEN}`,
    variables: { DATABRICKS_HOST: "B" },
    profile: "p",
    ours: pat(),
    python: { answer: pat("B"), why: "there the profile's token goes to a host that it is not for" },
  },
  {
    name: "a credential in variables without its host",
    file: `[p]\nhost = A\n${CLIENT}`,
    variables: { DATABRICKS_TOKEN: "planted-token-of-a-variable" },
    profile: "p",
    ours: { authType: "oauth-m2m", host: "A" },
    python: {
      answer: { error: "more than one authorization method configured: oauth and pat" },
      why: "a credential of a variable is used only for the host that DATABRICKS_HOST names",
    },
  },
  {
    name: "user and password",
    file: "[p]\nhost = A\nusername = me\npassword = planted-password-of-a-profile",
    profile: "p",
    ours: { error: "no credential for A" },
    python: { answer: { authType: "basic", host: "A" }, why: "retired by Databricks, and not supported by factory" },
  },
];
