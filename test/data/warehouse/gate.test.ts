import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkAnswer, readyProject, type TestProject } from "../../support/project.ts";
import {
  runSql,
  SPARK_READY_MS,
  type SparkServer,
  sparkMissing,
  sparkServer,
} from "../../support/spark/spark-server.ts";
import { makeFolder, writeParquet } from "../harness.ts";

const missing = sparkMissing();
let spark: SparkServer;
let project: TestProject;
let table: string;
const folder = makeFolder();
const sql = (statements: readonly string[]) =>
  runSql({ port: spark.port, caFile: spark.caFile, token: spark.token, path: spark.httpPath }, statements);
/** The data gate alone, as a user runs it. */
const check = (...more: string[]) => project.run(["check", "--only", "data", "--json", ...more]);

/** The reports of the data gate in the newest evidence. */
function sealedReports() {
  const path = join(project.folder, ".factory/evidence/latest");
  const root = join(project.folder, ".factory/evidence", readFileSync(path, "utf8").trim());
  const found = readdirSync(root, { recursive: true }).find((name) => String(name).endsWith("data-checks.json"));
  return JSON.parse(readFileSync(join(root, String(found)), "utf8"));
}

beforeAll(async () => {
  if (missing !== undefined) return;
  spark = await sparkServer({ own: true });
  const schema = await spark.newSchema();
  project = await readyProject({ server: true });
  const csv = join(project.folder, "data/claims.csv");
  const file = await writeParquet(join(folder.path, "claims.parquet"), `select * from read_csv('${csv}')`);
  table = `spark_catalog.${schema}.claims`;
  await sql([`create table ${table} using delta as select * from parquet.\`${file}\``]);
  const policy = join(project.root, "policy.yaml");
  const text = readFileSync(policy, "utf8").replace(
    /name: dev, +catalog: [a-z_]+,/,
    `name: dev, catalog: spark_catalog, warehouse: ${spark.warehouse.id},`,
  );
  expect(text).toContain(spark.warehouse.id);
  writeFileSync(policy, text);
  const { HOME = "" } = project.home.variables;
  mkdirSync(HOME, { recursive: true });
  writeFileSync(join(HOME, ".databrickscfg"), spark.profile.replace("[spark]", "[dev]"));
  project.home.variables.NODE_EXTRA_CA_CERTS = spark.caFile;
  project.edit("factory.yaml", "source: data/claims.csv", "source: warehouse");
  project.edit(
    "contracts/claims.odcs.yaml",
    "  - name: claims\n",
    `  - name: claims\n    physicalName: ${schema}.claims\n`,
  );
  project.git("commit", "--quiet", "--no-verify", "--all", "--message", "The data gate reads the warehouse");
  expect(await project.run(["train"])).toMatchObject({ status: 0 });
}, SPARK_READY_MS + 600_000);
afterAll(async () => {
  if (missing !== undefined) return;
  await project?.remove();
  await spark?.stop();
  folder.remove();
});

describe.skipIf(missing !== undefined)("source: warehouse", { timeout: 600_000 }, () => {
  test("the gate passes; the evidence names table, version and statements; the run must say what it was trained on", async () => {
    const before = spark.shim.statements.length;
    const ran = await check();
    const answer = checkAnswer(ran);
    expect([answer.status, answer.data?.gates.find((gate) => gate.gate === "data")]).toMatchObject([
      0,
      { verdict: "pass" },
    ]);
    expect(answer.data?.gates.find((gate) => gate.gate === "data")?.summary).toContain(`of ${table} version 0`);
    expect(spark.shim.statements.length - before).toBe(3);
    const [report] = sealedReports();
    expect(report.source).toMatchObject({
      path: `warehouse/${table}`,
      table: { name: table, version: 0 },
      rows: 20190,
    });
    expect(new Set(report.statements.map(({ id }: { id: string }) => id)).size).toBe(3);
    expect(report.engine).toBe(`databricks-sql-warehouse ${spark.warehouse.id}`);
    expect(answer.data?.notRegistrable.join("\n")).toContain(`warehouse/${table}`);
    expect(ran.stdout + ran.stderr).not.toContain(spark.token);
  });
  test("a stopped warehouse is awaited, with a message", async () => {
    spark.warehouse.states = ["STOPPED", "STARTING", "RUNNING"];
    const ran = await project.run(["check", "--only", "data"]);
    expect(ran.status).toBe(0);
    expect(ran.stderr).toContain("stopped: waiting for it");
  });
  test("a bad row fails the gate, and no value of it comes back", async () => {
    await sql([
      `insert into ${table} select 'MY-SECRET', 999, lncoins, idp, lpi, fmde, physlm, disea, hlthg, hlthf, hlthp from ${table} limit 1`,
    ]);
    const ran = await check();
    const answer = checkAnswer(ran);
    const gate = answer.data?.gates.find((each) => each.gate === "data");
    expect([answer.status, gate?.verdict]).toEqual([3, "fail"]);
    expect(gate?.findings.map(({ detail }) => detail?.split(";")[0])).toEqual([
      "1 row of 20,191 (0.0050 %)",
      "1 row of 20,191 (0.0050 %)",
    ]);
    expect(ran.stdout + ran.stderr + JSON.stringify(sealedReports())).not.toContain("MY-SECRET");
    expect(sealedReports()[0].source.table.version).toBe(1);
  });
  test("Ctrl-C ends the statement on the warehouse", async () => {
    endless();
    const ran = await project.run(["check", "--only", "data", "--project-only"], {
      started: (child) => void whenCounting().then(() => child.kill("SIGINT")),
      timeoutMs: 500_000,
    });
    expect([ran.status, ran.stderr]).toEqual([130, expect.stringContaining("interrupted")]);
    // Its tasks are no measure: a join of this kind looks for its end once a row only.
    const cancelled = [{ before: "running", after: "cancelled" }];
    await expect.poll(() => spark.shim.cancelled, { timeout: 60_000, interval: 100 }).toEqual(cancelled);
    project.revert();
  });
  test("a server that dies in mid-statement is exit 4, never a pass", async () => {
    endless();
    const ran = await project.run(["check", "--only", "data", "--project-only", "--json"], {
      started: () => void whenCounting().then(() => spark.kill()),
      timeoutMs: 500_000,
    });
    const answer = checkAnswer(ran);
    expect([answer.status, answer.error]).toMatchObject([4, { exit: 4, code: "sql.unreachable" }]);
  });
});

/** A query that no machine ends. */
function endless(): void {
  project.edit(
    "contracts/claims.odcs.yaml",
    "      - type: sql\n        name: at most one self-rating\n",
    "      - { type: sql, name: endless, query: 'select count(*) from claims a join claims b on a.mdvis <> b.idp join claims c on c.mdvis <> a.idp join claims d on d.mdvis <> c.lpi', mustBe: 0 }\n      - type: sql\n        name: at most one self-rating\n",
  );
}

/** Once the statement that counts has reached the server, and some time has passed. */
async function whenCounting(): Promise<void> {
  const before = spark.shim.statements.length;
  while (spark.shim.statements.length < before + 3) await pause(100);
  await pause(3000);
}
