import { dirname, join, resolve } from "node:path";
import { usageError } from "../lib/error.ts";
import { findUpward, readTextFile } from "../lib/files.ts";
import { nearest } from "../lib/nearest.ts";
import { parseYaml } from "../lib/yaml-document.ts";
import { listingIn } from "../policy/listing.ts";
import type { Environment, Policy } from "../policy/policy.ts";
import { POLICY_FILE, policyOfProject, type ReadPolicy } from "../policy/read-policy.ts";
import { recordedPort } from "./local-record.ts";
import { type Project, projectSchema } from "./project.ts";

export interface OpenProject {
  project: Project;
  /** Absolute path of the project's folder. */
  folder: string;
  /** Bytes of factory.yaml as read. */
  text: string;
  policy: ReadPolicy | undefined;
}

export const PROJECT_FILE = "factory.yaml";

/** Opens the project that holds `start`. Throws a usage error (exit 2) when there is none or it is invalid. */
export function openProject(start: string): OpenProject {
  const folder = findUpward(resolve(start), PROJECT_FILE);
  if (folder === undefined) {
    throw usageError(
      "project.missing",
      `no ${PROJECT_FILE} in ${resolve(start)} or above it`,
      "go into a project's folder, or make one: factory new NAME",
    );
  }
  const path = join(folder, PROJECT_FILE);
  const text = readTextFile(path, PROJECT_FILE);
  const project = parseYaml(text, path, projectSchema);
  const policy = policyOfProject(folder, project.policy);
  const tier = listingIn(policy?.policy, project.project)?.riskTier;
  if (project.riskTier !== undefined && tier !== undefined && project.riskTier !== tier) {
    throw usageError(
      "project.tier",
      `${path} says risk tier ${project.riskTier}, policy says ${tier}`,
      "policy decides: remove riskTier from factory.yaml, or have the policy changed",
    );
  }
  const names = policy?.policy.environments.map((environment) => environment.name);
  for (const name of Object.keys(project.environments ?? {})) {
    if (names === undefined || names.includes(name)) continue;
    const guess = nearest(name, names);
    throw usageError(
      "project.environment",
      `${path} has settings for an environment ${name}, which policy does not list`,
      guess ? `did you mean ${guess}?` : `there are: ${names.join(", ")}`,
    );
  }
  return { project, folder, text, policy };
}

/** Where a local server answers when neither a policy nor its start says otherwise. */
export const DEFAULT_LOCAL_URI = "http://127.0.0.1:5210";

/** The environments of a project, in order. Without a policy there is one, on the local server that was started for the project. */
export function environmentsOf(open: OpenProject): readonly Environment[] {
  if (open.policy !== undefined) return open.policy.policy.environments;
  // As `local start` has it: a policy.yaml above is its place also where the project names none.
  const port = recordedPort(findUpward(open.folder, POLICY_FILE) ?? open.folder);
  const uri = port === undefined ? DEFAULT_LOCAL_URI : `http://127.0.0.1:${port}`;
  return [{ name: "dev", catalog: "dev", registry: { kind: "mlflow", uri } }];
}

/** The project's place in the policy; `undefined` means pilot: it goes no further than the first environment. */
export function listingOf(open: OpenProject): Policy["projects"][string] | undefined {
  return listingIn(open.policy?.policy, open.project.project);
}

/** The folder that the project's policy, and with it the local server's state, lives in; the project's own without a policy. */
export function homeOf(open: OpenProject): string {
  return open.policy === undefined ? open.folder : dirname(open.policy.path);
}
