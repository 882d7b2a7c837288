import * as z from "zod";
import { harmlessVariables, variablesFor } from "../lib/child-variables.ts";
import { outsideError } from "../lib/error.ts";
import { redact, stripControls } from "../lib/redact.ts";
import { runProcess } from "../lib/run-process.ts";
import { PYTHON_VERSIONS } from "./mlflow-pins.ts";

const PROBE = `import json, sys
print(json.dumps({"version": "%d.%d.%d" % sys.version_info[:3], "minor": "%d.%d" % sys.version_info[:2],
 "path": getattr(sys, "_base_executable", None) or sys.executable, "name": sys.implementation.name}))`;
const PROBE_TIMEOUT_MS = 20_000;

const probed = z.object({ version: z.string(), minor: z.string(), path: z.string().min(1), name: z.string() });

export interface FoundPython {
  /** The interpreter itself: never a shim, never inside a virtual environment. */
  path: string;
  /** `3.11.7` */
  version: string;
  /** `3.11` */
  minor: string;
}

export interface PythonSearch {
  /** The first that factory can use. */
  found: FoundPython | undefined;
  /** What else answered, for the message: `python3 is 3.8.18`. */
  others: readonly string[];
}

type Variables = Readonly<Record<string, string>>;

/**
 * Looks on PATH for a Python of the supported versions. Each candidate is run, since a shim may stand there for a
 * version that is not installed.
 */
export async function findPython(variables: Variables, signal?: AbortSignal): Promise<PythonSearch> {
  const others: string[] = [];
  for (const program of [...PYTHON_VERSIONS.map((version) => `python${version}`), "python3", "python"]) {
    const python = await probe(program, variables, signal);
    if (python === undefined) continue;
    if (PYTHON_VERSIONS.some((version) => version === python.minor) && python.name === "cpython")
      return { found: python, others };
    others.push(`${program} is ${python.name === "cpython" ? "" : `${python.name} `}${python.version}`);
  }
  return { found: undefined, others };
}

/** The same, but throws (exit 4) when there is none, with what was found instead. */
export async function requirePython(variables: Variables, signal?: AbortSignal): Promise<FoundPython> {
  const { found, others } = await findPython(variables, signal);
  if (found !== undefined) return found;
  throw outsideError(
    "python.missing",
    `no Python ${PYTHON_VERSIONS.join(", ")} on PATH${others.length === 0 ? "" : ` (${others.join("; ")})`}`,
    "install Python 3.11, 3.12 or 3.13 (python.org, your package manager or `uv python install 3.11`) and put it on PATH",
  );
}

async function probe(
  program: string,
  variables: Variables,
  signal: AbortSignal | undefined,
): Promise<z.infer<typeof probed> | undefined> {
  try {
    const result = await runProcess({
      argv: [program, "-I", "-c", PROBE],
      cwd: "/",
      env: { ...harmlessVariables(variables), PYTHONWARNINGS: "ignore" },
      timeoutMs: PROBE_TIMEOUT_MS,
      ...(signal && { signal }),
    });
    if (result.status !== 0) return undefined;
    const parsed: unknown = JSON.parse(result.stdout);
    return probed.safeParse(parsed).data;
  } catch {
    signal?.throwIfAborted();
    return undefined;
  }
}

/** Variables that change which interpreter is used or what it loads. */
const INTERPRETER_VARIABLES = /^(?:PYTHON\w*|UV_PYTHON)$/;

/**
 * The environment for uv and pip: what they need to reach a package index, without what would redirect the interpreter, with
 * `indexSettings`. No credential of anything else. uv may not download an interpreter.
 */
export async function installerVariables(
  variables: Variables,
  python: string,
  signal?: AbortSignal,
): Promise<Record<string, string>> {
  const kept = keptFor(variables);
  return {
    ...kept,
    ...(await indexSettings(kept, python, signal)),
    UV_PYTHON_DOWNLOADS: "never",
    UV_NO_PROGRESS: "1",
    PIP_DISABLE_PIP_VERSION_CHECK: "1",
    PIP_NO_INPUT: "1",
    PIP_RETRIES: kept.PIP_RETRIES ?? "2",
  };
}

/**
 * What uv has to be told of pip's settings, in variables and in configuration files, since it reads neither: where the
 * package index is and whom to trust there. Only what the user has not told uv already.
 */
export async function indexSettings(
  variables: Variables,
  python: string,
  signal?: AbortSignal,
): Promise<Record<string, string>> {
  const kept = keptFor(variables);
  const pip = { ...(await pipConfig(python, kept, signal)), ...pipVariables(kept) };
  const handed: Record<string, string | undefined> = {
    UV_DEFAULT_INDEX: kept.UV_INDEX_URL === undefined ? pip["index-url"] : undefined,
    UV_INDEX: kept.UV_EXTRA_INDEX_URL === undefined ? pip["extra-index-url"] : undefined,
    // pip separates by blanks, uv by commas.
    UV_FIND_LINKS: pip["find-links"]?.trim().split(/\s+/).join(","),
    SSL_CERT_FILE: pip.cert,
    UV_INSECURE_HOST: pip["trusted-host"],
  };
  return Object.fromEntries(
    Object.entries(handed).flatMap(([name, value]): [string, string][] =>
      value === undefined || value === "" || kept[name] !== undefined ? [] : [[name, value]],
    ),
  );
}

function keptFor(variables: Variables): Record<string, string> {
  const kept = Object.entries(variablesFor("installer", variables));
  return Object.fromEntries(kept.filter(([name]) => !INTERPRETER_VARIABLES.test(name)));
}

function pipVariables(variables: Variables): Record<string, string> {
  return Object.fromEntries(
    Object.entries(variables)
      .filter(([name]) => name.startsWith("PIP_"))
      .map(([name, value]) => [name.slice(4).toLowerCase().replaceAll("_", "-"), value]),
  );
}

/** What pip's configuration files say; nothing when this Python has no pip. */
async function pipConfig(
  python: string,
  variables: Variables,
  signal: AbortSignal | undefined,
): Promise<Record<string, string>> {
  const result = await runProcess({
    argv: [python, "-m", "pip", "config", "list"],
    cwd: "/",
    env: variables,
    timeoutMs: PROBE_TIMEOUT_MS,
    ...(signal && { signal }),
  });
  if (result.status !== 0) return {};
  const settings = result.stdout.split("\n").flatMap((line): [string, string][] => {
    const [, key, value] = /^(?:global|install|:env:)\.([a-z-]+)='(.*)'$/.exec(line.trim()) ?? [];
    return key === undefined || value === undefined ? [] : [[key, value.replaceAll("\\n", " ").trim()]];
  });
  return Object.fromEntries(settings);
}

const FULL = /No space left|os error 28|Errno 28|ENOSPC|Disk quota exceeded/i;
const OFFLINE =
  /dns error|failed to lookup|Could not resolve|name resolution|Name or service not known|nodename nor servname|Connection refused|Connection reset|Failed to fetch|error sending request|client error|NewConnectionError|ConnectTimeout|Network is unreachable|timed out|operation timed out|network was disabled|No matching distribution found|not found in the package registry/i;

/** The error of a failed install, by what the installer wrote: disk, network, or its own last words. Always exit 4. */
export function installError(what: string, output: string, logFile: string): Error {
  const text = redact(stripControls(output));
  const last = text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("Ignoring "))
    .slice(-4)
    .join("; ");
  if (FULL.test(text))
    return outsideError(
      "disk.full",
      `${what} could not be installed: the disk is full`,
      `free some space (about 1.5 GB is needed), then run it again; log: ${logFile}`,
    );
  if (OFFLINE.test(text)) {
    return outsideError(
      "python.index",
      `${what} could not be installed: the Python package index was not reached, or lacks a package (${last.slice(0, 500)})`,
      `check the network, a proxy (HTTPS_PROXY) and the index (PIP_INDEX_URL or UV_DEFAULT_INDEX), then run it again; log: ${logFile}`,
    );
  }
  return outsideError(
    "python.install",
    `${what} could not be installed: ${last.slice(0, 700)}`,
    `the whole log: ${logFile}`,
  );
}
