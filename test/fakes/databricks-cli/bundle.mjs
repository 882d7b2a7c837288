import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { parse } from "yaml";

/** An error that the program prints as the real one does. */
export class CliError extends Error {
  constructor(message, { path, place } = {}) {
    super(message);
    this.path = path;
    this.place = place;
  }
}

/** A pattern as Go's filepath.Glob takes it: stars stay inside one folder. */
export function glob(root, pattern) {
  const parts = pattern.split("/").filter((part) => part !== "." && part !== "");
  const walk = (folder, [part, ...rest]) => {
    if (part === undefined) return [folder];
    if (part === "..") return walk(dirname(folder), rest);
    if (!/[*?[]/.test(part)) return existsSync(join(folder, part)) ? walk(join(folder, part), rest) : [];
    const source = part.replace(/[.+^${}()|\\]/g, "\\$&").replace(/\*+/g, "[^/]*").replace(/\?/g, "[^/]");
    const fits = new RegExp(`^${source}$`);
    const names = existsSync(folder) ? readdirSync(folder).filter((name) => fits.test(name)) : [];
    return names.sort().flatMap((name) => walk(join(folder, name), rest));
  };
  return walk(root, parts);
}

const isMap = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

function merge(a, b) {
  if (isMap(a) && isMap(b)) {
    const all = { ...a };
    for (const [key, value] of Object.entries(b)) all[key] = key in all ? merge(all[key], value) : value;
    return all;
  }
  return Array.isArray(a) && Array.isArray(b) ? [...a, ...b] : b;
}

/** Reads databricks.yml and its includes, takes the target, fills in variables and references. */
export function loadBundle(root, { target, given, env, user }) {
  const rootFile = join(root, "databricks.yml");
  if (!existsSync(rootFile)) throw new CliError("unable to locate bundle root: databricks.yml not found");
  let config = parse(readFileSync(rootFile, "utf8")) ?? {};
  for (const [i, entry] of (config.include ?? []).entries()) {
    const found = glob(root, entry);
    if (found.length === 0 && !/[*?[]/.test(entry))
      throw new CliError(`${entry} defined in 'include' section does not match any files`, { path: `include[${i}]`, place: "databricks.yml:1:1" });
    for (const path of found) {
      const part = located(parse(readFileSync(path, "utf8")) ?? {}, root, path);
      config = merge(config, part);
    }
  }
  const targets = config.targets ?? {};
  if (!(target in targets)) throw new CliError(`${target}: no such target. Available targets: ${Object.keys(targets).join(", ")}`);
  const { variables: set = {}, mode, default: _, git, ...own } = targets[target] ?? {};
  const { targets: __, include: ___, ...rest } = config;
  const merged = merge(rest, own);
  const variables = {};
  for (const [name, declared] of Object.entries(merged.variables ?? {})) {
    const value = given[name] ?? env[`BUNDLE_VAR_${name}`] ?? set[name] ?? declared?.default;
    if (value === undefined)
      throw new CliError(`no value assigned to required variable ${name}. Assign a value with --var="${name}=value" or the environment variable BUNDLE_VAR_${name}`);
    variables[name] = value;
  }
  for (const name of Object.keys(given)) if (!(name in variables)) throw new CliError(`variable ${name} has not been defined`);
  const bundle = { ...merged.bundle, target, mode, git: merge({ branch: "", commit: "", origin_url: "" }, git ?? {}) };
  const workspace = { current_user: { userName: user.userName, short_name: shortName(user) }, ...merged.workspace };
  workspace.root_path ??= `/Workspace/Users/${user.userName}/.bundle/${bundle.name}/${target}`;
  const whole = { ...merged, bundle, workspace, variables };
  const filled = fill(whole, whole, 0);
  filled.workspace.root_path = filled.workspace.root_path.replace(/^~/, `/Workspace/Users/${user.userName}`);
  filled.workspace.file_path ??= `${filled.workspace.root_path}/files`;
  filled.workspace.artifact_path ??= `${filled.workspace.root_path}/artifacts`;
  filled.workspace.state_path ??= `${filled.workspace.root_path}/state`;
  return filled;
}

/** Relative paths of libraries are those of the file that names them. */
function located(part, root, file) {
  const from = relative(root, dirname(file)) || ".";
  for (const job of Object.values(part.resources?.jobs ?? {})) {
    for (const environment of job?.environments ?? []) {
      const spec = environment.spec ?? {};
      spec.dependencies = (spec.dependencies ?? []).map((each) => (/^\.{1,2}\/|\.whl$/.test(each) ? { local: join(from, each) } : each));
    }
  }
  return part;
}

function fill(value, whole, depth) {
  if (depth > 20) throw new CliError("cycle detected in field resolution");
  if (typeof value === "string") {
    const only = /^\$\{([^}]+)\}$/.exec(value)?.[1];
    if (only !== undefined) {
      const found = look(only, whole);
      return found === undefined ? value : fill(found, whole, depth + 1);
    }
    return value.replace(/\$\{([^}]+)\}/g, (text, reference) => {
      const found = look(reference, whole);
      return found === undefined ? text : String(fill(found, whole, depth + 1));
    });
  }
  if (Array.isArray(value)) return value.map((each) => fill(each, whole, depth));
  if (isMap(value)) return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, fill(each, whole, depth)]));
  return value;
}

function look(reference, whole) {
  const parts = reference.split(".");
  if (parts[0] === "var") {
    if (!(parts[1] in whole.variables)) throw new CliError(`reference does not exist: \${${reference}}`);
    return whole.variables[parts[1]];
  }
  if (!["bundle", "workspace", "resources", "artifacts", "variables"].includes(parts[0])) return undefined;
  const found = parts.reduce((at, part) => at?.[part], whole);
  // What is only known once it is deployed: ids.
  if (found === undefined && !(parts[0] === "resources" && parts.at(-1) === "id")) throw new CliError(`reference does not exist: \${${reference}}`);
  return found;
}

export function shortName({ userName, displayName }) {
  const name = userName.includes("@") ? userName.split("@")[0] : (displayName ?? userName);
  return name.replace(/[^\p{L}\p{N}]+/gu, "_").replace(/^_+|_+$/g, "").toLowerCase();
}

/** Names and schedules as the mode of the target makes them. */
export function asDeployed(config, user) {
  const { mode } = config.bundle;
  const jobs = {};
  const experiments = {};
  const prefix = mode === "development" ? `[dev ${shortName(user)}] ` : "";
  for (const [key, job] of Object.entries(config.resources?.jobs ?? {})) {
    const { permissions, lifecycle: _, ...settings } = job;
    const deployed = { ...settings, name: `${prefix}${settings.name ?? key}` };
    if (mode === "development") {
      deployed.tags = { ...deployed.tags, dev: shortName(user) };
      deployed.max_concurrent_runs = 4;
      if (deployed.schedule) deployed.schedule = { ...deployed.schedule, pause_status: "PAUSED" };
    }
    deployed.run_as ??= config.run_as;
    if (deployed.run_as === undefined) delete deployed.run_as;
    deployed.deployment = { kind: "BUNDLE", metadata_file_path: `${config.workspace.state_path}/metadata.json` };
    deployed.edit_mode = "UI_LOCKED";
    deployed.format = "MULTI_TASK";
    jobs[key] = { settings: deployed, permissions };
  }
  for (const [key, experiment] of Object.entries(config.resources?.experiments ?? {})) {
    const at = experiment.name.lastIndexOf("/") + 1;
    experiments[key] = { ...experiment, name: `${experiment.name.slice(0, at)}${prefix}${experiment.name.slice(at)}` };
  }
  return { jobs, experiments, endpoints: config.resources?.model_serving_endpoints ?? {} };
}

/** Wheels that environments name by a local path, as files. */
export function wheelsOf(config, root) {
  const wheels = new Map();
  for (const job of Object.values(config.resources?.jobs ?? {}))
    for (const environment of job.environments ?? [])
      for (const [i, each] of (environment.spec?.dependencies ?? []).entries()) {
        if (!isMap(each)) continue;
        const found = glob(root, each.local);
        if (found.length === 0) throw new CliError(`no files match pattern: ${each.local}`, { path: `resources.jobs.environments[0].spec.dependencies[${i}]` });
        const to = `${config.workspace.artifact_path}/.internal/${basename(found[0])}`;
        wheels.set(found[0], to);
        environment.spec.dependencies[i] = to;
      }
  return wheels;
}
