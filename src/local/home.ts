import { existsSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { usageError } from "../lib/error.ts";
import { findUpward } from "../lib/files.ts";
import { readPolicy } from "../policy/read-policy.ts";
import { homeOf, openProject, PROJECT_FILE } from "../project/read-project.ts";
import { loopbackPort } from "./decide.ts";
import { DEFAULT_PORT } from "./local-server.ts";

const POLICY_FILE = "policy.yaml";

export interface LocalHome {
  /** Absolute; the server's state is in `.factory/local` inside. */
  home: string;
  /** Where the first environment of the policy expects a server on this machine; else 5210. */
  defaultPort: number;
}

/**
 * The folder that a local server belongs to: the given one, else that of the nearest policy.yaml upward, else that of the
 * policy which the project names, else the project, else where we are. `strict`: a broken policy or project is a usage error, since the
 * port would come from it; otherwise the default port is used.
 */
export function findHome(cwd: string, dir: string | undefined, strict: boolean): LocalHome {
  if (dir !== undefined) {
    const home = resolve(cwd, dir);
    if (existsSync(home) && !statSync(home).isDirectory())
      throw usageError("local.dir", `${home} is not a folder`, "give a folder with --dir");
    return { home, defaultPort: lenient(strict, () => portOf(join(home, POLICY_FILE))) ?? DEFAULT_PORT };
  }
  const beside = findUpward(cwd, POLICY_FILE);
  if (beside !== undefined)
    return { home: beside, defaultPort: lenient(strict, () => portOf(join(beside, POLICY_FILE))) ?? DEFAULT_PORT };
  const project = findUpward(cwd, PROJECT_FILE);
  if (project === undefined) return { home: resolve(cwd), defaultPort: DEFAULT_PORT };
  const home = lenient(strict, () => homeOf(openProject(project))) ?? project;
  return { home, defaultPort: lenient(strict, () => portOf(join(home, POLICY_FILE))) ?? DEFAULT_PORT };
}

function portOf(policyPath: string): number | undefined {
  if (!existsSync(policyPath)) return undefined;
  const registry = readPolicy(policyPath).policy.environments[0]?.registry;
  return registry?.kind === "mlflow" ? loopbackPort(registry.uri) : undefined;
}

function lenient<T>(strict: boolean, read: () => T): T | undefined {
  if (strict) return read();
  try {
    return read();
  } catch {
    return undefined;
  }
}
