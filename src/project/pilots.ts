import { existsSync, readdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { readTextFile } from "../lib/files.ts";
import { parseYaml } from "../lib/yaml-document.ts";
import type { Policy } from "../policy/policy.ts";
import { projectSchema } from "./project.ts";
import { PROJECT_FILE } from "./read-project.ts";

/** More folders than this are not looked into. */
const MAX_FOLDERS = 500;

/**
 * The pilots that can be seen from a policy's file: projects in folders beside it that name it and that it does not list, by
 * name. A project elsewhere is not seen, and a folder with a broken factory.yaml is left out.
 */
export function pilotsBeside(policyPath: string, policy: Pick<Policy, "projects">): string[] {
  const names = projectsBeside(policyPath).map(({ project }) => project);
  return [...new Set(names)].filter((name) => !Object.hasOwn(policy.projects, name)).sort();
}

/** Projects in folders beside a policy's file that name it, each with its folder. */
export function projectsBeside(policyPath: string): { project: string; folder: string }[] {
  const home = dirname(policyPath);
  return readdirSync(home, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith("."))
    .slice(0, MAX_FOLDERS)
    .flatMap(({ name }) => {
      const folder = join(home, name);
      const project = projectIn(folder, policyPath);
      return project === undefined ? [] : [{ project, folder }];
    });
}

function projectIn(folder: string, policyPath: string): string | undefined {
  const path = join(folder, PROJECT_FILE);
  if (!existsSync(path)) return undefined;
  try {
    const { project, policy } = parseYaml(readTextFile(path, PROJECT_FILE), path, projectSchema);
    return policy !== undefined && resolve(folder, policy) === policyPath ? project : undefined;
  } catch {
    return undefined;
  }
}
