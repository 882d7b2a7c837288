import { join } from "node:path";
import { openDuckDb } from "../../../src/clients/duckdb.ts";
import { checkData, type DataReport } from "../../../src/data/check-data.ts";
import { checkTable } from "../../../src/data/check-table.ts";
import type { Warehouse } from "../../../src/data/warehouse.ts";
import { sqlWorld } from "../../clients/sql/world.ts";
import { runSql, type SparkServer, sparkServer } from "../../support/spark/spark-server.ts";
import { makeFolder, writeParquet } from "../harness.ts";

/** The same rows as a Parquet file, which DuckDB judges, and as a Delta table, which Spark judges. */
export interface Rows {
  file: string;
  table: string;
}

export interface WarehouseWorld {
  spark: SparkServer;
  schema: string;
  folder: ReturnType<typeof makeFolder>;
  /** The session that the checks under test use. */
  warehouse: Warehouse;
  /** Statements past the product. */
  sql(statements: readonly string[]): Promise<Record<string, unknown>[]>;
  /** What a SELECT of DuckDB gives, as file and as table of this name. */
  lay(table: string, select: string): Promise<Rows>;
  byFile(contract: string, rows: Rows): Promise<DataReport>;
  byTable(contract: string, schema?: string): Promise<DataReport>;
  end(): Promise<void>;
}

const MAPPED = "tblproperties ('delta.columnMapping.mode' = 'name')";

export async function warehouseWorld(): Promise<WarehouseWorld> {
  const spark = await sparkServer();
  const schema = await spark.newSchema();
  const folder = makeFolder();
  const world = sqlWorld(spark);
  const warehouse = await world.warehouse({ utc: false });
  const { signal } = new AbortController();
  const sql = (statements: readonly string[]) =>
    runSql({ port: spark.port, caFile: spark.caFile, token: spark.token, path: spark.httpPath }, statements);
  return {
    spark,
    schema,
    folder,
    warehouse,
    sql,
    async lay(table, select) {
      const file = await writeParquet(join(folder.path, `${table.replace(/\W/g, "_")}.parquet`), select);
      const name = `spark_catalog.${schema}.\`${table.replaceAll("`", "``")}\``;
      await sql([`create or replace table ${name} using delta ${MAPPED} as select * from parquet.\`${file}\``]);
      return { file, table };
    },
    async byFile(contractText, rows) {
      const spill = makeFolder();
      const engine = await openDuckDb({ tempFolder: join(spill.path, "spill"), memoryLimitMb: 512, threads: 2 });
      try {
        const request = { contractPath: "c.odcs.yaml", contractText, sourcePath: rows.file, signal, report: () => {} };
        return await checkData(request, engine);
      } finally {
        engine.close();
        spill.remove();
      }
    },
    byTable: (contractText, of = schema) =>
      checkTable(
        {
          contractPath: "c.odcs.yaml",
          contractText,
          place: { catalog: "spark_catalog", schema: of },
          signal,
          report: () => {},
        },
        warehouse,
      ),
    async end() {
      await world.end();
      await spark.stop();
      folder.remove();
    },
  };
}

/** What a report says, apart from examples and what only one of the two back ends has. */
export function outcomes(report: DataReport): unknown[] {
  return report.checks.map(({ id, verdict, blocks, found, failedRows, surplusRows, totalRows }) => ({
    id,
    verdict,
    blocks,
    found,
    failedRows,
    surplusRows,
    totalRows,
  }));
}
