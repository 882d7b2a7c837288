import type { Report } from "../lib/progress.ts";

/**
 * Names of variables that a project's processes may see. Everything else stays with factory: a list of what is harmless can
 * be checked by reading it, a list of what is secret cannot.
 */
const HARMLESS = new Set(
  `PATH HOME USER LOGNAME SHELL LANG LANGUAGE TZ TMPDIR TMP TEMP TERM COLUMNS NO_COLOR FORCE_COLOR CI SOURCE_DATE_EPOCH
  XDG_CACHE_HOME XDG_CONFIG_HOME XDG_DATA_HOME XDG_RUNTIME_DIR SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE
  HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy all_proxy no_proxy
  LD_LIBRARY_PATH JAVA_HOME SPARK_HOME CUDA_VISIBLE_DEVICES OMP_NUM_THREADS OPENBLAS_NUM_THREADS MKL_NUM_THREADS LOKY_MAX_CPU_COUNT
  PYTHONHASHSEED PYTHONUTF8 PYENV_ROOT PYENV_VERSION
  UV_DEFAULT_INDEX UV_INDEX_URL UV_INDEX UV_EXTRA_INDEX_URL UV_FIND_LINKS UV_CACHE_DIR UV_LINK_MODE UV_OFFLINE UV_NATIVE_TLS UV_SYSTEM_CERTS
  UV_HTTP_TIMEOUT UV_INSECURE_HOST UV_CONFIG_FILE UV_CONCURRENT_DOWNLOADS UV_CONCURRENT_BUILDS UV_CONCURRENT_INSTALLS UV_PYTHON UV_NO_CACHE UV_NO_PROGRESS
  PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_FIND_LINKS PIP_NO_INDEX PIP_TRUSTED_HOST PIP_CERT PIP_CACHE_DIR PIP_CONFIG_FILE PIP_DEFAULT_TIMEOUT PIP_DISABLE_PIP_VERSION_CHECK
  MLFLOW_TRACKING_INSECURE_TLS MLFLOW_TRACKING_SERVER_CERT_PATH MLFLOW_HTTP_REQUEST_TIMEOUT MLFLOW_HTTP_REQUEST_MAX_RETRIES`.split(
    /\s+/,
  ),
);

type Variables = Readonly<Record<string, string>>;

/**
 * The environment of a process that runs a project's code or its Python: harmless variables only, none whose value carries
 * credentials in an address, and `extra` (what factory itself has to say to it) on top.
 */
export function childEnvironment(variables: Variables, extra: Variables = {}): Record<string, string> {
  return build(variables, extra, (value) => !carriesCredentials(value));
}

/**
 * The environment of the installer alone: as `childEnvironment`, but an index or proxy address may carry its password,
 * since a private package index is of no use without it.
 */
export function installerEnvironment(variables: Variables, extra: Variables = {}): Record<string, string> {
  return build(variables, extra, () => true);
}

const TRACKING_CREDENTIALS: readonly string[] = [
  "MLFLOW_TRACKING_USERNAME",
  "MLFLOW_TRACKING_PASSWORD",
  "MLFLOW_TRACKING_TOKEN",
];

/**
 * MLflow's own credential variables, if they are for the server at `uri`. Only the server that MLFLOW_TRACKING_URI names gets
 * them: the address in a policy that a project names must not be able to call a token to itself.
 */
export function trackingCredentials(variables: Variables, uri: string): Record<string, string> {
  const named = variables.MLFLOW_TRACKING_URI;
  if (named === undefined || !URL.canParse(named) || new URL(named).origin !== new URL(uri).origin) return {};
  return Object.fromEntries(Object.entries(variables).filter(([name]) => TRACKING_CREDENTIALS.includes(name)));
}

function build(variables: Variables, extra: Variables, mayPass: (value: string) => boolean): Record<string, string> {
  const child: Record<string, string> = {};
  for (const [name, value] of Object.entries(variables)) {
    if ((HARMLESS.has(name) || /^LC_[A-Z]+$/.test(name)) && mayPass(value)) child[name] = value;
  }
  return {
    ...child,
    UV_FROZEN: "1",
    UV_PYTHON_DOWNLOADS: "never",
    MLFLOW_DISABLE_TELEMETRY: "true",
    DO_NOT_TRACK: "true",
    PYTHONUNBUFFERED: "1",
    ...extra,
  };
}

function carriesCredentials(value: string): boolean {
  // With or without a scheme: proxies are often written as user:password@host:port.
  return /:\/\/[^/\s]*@|(?:^|[\s,=])[^/\s,=:@]+:[^/\s,@]*@/.test(value);
}

/**
 * Says when a command that runs project code was started with a key of factory's own. The children do not inherit it, but
 * the system lets other processes of the same user read what a process was started with (/proc on Linux).
 */
export function warnOfKeys(keysGiven: readonly string[], report: Report): void {
  if (keysGiven.length === 0) return;
  const text = `${keysGiven.join(", ")}: not needed here and not passed on, but project code of the same user could read it from this process; run train and check in a job that has no key`;
  report({ type: "note", tone: "warning", text });
}
