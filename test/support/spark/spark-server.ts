import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { freePort } from "../../../src/clients/port.ts";
import { acquireLock } from "../../../src/lib/lock.ts";
import { processVariables } from "../mlflow-server.ts";
import type { Certificates } from "./certificates.ts";
import { INSTALL_MS, sparkParts } from "./parts.ts";
import { type Shim, startShim, type WarehouseState } from "./shim.ts";

export { sparkMissing } from "./parts.ts";

/** Some ten seconds on a quiet machine; on one that is shared by many, minutes. */
const START_MS = 600_000;
/** Limit for a `beforeAll` that asks for a server: on a fresh machine it is installed first. */
export const SPARK_READY_MS = INSTALL_MS + 2 * START_MS;
const launcher = join(dirname(fileURLToPath(import.meta.url)), "launcher.py");

export interface SparkServer {
  /** Always `localhost`, which the certificate names. */
  host: string;
  port: number;
  /** `https://localhost:<port>`, the address of a workspace. */
  url: string;
  /** For NODE_EXTRA_CA_CERTS of the built program, or the driver's `customCaCert`. */
  caFile: string;
  token: string;
  /** `/sql/1.0/warehouses/<id>`. */
  httpPath: string;
  warehouse: WarehouseState;
  /** A text for `.databrickscfg`: the profile `spark`. */
  profile: string;
  shim: Shim;
  /** Name of a new schema, made in the catalog `spark_catalog`. */
  newSchema(): Promise<string>;
  /** Kills the Spark server itself with SIGKILL; only one of its own (`own: true`). */
  kill(): void;
  /** Ends the shim, and Spark too if it is its own. The shared one ends with the test run. */
  stop(): Promise<void>;
}

export interface SparkOptions {
  /** A Spark server of its own, for tests that kill it. Default: the one of this test run. */
  own?: boolean;
  workspaceUrl?: string;
  certificates?: Certificates;
  user?: string;
  token?: string;
  warehouseId?: string;
}

/**
 * A Spark Thrift server with Delta behind https, as the warehouse of a workspace that answers at the same address. Spark is started
 * once in a test run, by the first who asks; isolation is by schema.
 */
export async function sparkServer(options: SparkOptions = {}): Promise<SparkServer> {
  const folder = mkdtempSync(join(tmpdir(), "factory-spark-shim-"));
  const own =
    options.own === true ? await launch(mkdtempSync(join(tmpdir(), "factory-spark-own-")), process.pid) : undefined;
  const sparkPort = own?.port ?? (await sharedSpark());
  const token = options.token ?? `dapi${randomBytes(16).toString("hex")}`;
  const warehouse: WarehouseState = { id: options.warehouseId ?? "0a1b2c3d4e5f6a7b", states: ["RUNNING"] };
  const { workspaceUrl, certificates, user = "engineer@example.com" } = options;
  const shim = await startShim({ folder, sparkPort, token, warehouse, user, workspaceUrl, certificates });
  const url = `https://localhost:${shim.port}`;
  return {
    host: "localhost",
    port: shim.port,
    url,
    caFile: shim.caFile,
    token,
    httpPath: `/sql/1.0/warehouses/${warehouse.id}`,
    warehouse,
    profile: `[spark]\nhost = ${url}\ntoken = ${token}\n`,
    shim,
    async newSchema() {
      const name = `t_${randomBytes(6).toString("hex")}`;
      await runSql({ port: shim.port, caFile: shim.caFile, token, path: `/sql/1.0/warehouses/${warehouse.id}` }, [
        `CREATE SCHEMA ${name}`,
      ]);
      return name;
    },
    kill() {
      if (own === undefined) throw new Error("the shared server is not for killing");
      own.kill();
    },
    async stop() {
      await shim.stop();
      rmSync(folder, { recursive: true, force: true });
      if (own !== undefined) await own.stop();
    },
  };
}

type Row = Record<string, unknown>;

/** Statements as anybody could send them, through the driver and past the product. Rows of the last one. */
export async function runSql(
  { port, caFile, token, path }: { port: number; caFile: string; token: string; path: string },
  statements: readonly string[],
): Promise<Row[]> {
  const { DBSQLClient } = await import("@databricks/sql");
  const client = new DBSQLClient({ logger: { log: () => {} } });
  client.on("error", () => {});
  const customCaCert = readFileSync(caFile);
  await client.connect({ host: "localhost", port, path, token, customCaCert, telemetryEnabled: false });
  try {
    const session = await client.openSession();
    let rows: Row[] = [];
    for (const statement of statements) {
      const operation = await session.executeStatement(statement);
      rows = (await operation.fetchAll().catch((thrown: unknown) => fail(statement, thrown))).map((row) => ({
        ...row,
      }));
      await operation.close();
    }
    return rows;
  } finally {
    await client.close();
  }
}

/** What the server says, which the driver does not put into its message. */
function fail(statement: string, thrown: unknown): never {
  const said = thrown instanceof Error && "response" in thrown ? Object(thrown.response).errorMessage : thrown;
  throw new Error(`${statement.slice(0, 200)}: ${String(said).split("\n\tat")[0]}`);
}

/** The port of this test run's server. */
async function sharedSpark(): Promise<number> {
  // Test files are processes of their own below one that lives as long as the run.
  const owner = process.env.VITEST === undefined ? process.pid : process.ppid;
  const folder = join(tmpdir(), `factory-spark-of-${owner}`);
  const release = await acquireLock({ path: `${folder}.lock`, what: "the start of Spark", waitMs: SPARK_READY_MS });
  try {
    const known = existsSync(join(folder, "port")) ? Number(readFileSync(join(folder, "port"), "utf8")) : undefined;
    if (known !== undefined && (await accepts(known))) return known;
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const { port } = await launch(folder, owner);
    writeFileSync(join(folder, "port"), String(port));
    return port;
  } finally {
    release();
  }
}

async function launch(folder: string, owner: number): Promise<{ port: number; kill(): void; stop(): Promise<void> }> {
  const { python, jars } = await sparkParts();
  const port = await freePort();
  const log = join(folder, "spark.log");
  const out = openSync(log, "a");
  const { PYTHONPATH: _, SPARK_HOME: __, ...variables } = processVariables();
  const child = spawn(python, [launcher, String(port), join(folder, "warehouse"), jars, String(owner)], {
    cwd: folder,
    // A group of its own: the JVM is in it too.
    detached: true,
    stdio: ["ignore", out, out],
    env: { ...variables, SPARK_LOCAL_IP: "127.0.0.1", PYSPARK_PYTHON: python, TZ: "UTC", SPARK_LOCAL_DIRS: folder },
  });
  child.unref();
  const kill = (): void => killGroup(child);
  const stop = async (): Promise<void> => {
    kill();
    if (child.exitCode === null && child.signalCode === null)
      await new Promise((resolve) => child.once("close", resolve));
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  };
  for (const until = Date.now() + START_MS; Date.now() < until; await pause(200)) {
    const text = readFileSync(log, "utf8");
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`Spark ended:\n${text.slice(-3000)}`);
    if (text.includes("ready\n") && (await accepts(port))) return { port, kill, stop };
  }
  kill();
  throw new Error(`Spark did not start within ${START_MS / 1000} s:\n${readFileSync(log, "utf8").slice(-3000)}`);
}

function killGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
  } catch {
    // Gone already.
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}
