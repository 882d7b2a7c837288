import { existsSync } from "node:fs";
import { delimiter, dirname, isAbsolute, join } from "node:path";
import { outsideError, usageError } from "../lib/error.ts";
import { sha256File } from "../lib/hash.ts";
import { type Report, withTask } from "../lib/progress.ts";
import { redact, stripControls } from "../lib/redact.ts";
import { type ProcessResult, runProcess } from "../lib/run-process.ts";
import { childEnvironment, installerEnvironment } from "./child-environment.ts";
import { removeBytecode } from "./remove-bytecode.ts";

type Variables = Readonly<Record<string, string>>;

export interface Uv {
  /** Path, or the name under which PATH has it. */
  program: string;
  /** Variables that tell it where the package index is and whom to trust there, beyond those that the user has set for it. */
  settings: Variables;
}

export interface ProjectEnvironment {
  /** The whole environment for the project's processes; `uv` is first on its PATH. Spread what else they need over it. */
  variables: Record<string, string>;
  /** SHA-256 of uv.lock, hex; undefined for a project that has none. */
  lockDigest: string | undefined;
  /** uv.lock was made just now, since there was none. */
  lockedNow: boolean;
}

const LOCK_TIMEOUT_MS = 600_000;
/** Leaves out the project, its workspace and packages from folders. */
const THIRD_PARTY_ONLY = ["--no-install-project", "--no-install-workspace", "--no-install-local"];
const SYNC_TIMEOUT_MS = 1_800_000;

/**
 * Makes the project's own Python environment be what uv.lock says, and returns the environment for its processes.
 * A missing lock is made once and said; an existing one is never rewritten. A project without pyproject.toml has nothing to
 * install. Nothing runs bytecode that lies in the project. Throws exit 2 when the lock cannot be satisfied, exit 4 when uv fails
 * otherwise.
 */
export async function projectEnvironment(
  folder: string,
  uv: () => Promise<Uv>,
  given: Variables,
  report: Report,
  signal: AbortSignal,
): Promise<ProjectEnvironment> {
  // First of all: installing already runs code of the project.
  removeBytecode(folder);
  if (!existsSync(join(folder, "pyproject.toml")))
    return { variables: childEnvironment(given), lockDigest: undefined, lockedNow: false };
  const { program, settings } = await uv();
  const variables = { ...settings, ...given };
  // A bare name was found on PATH, where the project's own commands will find it too.
  const path = [
    ...(isAbsolute(program) ? [dirname(program)] : []),
    ...(variables.PATH === undefined ? [] : [variables.PATH]),
  ].join(delimiter);
  const lock = join(folder, "uv.lock");
  const lockedNow = !existsSync(lock);
  const { UV_FROZEN: _, ...unfrozen } = installerEnvironment(variables, { PATH: path });
  const uvRun = (
    args: readonly string[],
    timeoutMs: number,
    env: Variables,
    onLine: (line: string) => void,
  ): Promise<ProcessResult> => runProcess({ argv: [program, ...args], cwd: folder, env, timeoutMs, signal, onLine });
  if (lockedNow) {
    report({
      type: "note",
      tone: "info",
      text: "uv.lock is missing: it is made now; commit it, so that everyone gets the same packages",
    });
    await withTask(report, "python.lock", "locking the Python packages (once)", async (advance) => {
      demandDone(
        "uv lock",
        await uvRun(["lock", "--no-progress"], LOCK_TIMEOUT_MS, unfrozen, (line) => advance(0, stripControls(line))),
      );
    });
  }
  const plain = childEnvironment(variables, { PATH: path });
  const installing = { ...unfrozen, UV_FROZEN: "1" };
  await withTask(report, "python.sync", "Python environment of the project", async (advance) => {
    const sync = (env: Variables, ...more: string[]): Promise<ProcessResult> =>
      uvRun(["sync", "--frozen", "--no-progress", ...more], SYNC_TIMEOUT_MS, env, (line) => {
        const step = /^(?:Resolved|Prepared|Installed|Audited|Building|Built) .*/.exec(stripControls(line).trim());
        if (step !== null) advance(0, step[0]);
      });
    // uv runs the environment's Python to learn what it is, and with it any code that was put there. So the password of an
    // index is shown only when something must be fetched, after uv has had its look.
    const hasPassword = Object.entries(installing).some(([name, value]) => plain[name] !== value);
    if (hasPassword && (await sync(plain, "--offline")).status === 0) return;
    // The project's own packages are built by code that the project brings along: that never sees the password.
    if (hasPassword) demandDone("uv sync --frozen", await sync(installing, ...THIRD_PARTY_ONLY));
    demandDone("uv sync --frozen", await sync(plain));
  });
  return { variables: plain, lockDigest: await lockDigestOf(folder), lockedNow };
}

/** SHA-256 of the project's uv.lock, hex; undefined when it has none. */
export async function lockDigestOf(folder: string): Promise<string | undefined> {
  const lock = join(folder, "uv.lock");
  return existsSync(lock) ? sha256File(lock) : undefined;
}

function demandDone(what: string, result: ProcessResult): void {
  if (result.status === 0) return;
  if (result.timedOut)
    throw outsideError(
      "python.timeout",
      `${what} did not end in time`,
      "check the network and the package index: factory doctor",
    );
  const said = redact(stripControls(result.stderr.trim().split("\n").slice(-12).join("\n")));
  const offline = /network|connect|dns|resolve host|timed out|certificate/i.test(said);
  const message = `${what} failed:\n${said}`;
  if (offline) throw outsideError("python.network", message, "check the network and the package index: factory doctor");
  throw usageError(
    "python.environment",
    message,
    "mend pyproject.toml, or run uv lock when it changed after uv.lock was made",
  );
}
