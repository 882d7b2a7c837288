import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { leaks, SHAPES } from "../../clients/databricks/planted.ts";
import { checkAnswer } from "../../support/project.ts";
import { SPARK_READY_MS, type SparkServer, sparkMissing, sparkServer } from "../../support/spark/spark-server.ts";
import { type WarehouseProject, warehouseProject } from "./project.ts";

const missing = sparkMissing();
let spark: SparkServer;
let world: WarehouseProject;
/** The data gate alone, as a user runs it. */
const check = (...more: string[]) => world.project.run(["check", "--only", "data", "--json", ...more]);

/** The reports of the data gate in the newest evidence. */
function sealedReports() {
  const evidence = join(world.project.folder, ".factory/evidence");
  const root = join(evidence, readFileSync(join(evidence, "latest"), "utf8").trim());
  const found = readdirSync(root, { recursive: true }).find((name) => String(name).endsWith("data-checks.json"));
  return JSON.parse(readFileSync(join(root, String(found)), "utf8"));
}

beforeAll(async () => {
  if (missing !== undefined) return;
  spark = await sparkServer();
  world = await warehouseProject(spark, { server: true });
}, SPARK_READY_MS + 600_000);
afterAll(async () => {
  await world?.remove();
  await spark?.stop();
});

describe.skipIf(missing !== undefined)("source: warehouse", { timeout: 600_000 }, () => {
  test("the gate passes; the evidence names table, version and statements; the run must say what it was trained on", async () => {
    const { table } = world;
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
    const ran = await world.project.run(["check", "--only", "data"]);
    expect(ran.status).toBe(0);
    expect(ran.stderr).toContain("stopped: waiting for it");
  });
  test("a statement that is refused with secrets in the error: none is in the report, the evidence, the trace", async () => {
    const { opaque: _, ...spoken } = SHAPES;
    const says = Object.values(spoken).join("\n");
    spark.shim.fault = { at: "server", matches: /count/, times: 100, says };
    const ran = await world.project.run(["check", "--only", "data", "--debug"]);
    expect([ran.status, spark.shim.fault.times]).toEqual([4, expect.any(Number)]);
    expect(spark.shim.fault.times).toBeLessThan(100);
    spark.shim.fault = undefined;
    expect(ran.stderr).toMatch(/GET https:\S+ → 200 in \d+ ms/);
    expect(JSON.stringify(sealedReports())).toContain("[USER_RAISED_EXCEPTION]");
    expect(leaks(ran.stdout + ran.stderr)).toEqual([]);
    const kept = readdirSync(join(world.project.folder, ".factory"), { recursive: true, withFileTypes: true });
    const files = kept.filter((each) => each.isFile()).map(({ parentPath, name }) => join(parentPath, name));
    expect(files.length).toBeGreaterThan(10);
    for (const path of files) expect(leaks(readFileSync(path, "latin1")), path).toEqual([]);
  });
  test("a bad row fails the gate, and no value of it comes back", async () => {
    const { table } = world;
    await world.sql([
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
});
