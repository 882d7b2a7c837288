/**
 * Names of variables that any started program may see. Everything else stays with factory: a list of what is harmless can be
 * checked by reading it, a list of what is secret cannot.
 */
const HARMLESS = new Set(
  `PATH HOME USER LOGNAME SHELL LANG LANGUAGE TZ TMPDIR TMP TEMP TERM COLUMNS NO_COLOR FORCE_COLOR CI SOURCE_DATE_EPOCH
  XDG_CACHE_HOME XDG_CONFIG_HOME XDG_DATA_HOME XDG_RUNTIME_DIR SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE
  HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy all_proxy no_proxy
  LD_LIBRARY_PATH JAVA_HOME SPARK_HOME CUDA_VISIBLE_DEVICES OMP_NUM_THREADS OPENBLAS_NUM_THREADS MKL_NUM_THREADS LOKY_MAX_CPU_COUNT
  PYTHONHASHSEED PYTHONUTF8 PYENV_ROOT PYENV_VERSION ASDF_DIR ASDF_DATA_DIR MISE_DATA_DIR
  UV_DEFAULT_INDEX UV_INDEX_URL UV_INDEX UV_EXTRA_INDEX_URL UV_FIND_LINKS UV_CACHE_DIR UV_LINK_MODE UV_OFFLINE UV_NATIVE_TLS UV_SYSTEM_CERTS
  UV_HTTP_TIMEOUT UV_INSECURE_HOST UV_CONFIG_FILE UV_CONCURRENT_DOWNLOADS UV_CONCURRENT_BUILDS UV_CONCURRENT_INSTALLS UV_PYTHON UV_NO_CACHE UV_NO_PROGRESS
  PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_FIND_LINKS PIP_NO_INDEX PIP_TRUSTED_HOST PIP_CERT PIP_CACHE_DIR PIP_CONFIG_FILE PIP_DEFAULT_TIMEOUT PIP_DISABLE_PIP_VERSION_CHECK
  MLFLOW_TRACKING_INSECURE_TLS MLFLOW_TRACKING_SERVER_CERT_PATH MLFLOW_HTTP_REQUEST_TIMEOUT MLFLOW_HTTP_REQUEST_MAX_RETRIES`.split(
    /\s+/,
  ),
);

/** What git needs to reach a server as the user does: https://git-scm.com/docs/git#_environment_variables */
const GIT =
  /^(?:SSH_AUTH_SOCK|SSH_AGENT_PID|SSH_ASKPASS|SSH_ASKPASS_REQUIRE|GIT_(?:SSH|SSH_COMMAND|SSH_VARIANT|ASKPASS|EXEC_PATH|CONFIG_(?:GLOBAL|SYSTEM|NOSYSTEM|COUNT|KEY_\d+|VALUE_\d+)|(?:PROXY_)?SSL_(?:CAINFO|CAPATH|CERT|KEY|CERT_PASSWORD_PROTECTED)|HTTP_PROXY_AUTHMETHOD)|GNUPGHOME|PASSWORD_STORE_DIR|DBUS_SESSION_BUS_ADDRESS)$/;

/** What uv and pip need beyond that to reach a package index. */
const INSTALLER =
  /^(?:PIP_(?:PROXY|CLIENT_CERT|RETRIES|TIMEOUT|KEYRING_PROVIDER|NO_CACHE_DIR)|UV_(?:KEYRING_PROVIDER|INDEX_STRATEGY|HTTP_RETRIES|HTTP_CONNECT_TIMEOUT|INDEX_\w+_(?:USERNAME|PASSWORD))|SSL_CLIENT_CERT|NETRC)$/;

/** What `databricks` and `az` need to find the session that the user opened with them. */
const LOGIN =
  /^(?:DATABRICKS_(?:AUTH_STORAGE|CACHE_DIR)|AZURE_(?:CONFIG_DIR|EXTENSION_DIR|CORE_[A-Z_]+)|DBUS_SESSION_BUS_ADDRESS)$/;

const MORE = { git: GIT, installer: INSTALLER, login: LOGIN } as const;

type Variables = Readonly<Record<string, string>>;

/** The variables that any program may see; none whose value carries credentials in an address. */
export function harmlessVariables(variables: Variables): Record<string, string> {
  return pick(variables, (name, value) => isHarmless(name) && !carriesCredentials(value));
}

/** The same, but addresses of proxies and indexes keep their passwords. */
export function reachingVariables(variables: Variables): Record<string, string> {
  return pick(variables, isHarmless);
}

/** `reachingVariables`, with what this kind of program needs of its own. */
export function variablesFor(program: keyof typeof MORE, variables: Variables): Record<string, string> {
  return pick(variables, (name) => isHarmless(name) || MORE[program].test(name));
}

function pick(variables: Variables, may: (name: string, value: string) => boolean): Record<string, string> {
  return Object.fromEntries(Object.entries(variables).filter(([name, value]) => may(name, value)));
}

function isHarmless(name: string): boolean {
  return HARMLESS.has(name) || /^LC_[A-Z]+$/.test(name);
}

function carriesCredentials(value: string): boolean {
  // With or without a scheme: proxies are often written as user:password@host:port.
  return /:\/\/[^/\s]*@|(?:^|[\s,=])[^/\s,=:@]+:[^/\s,@]*@/.test(value);
}
