import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { program, toolsFolder } from "./paths.ts";
import { uvCache, warmCache } from "./warm-cache.ts";

export interface Ran {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** A private home for one suite: nothing of the user's is read, the heavy Python environments are shared between suites. */
export interface Home {
  folder: string;
  variables: Record<string, string>;
  remove(): void;
}

export function makeHome(): Home {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "factory-test-")));
  mkdirSync(join(folder, "home"));
  const variables: Record<string, string> = {
    PATH: process.env.PATH ?? "",
    HOME: join(folder, "home"),
    XDG_DATA_HOME: join(toolsFolder, "data"),
    UV_CACHE_DIR: uvCache,
    GIT_AUTHOR_NAME: "Author",
    GIT_AUTHOR_EMAIL: "author@example.com",
    GIT_COMMITTER_NAME: "Author",
    GIT_COMMITTER_EMAIL: "author@example.com",
    LANG: "C.UTF-8",
  };
  // Where the machine reaches its package indexes is the machine's business; tests only pass it on.
  for (const [name, value] of Object.entries(process.env)) {
    if (
      value !== undefined &&
      /^(?:PIP_|UV_|SSL_|REQUESTS_CA|CURL_CA|NODE_EXTRA_CA|CI$|(?:HTTPS?|NO)_PROXY$)/i.test(name)
    )
      variables[name] = value;
  }
  const remove = (): void => {
    warmCache(folder);
    rmSync(folder, { recursive: true, force: true });
  };
  return { folder, variables, remove };
}

export interface RunOptions {
  cwd: string;
  variables: Record<string, string>;
  input?: string;
  timeoutMs?: number;
  /** Another copy of the built program; default: the one of this repository. */
  program?: string;
  /** Called with the child as soon as it runs. */
  started?(child: { pid: number; kill(signal: NodeJS.Signals): void }): void;
}

/** Runs the built program as a user would: argv in; stdout, stderr and exit status out. */
export function factory(args: readonly string[], options: RunOptions): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [options.program ?? program, ...args], {
      cwd: options.cwd,
      env: options.variables,
      stdio: [options.input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
    });
    let stdout = "";
    let stderr = "";
    child.stdout?.setEncoding("utf8").on("data", (chunk: string) => (stdout += chunk));
    child.stderr?.setEncoding("utf8").on("data", (chunk: string) => (stderr += chunk));
    if (options.input !== undefined) child.stdin?.end(options.input);
    const timer = setTimeout(() => child.kill("SIGKILL"), options.timeoutMs ?? 280_000);
    child.on("error", reject);
    child.on("close", (status) => {
      clearTimeout(timer);
      resolve({ status, stdout, stderr });
    });
    if (child.pid !== undefined) options.started?.({ pid: child.pid, kill: (signal) => void child.kill(signal) });
  });
}
