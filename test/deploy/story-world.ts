import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import * as z from "zod";
import { makeFolder, writeParquet } from "../data/harness.ts";
import { type StandIn, standIn } from "../fakes/databricks-cli/stand-in.ts";
import { hooksOf } from "../fakes/workspace/hooks.ts";
import { type FakeWorkspace, startWorkspace } from "../fakes/workspace/server.ts";
import { factory, type Home, makeHome, type Ran } from "../support/factory.ts";
import { entriesIn } from "../support/line.ts";
import { makeCertificates } from "../support/spark/certificates.ts";
import { runSql, type SparkServer, sparkServer } from "../support/spark/spark-server.ts";
import { runWheelTask, type TaskCall } from "./wheel-task.ts";
import { RUN_AS } from "./world.ts";

export const ENVIRONMENTS = ["dev", "test", "prod"] as const;
export type Name = (typeof ENVIRONMENTS)[number];
/** Spark without Databricks has one catalog that holds Delta tables, under this name. */
export const CATALOGS: Readonly<Record<Name, string>> = { dev: "spark_catalog", test: "test", prod: "prod" };
export const ADDRESSES = {
  author: "you@example.com",
  approver: "approver@example.com",
  ci: "ci-claims@example.com",
} as const;
export type Who = keyof typeof ADDRESSES;
const READERS = "model-readers";

const answer = z.object({
  ok: z.boolean(),
  data: z.unknown(),
  error: z.object({ code: z.string(), message: z.string() }).optional(),
});

export interface StoryWorld {
  project: string;
  spark: SparkServer;
  /** Name of the table that the training job reads. */
  table: string;
  cli: StandIn;
  /** What the tasks of the training job ran, oldest first. */
  tasks: TaskCall[];
  at(name: Name): FakeWorkspace;
  /** Where a workspace is reached. */
  address(name: Name): string;
  /** Types a command; throws unless it ends with this status. */
  run(who: Who, args: readonly string[], status?: number): Promise<Ran>;
  /** The same with `--json`: what stands under `data`. */
  ask<T>(who: Who, args: readonly string[], shape: z.ZodType<T>, status?: number): Promise<T>;
  edit(path: string, before: string, after: string): void;
  commit(message: string): string;
  /** Statements past the product. */
  sql(statements: readonly string[]): Promise<Record<string, unknown>[]>;
  ledger(): { kind: string; body: unknown }[];
  remove(): Promise<void>;
}

/**
 * Three workspaces that know nothing of each other, an organisation of three whose policy is signed, and the template's project, which
 * learns from a table on a job in dev. Dev has a SQL warehouse, and so it is reached by https, as every workspace is.
 */
export async function storyWorld(): Promise<StoryWorld> {
  const folder = mkdtempSync(join(tmpdir(), "factory-story-"));
  const certificates = makeCertificates(folder);
  const fakes = new Map<Name, FakeWorkspace>();
  for (const name of ENVIRONMENTS)
    fakes.set(name, await startWorkspace({ ...settled(name), ...(name === "dev" && { tls: certificates }) }));
  const at = (name: Name): FakeWorkspace => {
    const fake = fakes.get(name);
    if (fake === undefined) throw new Error(`no workspace ${name}`);
    return fake;
  };
  // Only who checks asks the warehouse.
  const { token } = at("dev").identity(ADDRESSES.author);
  const spark = await sparkServer({ token, certificates, workspaceUrl: at("dev").url });
  const address = (name: Name): string => (name === "dev" ? spark.url : at(name).url);
  const sql: StoryWorld["sql"] = (statements) =>
    runSql({ port: spark.port, caFile: spark.caFile, token, path: spark.httpPath }, statements);

  const home = makeHome();
  const cli = standIn(join(home.folder, "cli"));
  const people = peopleOf(home, trusted(folder, certificates.ca), (who) => ({
    profiles: ENVIRONMENTS.map((name) => {
      const { token } = at(name).identity(who === "ci" ? `factory-${name}` : ADDRESSES[who]);
      return `[${name}]\nhost = ${address(name)}\ntoken = ${token}\n`;
    }).join("\n"),
    variables: { DATABRICKS_CLI_PATH: cli.path },
  }));
  const governance = join(home.folder, "governance.git");
  execFileSync("git", ["init", "--quiet", "--bare", governance], { env: home.variables });
  const models = join(home.folder, "models");
  const project = join(models, "claims-triage");
  mkdirSync(models);

  const run: StoryWorld["run"] = async (who, args, status = 0) => {
    const cwd = existsSync(project) ? project : models;
    const ran = await factory(args, { cwd, variables: people[who], timeoutMs: 600_000 });
    if (ran.status !== status)
      throw new Error(`factory ${args.join(" ")} ended with ${ran.status}:\n${ran.stdout}\n${ran.stderr}`);
    return ran;
  };
  const ask: StoryWorld["ask"] = async (who, args, shape, status = 0) => {
    const ran = await run(who, [...args, "--json"], status);
    return shape.parse(answer.parse(JSON.parse(ran.stdout)).data);
  };
  const git = (...args: string[]) =>
    execFileSync("git", args, { cwd: project, env: people.author, encoding: "utf8" }).trim();
  const edit: StoryWorld["edit"] = (path, before, after) => {
    const text = readFileSync(join(project, path), "utf8");
    if (text.split(before).length !== 2) throw new Error(`${path} does not hold once: ${before}`);
    writeFileSync(
      join(project, path),
      text.replace(before, () => after),
    );
  };
  const commit: StoryWorld["commit"] = (message) => {
    git("add", "--all");
    git("commit", "--quiet", "--no-verify", "--message", message);
    return git("rev-parse", "HEAD");
  };

  const tasks: TaskCall[] = [];
  const schema = await spark.newSchema();
  const table = `${CATALOGS.dev}.${schema}.claims`;
  const world: StoryWorld = {
    project,
    spark,
    table,
    cli,
    tasks,
    at,
    address,
    run,
    ask,
    edit,
    commit,
    sql,
    ledger: () =>
      entriesIn(
        execFileSync("git", ["--git-dir", governance, "show", "ledger:claims-triage.jsonl"], {
          env: home.variables,
          encoding: "utf8",
          maxBuffer: 64 << 20,
        }),
      ),
    async remove() {
      await spark.stop();
      await Promise.all([...fakes.values()].map((fake) => fake.stop()));
      home.remove();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await organisation(world, models, governance, people);
  await newProject(world, schema);
  await layTable(world);
  const [detail] = await sql([`DESCRIBE DETAIL ${table}`]);
  const compute = {
    python: join(project, ".venv/bin/python"),
    tables: { [table]: new URL(String(detail?.location)).pathname },
    variables: people.author,
    host: address("dev"),
    token,
  };
  const { state } = at("dev");
  hooksOf(state).task = (played) => runWheelTask(played, state, compute, tasks);
  return world;
}

/** Who and what is in the workspace of an environment, with the rights of docs/databricks.md. */
function settled(name: Name) {
  const catalog = CATALOGS[name];
  const to = `factory-${name}`;
  const volume = `${catalog}.claims.factory_evidence`;
  return {
    principals: [
      { name: to },
      { name: "jobs-of-claims", kind: "service-principal" as const, applicationId: RUN_AS },
      { name: ADDRESSES.author, groups: [READERS] },
      { name: ADDRESSES.approver, groups: [READERS] },
    ],
    catalogs: [{ name: catalog, schemas: [{ name: "claims", volumes: ["factory_evidence"] }] }],
    grants: [
      { on: `catalog ${catalog}` as const, to, privileges: ["USE_CATALOG"] },
      { on: `schema ${catalog}.claims` as const, to, privileges: ["USE_SCHEMA", "CREATE_MODEL"] },
      { on: `volume ${volume}` as const, to, privileges: ["READ_VOLUME", "WRITE_VOLUME"] },
      { on: `catalog ${catalog}` as const, to: READERS, privileges: ["USE_CATALOG"] },
      { on: `schema ${catalog}.claims` as const, to: READERS, privileges: ["USE_SCHEMA", "EXECUTE"] },
      { on: `volume ${volume}` as const, to: READERS, privileges: ["READ_VOLUME"] },
    ],
  };
}

/** The authorities that this machine trusts already, and the workspace's: what a company gives its machines. */
function trusted(folder: string, ca: string): Record<string, string> {
  const known = process.env.SSL_CERT_FILE ?? "/etc/ssl/certs/ca-certificates.crt";
  const path = join(folder, "trusted.pem");
  writeFileSync(path, `${existsSync(known) ? readFileSync(known, "utf8") : ""}\n${ca}`);
  return { SSL_CERT_FILE: path, REQUESTS_CA_BUNDLE: path, CURL_CA_BUNDLE: path, NODE_EXTRA_CA_CERTS: path };
}

type People = Record<Who, Record<string, string>>;

/** Three people, each with a home of their own; `own` is what is theirs. */
function peopleOf(
  home: Home,
  trust: Readonly<Record<string, string>>,
  own: (who: Who) => { profiles: string; variables: Record<string, string> },
): People {
  const person = (who: Who): Record<string, string> => {
    const { profiles, variables } = own(who);
    const folder = join(home.folder, who);
    mkdirSync(folder);
    writeFileSync(join(folder, ".databrickscfg"), profiles, { mode: 0o600 });
    return {
      ...home.variables,
      ...trust,
      ...variables,
      HOME: folder,
      XDG_CONFIG_HOME: join(folder, ".config"),
      XDG_CACHE_HOME: join(folder, ".cache"),
      GIT_AUTHOR_EMAIL: ADDRESSES[who],
      GIT_COMMITTER_EMAIL: ADDRESSES[who],
    };
  };
  return { author: person("author"), approver: person("approver"), ci: person("ci") };
}

/** Keys, the policy with three workspaces, its signature, and change tickets. */
async function organisation(world: StoryWorld, models: string, governance: string, people: People): Promise<void> {
  await world.run("author", ["init", "--organisation", "Example Mutual", "--databricks", "--ledger-url", governance]);
  const made = z.object({ publicKey: z.string() });
  const pem = join(models, "../ci-claims.pem");
  const author = await world.ask("author", ["keys", "new", ADDRESSES.author], made);
  const approver = await world.ask("approver", ["keys", "new", ADDRESSES.approver], made);
  const ci = await world.ask("author", ["keys", "new", ADDRESSES.ci, "--service", "--out", pem], made);
  people.ci.FACTORY_SIGNING_KEY = readFileSync(pem, "utf8");
  rmSync(pem);
  const path = join(models, "policy.yaml");
  const keys = ({ publicKey }: { publicKey: string }) => [{ key: publicKey, from: "2026-01-01" }];
  const policy = {
    ...z.record(z.string(), z.unknown()).parse(parse(readFileSync(path, "utf8"))),
    environments: ENVIRONMENTS.map((name) => ({
      name,
      catalog: CATALOGS[name],
      registry: { kind: "unity-catalog", profile: name, host: world.address(name) },
      ...(name === "dev" && { warehouse: world.spark.warehouse.id }),
    })),
    projects: { "claims-triage": { productLine: "claims", riskTier: "medium", owner: ADDRESSES.author } },
    roles: { "policy-owner": [ADDRESSES.approver], "model-risk": [ADDRESSES.approver] },
    people: {
      [ADDRESSES.author]: { keys: keys(author) },
      [ADDRESSES.approver]: { keys: keys(approver) },
      [ADDRESSES.ci]: { kind: "service", keys: keys(ci) },
    },
  };
  writeFileSync(path, stringify(policy));
  const ticket = { state: "approved", project: "claims-triage", environment: "prod", summary: "a model" };
  writeFileSync(
    join(models, "tickets.yaml"),
    stringify({ factory: 1, tickets: { "CHG-1001": ticket, "CHG-1002": ticket } }),
  );
  await world.run("approver", ["policy", "sign"]);
}

/** The template's project, changed as its docs/databricks.md says for a job that learns from a table. */
async function newProject(world: StoryWorld, schema: string): Promise<void> {
  await world.run("author", ["new", "claims-triage", "--yes"]);
  world.edit("factory.yaml", "source: data/claims.csv", "source: warehouse");
  world.edit("factory.yaml", "  data: [data/claims.csv] ", "  # ");
  world.edit("contracts/claims.odcs.yaml", "- name: claims\n", `- name: claims\n    physicalName: ${schema}.claims\n`);
  world.edit("databricks.yml", 'default: ""', `default: ${RUN_AS}`);
  world.edit("databricks.yml", "catalog: dev\n", `catalog: ${CATALOGS.dev}\n      claims_table: ${world.table}\n`);
  // The cheapest command that makes the project's Python environment, and its lock.
  await world.run("author", ["check", "--project-only", "--only", "lint"]);
  world.commit("Learn from a table");
}

async function layTable({ project, table, sql }: StoryWorld): Promise<void> {
  const work = makeFolder();
  try {
    const csv = join(project, "data/claims.csv");
    const file = await writeParquet(join(work.path, "claims.parquet"), `select * from read_csv('${csv}')`);
    await sql([`create table ${table} using delta as select * from parquet.\`${file}\``]);
  } finally {
    work.remove();
  }
}
