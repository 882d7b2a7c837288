import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  runSql,
  SPARK_READY_MS,
  type SparkServer,
  sparkMissing,
  sparkServer,
} from "../../support/spark/spark-server.ts";

describe.skipIf(sparkMissing() !== undefined)("the Spark server that plays a warehouse", () => {
  let spark: SparkServer;
  const sql = (...statements: string[]) => runSql({ ...spark, path: spark.httpPath }, statements);
  beforeAll(async () => {
    spark = await sparkServer();
  }, SPARK_READY_MS);
  afterAll(() => spark.stop());

  test("columns, text of any kind, Delta tables", async () => {
    expect(
      await sql("SELECT 1 AS a, 'b' AS b, true AS c, CAST(1.5 AS DOUBLE) AS d, CAST(NULL AS STRING) AS e"),
    ).toEqual([{ a: 1, b: "b", c: true, d: 1.5, e: null }]);
    const schema = await spark.newSchema();
    const rows = await sql(
      `CREATE TABLE ${schema}.t (n INT, s STRING) USING delta`,
      `INSERT INTO ${schema}.t VALUES (1, 'a\\\\b\\'c'), (2, 'ä 𝄞')`,
      `SELECT n, s FROM ${schema}.t ORDER BY n`,
    );
    expect(rows).toEqual([
      { n: 1, s: "a\\b'c" },
      { n: 2, s: "ä 𝄞" },
    ]);
  });

  test("only its own token is let in", async () => {
    await expect(runSql({ ...spark, path: spark.httpPath, token: "dapi0" }, ["SELECT 1"])).rejects.toThrow(/401/);
  });
});
