import { existsSync } from "node:fs";
import { join } from "node:path";
import { usageError } from "../lib/error.ts";
import { findUpward } from "../lib/files.ts";
import type { FoundLine } from "../line/find-line.ts";
import { findHome } from "../local/home.ts";
import { localServerStatus } from "../local/local-server.ts";
import { othersServer } from "../local/others-server.ts";
import type { LocalHost } from "../local/server.ts";
import type { Environment, Policy } from "../policy/policy.ts";
import { readPolicy } from "../policy/read-policy.ts";
import { environmentsOf, openProject, PROJECT_FILE } from "../project/read-project.ts";
import { endpointIn } from "../project/rules.ts";
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
import { lookAtLine } from "./look-at-line.ts";
import { lookAtLedger, lookAtWorkspace, lookInPassing, type OpenSight } from "./look-at-workspace.ts";

export interface DoctorRequest {
  cwd: string;
  /** The running Node's version. */
  node: string;
  /** Only this environment, with every right that the next commands need there. */
  environment?: string;
  /** The line here: its ledger is read. Throws what keeps it from being. */
  line(): Promise<FoundLine>;
  /** Credentials that are meant for an MLflow server, by the names of their variables. */
  credentialsFor(uri: string): readonly string[];
}

/**
 * Looks at every prerequisite and connection, all at once; no check keeps another from speaking. Throws a usage error only
 * for an environment that does not exist.
 */
export async function examineAll(
  request: DoctorRequest,
  machine: Machine,
  host: LocalHost,
  openSight: OpenSight,
): Promise<Check[]> {
  const { environments, policy } = environmentsHere(request);
  const whole = request.environment !== undefined;
  const inWorkspaces = environments.map((each) =>
    lookAtEnvironment(each, { request, policy, whole, machine, host, openSight }),
  );
  const here = Promise.all([
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
  ]);
  const ledger = whole && policy !== undefined ? lookAtLedger(policy, openSight) : [];
  const line = lookAtLine(policy && { policy, path: policyPath(request.cwd) ?? "" }, () => request.line());
  return [...(await here), ...(await Promise.all(inWorkspaces)).flat(), ...(await ledger), ...(await line)];
}

interface Around {
  request: DoctorRequest;
  policy: Policy | undefined;
  whole: boolean;
  machine: Machine;
  host: LocalHost;
  openSight: OpenSight;
}

async function lookAtEnvironment(environment: Environment, around: Around): Promise<Check[]> {
  const { request, policy, whole, machine, host, openSight } = around;
  const { registry } = environment;
  const id = `registry.${environment.name}`;
  if (registry.kind === "mlflow") {
    const check = await examine(id, async () => {
      const others = policy === undefined ? await othersServer(openProject(request.cwd), host) : undefined;
      if (others !== undefined) return { verdict: "missing", found: others.message, fix: others.fix };
      return judgeRegistry(registry.uri, await machine.mlflowServer(registry.uri));
    });
    return whole ? [check, credentialsCheck(environment.name, request.credentialsFor(registry.uri))] : [check];
  }
  const address = { profile: registry.profile, host: registry.host };
  // Who works here need not have a way into every environment.
  if (!whole) return [inPassing(await examine(id, () => lookInPassing(address, openSight)))];
  const project = projectHere(request.cwd);
  const endpoint = project && endpointIn(project, environment.name);
  const wanted = { model: project?.model.name, endpoint, project: project?.project, policy };
  return lookAtWorkspace(environment, wanted, openSight);
}

function inPassing(check: Check): Check {
  return check.verdict === "missing" ? { ...check, verdict: "warn" } : check;
}

/** A plain MLflow server tells nothing of who we are and what we may do. */
function credentialsCheck(name: string, variables: readonly string[]): Check {
  const found =
    variables.length === 0 ? "none are sent" : `${variables.join(", ")} ${variables.length === 1 ? "is" : "are"} sent`;
  return { id: `identity.${name}`, verdict: "ok", found: `${found}; an MLflow server does not say what they allow` };
}

/** The project here, if it can be read; a broken one has its own line. */
function projectHere(cwd: string): ReturnType<typeof openProject>["project"] | undefined {
  try {
    return findUpward(cwd, PROJECT_FILE) === undefined ? undefined : openProject(cwd).project;
  } catch {
    return undefined;
  }
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

/** The environments that are looked at. A broken project or policy has its own line, so there are none then. */
function environmentsHere(request: DoctorRequest): {
  environments: readonly Environment[];
  policy: Policy | undefined;
} {
  let all: readonly Environment[] = [];
  let policy: Policy | undefined;
  let why = "there is no project or policy here";
  try {
    const path = policyPath(request.cwd);
    if (path !== undefined && existsSync(path)) {
      policy = readPolicy(path).policy;
      all = policy.environments;
    } else if (findUpward(request.cwd, PROJECT_FILE) !== undefined) all = environmentsOf(openProject(request.cwd));
    why = all.length === 0 ? why : `there are: ${all.map((each) => each.name).join(", ")}`;
  } catch (error) {
    // Asked for one environment, it is all that there is to say.
    if (request.environment !== undefined) throw error;
    return { environments: [], policy };
  }
  if (request.environment === undefined) return { environments: all, policy };
  const one = all.find((each) => each.name === request.environment);
  if (one === undefined)
    throw usageError("environment.unknown", `no environment is called ${JSON.stringify(request.environment)}`, why);
  return { environments: [one], policy };
}
