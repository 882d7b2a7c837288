import { existsSync } from "node:fs";
import { join } from "node:path";
import { messageOf, usageError } from "../lib/error.ts";
import { findUpward } from "../lib/files.ts";
import { findHome } from "../local/home.ts";
import { localServerStatus } from "../local/local-server.ts";
import type { LocalHost } from "../local/server.ts";
import type { Environment } from "../policy/policy.ts";
import { readPolicy } from "../policy/read-policy.ts";
import { environmentsOf, openProject, PROJECT_FILE } from "../project/read-project.ts";
import {
  type Check,
  examine,
  judgeDisk,
  judgeGit,
  judgeLocal,
  judgeManaged,
  judgeNode,
  judgePython,
  judgeRegistry,
  judgeUv,
  type Machine,
} from "./doctor.ts";

export interface DoctorRequest {
  cwd: string;
  /** The running Node's version. */
  node: string;
  /** Only this environment's registry. */
  environment?: string;
}

/**
 * Looks at every prerequisite and connection, all at once; no check keeps another from speaking. Throws a usage error only
 * for an environment that does not exist.
 */
export async function examineAll(request: DoctorRequest, machine: Machine, host: LocalHost): Promise<Check[]> {
  const environments = environmentsHere(request);
  return Promise.all([
    examine("node", () => judgeNode(request.node)),
    examine("git", async () => judgeGit(await machine.git(request.cwd))),
    examine("python", async () => judgePython(await machine.python())),
    examine("uv", async () => judgeUv(await machine.uv())),
    examine("environment", async () => judgeManaged(await machine.managedPython())),
    examine("disk", async () => judgeDisk(await machine.freeBytes(), (await machine.managedPython()) !== undefined)),
    examine("local", async () => {
      const { home, defaultPort } = findHome(request.cwd, undefined, false);
      return judgeLocal(await localServerStatus(home, defaultPort, host));
    }),
    examine("project", () => lookAtProject(request.cwd)),
    examine("policy", () => lookAtPolicy(request.cwd)),
    ...environments.map((environment) =>
      examine(`registry.${environment.name}`, async () => {
        const { registry } = environment;
        const answer = registry.kind === "mlflow" ? await machine.mlflowServer(registry.uri) : undefined;
        return judgeRegistry(environment, answer, request.environment !== undefined);
      }),
    ),
  ]);
}

function lookAtProject(cwd: string): Omit<Check, "id"> {
  if (findUpward(cwd, PROJECT_FILE) === undefined)
    return { verdict: "ok", found: `no ${PROJECT_FILE} here or above: not in a project` };
  const { project, folder } = openProject(cwd);
  return { verdict: "ok", found: `${project.project}, model ${project.model.name}  (${folder})` };
}

/** The policy that the project names, else the nearest one upward. */
function policyPath(cwd: string): string | undefined {
  const named = policyOfProjectHere(cwd);
  if (named !== undefined) return named;
  const folder = findUpward(cwd, "policy.yaml");
  return folder === undefined ? undefined : join(folder, "policy.yaml");
}

/** A project that cannot be read has its own line; the policy is then looked for without it. */
function policyOfProjectHere(cwd: string): string | undefined {
  if (findUpward(cwd, PROJECT_FILE) === undefined) return undefined;
  try {
    return openProject(cwd).policy?.path;
  } catch {
    return undefined;
  }
}

function lookAtPolicy(cwd: string): Omit<Check, "id"> {
  const path = policyPath(cwd);
  if (path === undefined || !existsSync(path)) {
    const inProject = findUpward(cwd, PROJECT_FILE) !== undefined;
    return inProject
      ? {
          verdict: "warn",
          found: "none: the project is a pilot and goes no further than the first environment",
          fix: "factory init writes a starter policy.yaml",
        }
      : { verdict: "ok", found: "none here or above" };
  }
  const { policy } = readPolicy(path);
  const names = policy.environments.map((each) => each.name).join(" → ");
  const approvers = Object.values(policy.people).some((person) => (person.keys ?? []).length > 0);
  const found = `${policy.organisation}, version ${policy.version}, ${names}  (${path})`;
  return approvers
    ? { verdict: "ok", found }
    : {
        verdict: "warn",
        found: `${found}; nobody in it has a key, so nobody may approve`,
        fix: "name people with their keys under people:",
      };
}

/** The environments whose registries are looked at. A broken project or policy has its own line, so there are none then. */
function environmentsHere(request: DoctorRequest): readonly Environment[] {
  let all: readonly Environment[] = [];
  let why = "there is no project or policy here";
  try {
    const path = policyPath(request.cwd);
    if (path !== undefined && existsSync(path)) all = readPolicy(path).policy.environments;
    else if (findUpward(request.cwd, PROJECT_FILE) !== undefined) all = environmentsOf(openProject(request.cwd));
    why = all.length === 0 ? why : `there are: ${all.map((each) => each.name).join(", ")}`;
  } catch (error) {
    why = messageOf(error);
    if (request.environment === undefined) return [];
  }
  if (request.environment === undefined) return all;
  const one = all.find((each) => each.name === request.environment);
  if (one === undefined)
    throw usageError("environment.unknown", `no environment is called ${JSON.stringify(request.environment)}`, why);
  return [one];
}
