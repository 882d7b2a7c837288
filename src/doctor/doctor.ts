import { FactoryError, messageOf } from "../lib/error.ts";
import type { ServerStatus } from "../local/local-server.ts";

export interface Check {
  id: string;
  /** `missing`: factory cannot work without it. `warn`: it works, or will see to it itself, but a person should know. */
  verdict: "ok" | "warn" | "missing";
  found: string;
  fix?: string;
}

/** What the doctor needs to see of the machine; every method only looks. */
export interface Machine {
  git(folder: string): Promise<{ version: string; name: string | undefined; email: string | undefined } | undefined>;
  python(): Promise<{ path: string; version: string } | { others: readonly string[] }>;
  uv(): Promise<{ path: string; version: string } | undefined>;
  managedPython(): Promise<
    { folder: string; mlflow: string; python: string; packages: number; installer: string } | undefined
  >;
  /** Bytes free where the managed environments are. */
  freeBytes(): Promise<number>;
  mlflowServer(uri: string): Promise<MlflowAnswer>;
}

export interface MlflowAnswer {
  /** Status of `/health`. */
  health: number;
  /** Bare version, if the server tells it without credentials. */
  version: string | undefined;
}

/** Runs one check; whatever it throws becomes its verdict, so that it cannot keep the others from speaking. */
export async function examine(id: string, look: () => Promise<Omit<Check, "id">> | Omit<Check, "id">): Promise<Check> {
  try {
    return { id, ...(await look()) };
  } catch (error) {
    const problems = error instanceof FactoryError ? error.problems : [];
    const [first] = problems;
    const where =
      first === undefined
        ? ""
        : `: ${first.line === undefined ? "" : `line ${first.line}, `}${first.path === undefined ? "" : `${first.path} `}${first.message}${problems.length > 1 ? ` (and ${problems.length - 1} more)` : ""}`;
    const hint = first?.hint ?? (error instanceof FactoryError ? error.hint : undefined);
    return { id, verdict: "missing", found: `${messageOf(error)}${where}`, ...(hint !== undefined && { fix: hint }) };
  }
}

const OLDEST_NODE = [20, 19] as const;

/** The verdict on the running Node, `20.19.3`. */
export function judgeNode(version: string): Omit<Check, "id"> {
  const [major = 0, minor = 0] = version.replace(/^v/, "").split(".").map(Number);
  const enough = major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1]);
  return enough
    ? { verdict: "ok", found: version }
    : { verdict: "missing", found: `${version} is too old`, fix: "install Node 20.19 or later" };
}

export function judgeGit(git: Awaited<ReturnType<Machine["git"]>>): Omit<Check, "id"> {
  if (git === undefined) return { verdict: "missing", found: "git is not on PATH", fix: "install git" };
  const lacking = [git.name === undefined ? "user.name" : "", git.email === undefined ? "user.email" : ""].filter(
    (each) => each !== "",
  );
  if (lacking.length === 0) return { verdict: "ok", found: `${git.version}, as ${git.name} <${git.email}>` };
  return {
    verdict: "warn",
    found: `${git.version}, but ${lacking.join(" and ")} not set: commits would have no author`,
    fix: lacking.map((each) => `git config --global ${each} "…"`).join(" && "),
  };
}

export function judgePython(python: Awaited<ReturnType<Machine["python"]>>): Omit<Check, "id"> {
  if ("path" in python) return { verdict: "ok", found: `${python.version}  (${python.path})` };
  const others = python.others.length === 0 ? "" : ` (${python.others.join("; ")})`;
  return {
    verdict: "missing",
    found: `no Python 3.11, 3.12 or 3.13 on PATH${others}`,
    fix: "install Python 3.11, 3.12 or 3.13 and put it on PATH",
  };
}

export function judgeUv(uv: Awaited<ReturnType<Machine["uv"]>>): Omit<Check, "id"> {
  if (uv !== undefined) return { verdict: "ok", found: `${uv.version}  (${uv.path})` };
  return {
    verdict: "warn",
    found: "not on PATH; factory installs its own copy when it is first needed",
    fix: "nothing to do; or install uv yourself",
  };
}

export function judgeManaged(environment: Awaited<ReturnType<Machine["managedPython"]>>): Omit<Check, "id"> {
  if (environment === undefined)
    return {
      verdict: "warn",
      found: "not installed yet (about 1 GB, once for all projects)",
      fix: "nothing to do: factory local start installs it, and so does the first version made in Unity Catalog",
    };
  const { mlflow, python, packages, installer, folder } = environment;
  return {
    verdict: "ok",
    found: `MLflow ${mlflow} on Python ${python}, ${packages} packages by ${installer}  (${folder})`,
  };
}

/** An install of the managed environment takes 1.5 GB; after that, room for models and databases. */
export function judgeDisk(freeBytes: number, installed: boolean): Omit<Check, "id"> {
  const found = `${(freeBytes / 1e9).toFixed(1)} GB free`;
  const needed = installed ? 0.2e9 : 1.5e9;
  if (freeBytes < needed)
    return {
      verdict: "missing",
      found: `${found}, ${needed / 1e9} GB needed`,
      fix: "free some space, or set XDG_DATA_HOME to a folder on a larger disk",
    };
  return freeBytes < needed * 2 ? { verdict: "warn", found, fix: "free some space soon" } : { verdict: "ok", found };
}

export function judgeLocal(status: ServerStatus): Omit<Check, "id"> {
  const fix = status.hint === undefined ? {} : { fix: status.hint };
  switch (status.state) {
    case "running":
      return { verdict: "ok", found: `${status.uri}, MLflow ${status.version ?? "?"}` };
    case "stopped":
      return { verdict: "ok", found: "stopped (factory local start starts it)" };
    default:
      return { verdict: "warn", found: `${status.state}: ${status.message}`, ...fix };
  }
}

/** The verdict on a registry that is an MLflow server, by what it said. */
export function judgeRegistry(uri: string, answer: MlflowAnswer): Omit<Check, "id"> {
  if (answer.health !== 200)
    return {
      verdict: "missing",
      found: `${uri} answers ${answer.health} to /health`,
      fix: "is that address an MLflow tracking server?",
    };
  if (answer.version === undefined)
    return {
      verdict: "warn",
      found: `${uri} is healthy, but does not tell its version`,
      fix: "check that it is an MLflow tracking server, and its credentials",
    };
  const major = Number(answer.version.split(".")[0]);
  if (major !== 3)
    return {
      verdict: "missing",
      found: `${uri} runs MLflow ${answer.version}`,
      fix: "factory needs an MLflow 3 server",
    };
  return { verdict: "ok", found: `${uri}, MLflow ${answer.version}` };
}
