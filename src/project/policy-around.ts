import { findUpward } from "../lib/files.ts";
import { findPolicyFile, openPolicyFile, type PolicyFile } from "../policy/find-policy.ts";
import { POLICY_FILE } from "../policy/read-policy.ts";
import { type OpenProject, openProject, PROJECT_FILE } from "./read-project.ts";

/** The project that holds a folder; undefined outside of one. A broken project is an error (exit 2). */
export function projectAround(cwd: string): OpenProject | undefined {
  return findUpward(cwd, PROJECT_FILE) === undefined ? undefined : openProject(cwd);
}

/**
 * The policy file that is named, else that of the project here, else the nearest policy.yaml upward; undefined when there is
 * none. Throws a usage error (exit 2) for one that is broken, or named and missing.
 */
export function policyAround(cwd: string, named: string | undefined): PolicyFile | undefined {
  if (named !== undefined) return findPolicyFile(cwd, named);
  const path = projectAround(cwd)?.policy?.path;
  if (path !== undefined) return openPolicyFile(path);
  return findUpward(cwd, POLICY_FILE) === undefined ? undefined : findPolicyFile(cwd, undefined);
}

/** The same, for a command that needs one: throws a usage error (exit 2) when there is none. */
export function demandPolicy(cwd: string, named: string | undefined): PolicyFile {
  return policyAround(cwd, named) ?? findPolicyFile(cwd, named);
}
