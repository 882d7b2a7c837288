import { spawnSync } from "node:child_process";
import { appendFileSync, existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { asDeployed, CliError, loadBundle, wheelsOf } from "./bundle.mjs";

/**
 * Stands for the official Databricks CLI in tests: the commands that factory uses, as the reference describes them for v1.13.0.
 * It is written apart from factory's own code, resolves the bundle itself, and talks to whatever workspace it is pointed to.
 */
export async function main(argv, env, cwd, behaviour = {}) {
  if (behaviour.record !== undefined) appendFileSync(behaviour.record, `${JSON.stringify({ argv, env, cwd, files: filesBelow(cwd, cwd) })}\n`);
  const version = behaviour.version ?? "1.13.0";
  try {
    const [first, second] = argv;
    if (first === "version" || first === "--version" || first === "-v") {
      process.stdout.write(behaviour.says ?? `Databricks CLI v${version}\n`);
      return 0;
    }
    const flags = parseFlags(argv);
    if (first === "bundle" && ["validate", "deploy", "summary"].includes(second)) return await bundle(second, flags, env, cwd, behaviour);
    if (first === "current-user" && second === "me") {
      process.stdout.write(`${JSON.stringify(await api(env, "GET", "/api/2.0/preview/scim/v2/Me"), null, 2)}\n`);
      return 0;
    }
    throw new CliError(`unknown command ${JSON.stringify(argv.slice(0, 2).join(" "))} for "databricks"`);
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    process.stderr.write(`Error: ${error.message}\n`);
    if (error.path) process.stderr.write(`  at ${error.path}\n`);
    if (error.place) process.stderr.write(`  in ${error.place}\n`);
    process.stderr.write("\n");
    return 1;
  }
}

function parseFlags(argv) {
  const flags = { vars: {} };
  for (let i = 2; i < argv.length; i++) {
    const next = () => argv[++i] ?? "";
    if (argv[i] === "-t" || argv[i] === "--target") flags.target = next();
    else if (argv[i] === "--var") {
      // A list in one flag, as the real one takes it.
      for (const part of next().split(",")) flags.vars[part.slice(0, part.indexOf("="))] = part.slice(part.indexOf("=") + 1);
    } else if (argv[i] === "-o" || argv[i] === "--output") flags.output = next();
    else throw new CliError(`unknown flag: ${argv[i]}`);
  }
  return flags;
}

async function api(env, method, path, { query, json, body } = {}) {
  if (!env.DATABRICKS_HOST || !env.DATABRICKS_TOKEN)
    throw new CliError("default auth: cannot configure default credentials, please check https://docs.databricks.com/en/dev-tools/auth.html");
  const url = `${env.DATABRICKS_HOST}${path}${query === undefined ? "" : `?${new URLSearchParams(query)}`}`;
  let reply;
  try {
    reply = await fetch(url, {
      method,
      headers: { authorization: `Bearer ${env.DATABRICKS_TOKEN}`, "user-agent": "cli/1.13.0 databricks-sdk-go/0.175.0", ...(json && { "content-type": "application/json" }) },
      ...(json !== undefined && { body: JSON.stringify(json) }),
      ...(body !== undefined && { body }),
    });
  } catch (error) {
    throw new CliError(`${method} ${url}: dial tcp: ${error.cause?.code ?? error.message}`);
  }
  const text = await reply.text();
  if (reply.ok) return text.startsWith("{") ? JSON.parse(text) : text;
  let said = { error_code: "", message: text.slice(0, 300) };
  try {
    said = JSON.parse(text);
  } catch {}
  const failure = new CliError(`${said.message} (${reply.status} ${said.error_code})`);
  failure.status = reply.status;
  failure.code = said.error_code;
  throw failure;
}

const missing = (error) => {
  if (error instanceof CliError && (error.status === 404 || /does not exist|doesn't exist/.test(error.message))) return undefined;
  throw error;
};

async function bundle(command, flags, env, cwd, behaviour) {
  const user = await api(env, "GET", "/api/2.0/preview/scim/v2/Me");
  const config = loadBundle(cwd, { target: flags.target, given: flags.vars, env, user });
  if (config.workspace.host && config.workspace.host !== env.DATABRICKS_HOST)
    throw new CliError(`the host in the profile (${env.DATABRICKS_HOST}) doesn't match the host configured in the bundle (${config.workspace.host})`);
  if (config.bundle.mode === "production" && !config.workspace.root_path)
    throw new CliError("target with 'mode: production' must set 'workspace.root_path' to make sure only one copy is deployed");
  const files = config.workspace.file_path;
  if (command === "summary") return summary(config, env);
  if ((await api(env, "GET", "/api/2.0/workspace/get-status", { query: { path: files } }).catch(missing)) === undefined)
    await api(env, "POST", "/api/2.0/workspace/mkdirs", { json: { path: files } });
  if (behaviour.fail?.[command]) throw new CliError(behaviour.fail[command].message, behaviour.fail[command]);
  if (behaviour.hang === command) await new Promise((resolve) => setTimeout(resolve, 600_000));
  if (command === "validate") {
    process.stdout.write(`Name: ${config.bundle.name}\nTarget: ${config.bundle.target}\nWorkspace:\n  User: ${user.userName}\n  Path: ${config.workspace.root_path}\n\nValidation OK!\n`);
    return 0;
  }
  for (const [name, artifact] of Object.entries(config.artifacts ?? {})) {
    process.stderr.write(`Building ${name}...\n`);
    const built = spawnSync("bash", ["-c", artifact.build ?? "python setup.py bdist_wheel"], { cwd, env });
    if (built.status !== 0) throw new CliError(`build failed ${name}, error: exit status ${built.status}`);
  }
  await deploy(config, env, cwd, user);
  return 0;
}

async function deploy(config, env, cwd, user) {
  const { file_path: files, state_path: state, artifact_path: artifacts } = config.workspace;
  for (const path of [state, `${artifacts}/.internal`]) await api(env, "POST", "/api/2.0/workspace/mkdirs", { json: { path } });
  const lock = `${state}/deploy.lock`;
  const upload = (path, body, overwrite = true) =>
    api(env, "POST", `/api/2.0/workspace-files/import-file/${path.slice(1).split("/").map(encodeURIComponent).join("/")}`, { query: { overwrite: String(overwrite) }, body });
  await upload(lock, JSON.stringify({ User: user.userName }), false).catch((error) => {
    throw error.status === 400 || error.status === 409 ? new CliError(`Failed to acquire deployment lock: deploy lock is already held. Use --force-lock to override`) : error;
  });
  try {
    const known = JSON.parse(String((await readFile(env, `${state}/resources.json`)) ?? '{"jobs":{}}'));
    for (const [from, to] of wheelsOf(config, cwd)) {
      process.stderr.write(`Uploading ${relative(cwd, from)}...\n`);
      await upload(to, readFileSync(from));
    }
    process.stderr.write(`Uploading bundle files to ${files}...\n`);
    for (const path of filesBelow(cwd, cwd)) {
      if (path.startsWith(".databricks/")) continue;
      const folder = `${files}/${path}`.split("/").slice(0, -1).join("/");
      await api(env, "POST", "/api/2.0/workspace/mkdirs", { json: { path: folder } });
      await upload(`${files}/${path}`, readFileSync(join(cwd, path)));
    }
    process.stderr.write("Deploying resources...\n");
    const { jobs, experiments } = asDeployed(config, user);
    for (const { name, tags = [] } of Object.values(experiments)) {
      const there = await api(env, "GET", "/api/2.0/mlflow/experiments/get-by-name", { query: { experiment_name: name } }).catch(missing);
      if (there === undefined) await api(env, "POST", "/api/2.0/mlflow/experiments/create", { json: { name, tags } });
    }
    const next = { jobs: {} };
    for (const [key, { settings }] of Object.entries(jobs)) {
      const id = known.jobs[key];
      if (id === undefined) next.jobs[key] = (await api(env, "POST", "/api/2.2/jobs/create", { json: settings })).job_id;
      else {
        await api(env, "POST", "/api/2.2/jobs/reset", { json: { job_id: id, new_settings: settings } });
        next.jobs[key] = id;
      }
    }
    for (const [key, id] of Object.entries(known.jobs)) if (!(key in jobs)) await api(env, "POST", "/api/2.2/jobs/delete", { json: { job_id: id } });
    process.stderr.write("Updating deployment state...\n");
    await upload(`${state}/resources.json`, JSON.stringify(next));
    process.stderr.write("Deployment complete!\n");
  } finally {
    await api(env, "POST", "/api/2.0/workspace/delete", { json: { path: lock } });
  }
}

async function readFile(env, path) {
  const found = await api(env, "GET", "/api/2.0/workspace/export", { query: { path, format: "AUTO" } }).catch(missing);
  return found === undefined ? undefined : Buffer.from(found.content, "base64").toString("utf8");
}

async function summary(config, env) {
  const known = JSON.parse((await readFile(env, `${config.workspace.state_path}/resources.json`)) ?? '{"jobs":{}}');
  const jobs = Object.fromEntries(Object.entries(config.resources?.jobs ?? {}).map(([key, job]) => [key, { id: known.jobs[key] && String(known.jobs[key]), name: job.name }]));
  process.stdout.write(`${JSON.stringify({ bundle: config.bundle, workspace: config.workspace, resources: { jobs } }, null, 2)}\n`);
  return 0;
}

function filesBelow(folder, root) {
  if (!existsSync(folder) || folder === "/") return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? filesBelow(join(folder, entry.name), root) : [relative(root, join(folder, entry.name))],
  );
}
