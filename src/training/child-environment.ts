import { harmlessVariables, reachingVariables } from "../lib/child-variables.ts";
import type { Report } from "../lib/progress.ts";

type Variables = Readonly<Record<string, string>>;

/**
 * The environment of a process that runs a project's code or its Python: harmless variables only, none whose value carries
 * credentials in an address, and `extra` (what factory itself has to say to it) on top.
 */
export function childEnvironment(variables: Variables, extra: Variables = {}): Record<string, string> {
  return withSettings(harmlessVariables(variables), extra);
}

/**
 * The environment of the installer alone: as `childEnvironment`, but an index or proxy address may carry its password,
 * since a private package index is of no use without it.
 */
export function installerEnvironment(variables: Variables, extra: Variables = {}): Record<string, string> {
  return withSettings(reachingVariables(variables), extra);
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

function withSettings(child: Variables, extra: Variables): Record<string, string> {
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

/**
 * Says when a command that runs project code was started with a key of factory's own. The children do not inherit it, but
 * the system lets other processes of the same user read what a process was started with (/proc on Linux).
 */
export function warnOfKeys(keysGiven: readonly string[], report: Report): void {
  if (keysGiven.length === 0) return;
  const text = `${keysGiven.join(", ")}: not needed here and not passed on, but project code of the same user could read it from this process; run train and check in a job that has no key`;
  report({ type: "note", tone: "warning", text });
}
