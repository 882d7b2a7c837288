import { join } from "node:path";
import * as z from "zod";
import { type FactoryError, outsideError } from "../../lib/error.ts";
import type { Report } from "../../lib/progress.ts";
import { redact, stripControls } from "../../lib/redact.ts";
import { runProcess } from "../../lib/run-process.ts";
import { makeWorkFolder } from "../../lib/work-folder.ts";
import type { Workspace } from "../databricks/workspace.ts";
import { ensurePythonEnvironment } from "../python-env.ts";
import { ensureCloudPackages } from "./cloud-packages.ts";
import { PROGRAM } from "./program.ts";

export interface PythonWorld {
  workspace: Workspace;
  /** The platform's folder for factory's data, where the managed Python environment is. */
  data: string;
  /** For temporary files. */
  cache: string;
  variables: Readonly<Record<string, string>>;
  signal: AbortSignal;
}

/** What the program is asked to do; names are those that it reads. */
export type PythonRequest =
  | {
      what: "create";
      model: string;
      folder: string;
      source: string;
      tags: Readonly<Record<string, string>>;
      run?: string;
      loggedModel?: string;
    }
  | { what: "fetch"; model: string; version: string; folder: string; path?: string };

const event = z.discriminatedUnion("event", [
  z.object({ event: z.literal("progress"), bytes: z.number() }),
  z.object({ event: z.literal("creating") }),
  z.object({ event: z.literal("created"), version: z.string().regex(/^[1-9]\d{0,8}$/) }),
  z.object({ event: z.literal("done"), version: z.string().regex(/^[1-9]\d{0,8}$/) }),
  z.object({ event: z.literal("failed"), code: z.string(), status: z.number().nullable(), message: z.string() }),
]);
export type PythonEvent = z.infer<typeof event>;

/** Variables of the user that tell how to reach the network and how to speak; nothing that names a workspace or a credential. */
const KEPT = /^(?:PATH|LANG|LC_\w+|LD_LIBRARY_PATH|(?:https?|no|all)_proxy|SSL_CERT_(?:FILE|DIR)|REQUESTS_CA_BUNDLE)$/i;

/** The error of a program that got so far that it is unknown what its calls did. */
export const PYTHON_UNKNOWN = "python.unknown";

/**
 * Runs MLflow's own client for one job, in factory's managed environment and with a home of its own: no profile, no project, no setting of
 * the user. `files`: whether the workspace hands bytes out through its Files API; where it does not, the packages of the clouds are needed.
 */
export async function runPython(
  world: PythonWorld,
  request: PythonRequest,
  { files, report, on = () => {} }: { files: boolean; report: Report; on?: (event: PythonEvent) => void },
): Promise<void> {
  const { workspace, variables, signal } = world;
  const installing = { data: world.data, variables, report, signal };
  const python = await ensurePythonEnvironment(installing);
  const packages = files ? [] : [await ensureCloudPackages(python, installing)];
  const token = await workspace.token();
  const home = makeWorkFolder(join(world.cache, "unity-catalog"));
  const authority = variables.REQUESTS_CA_BUNDLE === undefined ? variables.NODE_EXTRA_CA_CERTS : undefined;
  let ended: PythonEvent | undefined;
  let sent = false;
  try {
    const result = await runProcess({
      // -I: nothing of the folder, of PYTHON… variables or of the user's own packages is imported.
      argv: [join(python.bin, "python"), "-I", "-c", PROGRAM],
      cwd: home.path,
      env: {
        ...Object.fromEntries(Object.entries(variables).filter(([name]) => KEPT.test(name))),
        ...settings(files),
        HOME: home.path,
        TMPDIR: home.path,
        DATABRICKS_CONFIG_FILE: join(home.path, "no-profiles"),
        DATABRICKS_HOST: workspace.host,
        DATABRICKS_TOKEN: token,
        DATABRICKS_AUTH_TYPE: "pat",
      },
      input: `${JSON.stringify({ ...request, packages, ...(authority && { authority }) })}\n`,
      lifeline: true,
      signal,
      onLine(line) {
        const said = eventOf(line);
        if (said === undefined) return;
        if (said.event === "creating") sent = true;
        if (said.event === "done" || said.event === "failed") ended = said;
        on(said);
      },
    });
    if (ended?.event === "done") return;
    if (ended?.event === "failed") throw failure(ended, sent, token);
    throw outsideError(
      sent ? PYTHON_UNKNOWN : "python.failed",
      `MLflow's client ended with status ${result.status ?? "none"}: ${lastLine(result.stderr, token)}`,
    );
  } finally {
    home.remove();
  }
}

function settings(files: boolean): Record<string, string> {
  return {
    // The profile and the environment of the user are no business of a child that has its token.
    MLFLOW_ENABLE_DB_SDK: "false",
    MLFLOW_USE_DATABRICKS_SDK_MODEL_ARTIFACTS_REPO_FOR_UC: String(files),
    MLFLOW_HTTP_REQUEST_MAX_RETRIES: "4",
    MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR: "1",
    MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR: "false",
    MLFLOW_DISABLE_TELEMETRY: "true",
    DO_NOT_TRACK: "true",
    PYTHONUTF8: "1",
  };
}

function eventOf(line: string): PythonEvent | undefined {
  try {
    return event.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}

/** A refusal in the words of the workspace; what a lost reply or a busy server leaves is told apart, since it may have had its effect. */
function failure(
  { code, status, message }: Extract<PythonEvent, { event: "failed" }>,
  sent: boolean,
  token: string,
): FactoryError {
  const text = redact(stripControls(message), [token]).split("\n")[0] ?? "";
  if (code === "PERMISSION_DENIED" || status === 403) return outsideError("http.403", `${code}: ${text}`);
  // After the retries that a 429 gets. What it was said to did nothing; a version that was made before is found by the next try.
  if (status === 429)
    return outsideError("unity.throttled", `${code}: ${text}`, "the workspace is busy: run it again later");
  // A token that ended in the middle: whoever asks next gets another one.
  const ended = status === 401 || code === "UNAUTHENTICATED";
  // INVALID_STATE is said of a version that is finished already: by a call whose reply was lost, then.
  const unknown = ended || (sent && (status === null || status >= 500 || code === "INVALID_STATE"));
  return outsideError(unknown ? PYTHON_UNKNOWN : "unity.refused", `${code}: ${text}`);
}

function lastLine(output: string, token: string): string {
  const lines = stripControls(output).trim().split("\n");
  return redact(lines.at(-1) ?? "", [token]).slice(0, 500);
}
