import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readyProject, type TestProject } from "../../support/project.ts";
import { runSql, type SparkServer } from "../../support/spark/spark-server.ts";
import { makeFolder, writeParquet } from "../harness.ts";

/** A generated project whose data gate reads a table in a warehouse. */
export interface WarehouseProject {
  project: TestProject;
  /** Name of the table, which holds the project's own data. */
  table: string;
  /** Statements past the product. */
  sql(statements: readonly string[]): Promise<Record<string, unknown>[]>;
  remove(): Promise<void>;
}

/** With `server`: a real MLflow server behind its policy, and a run to judge. */
export async function warehouseProject(
  spark: SparkServer,
  { server = false }: { server?: boolean } = {},
): Promise<WarehouseProject> {
  const sql = (statements: readonly string[]) =>
    runSql({ port: spark.port, caFile: spark.caFile, token: spark.token, path: spark.httpPath }, statements);
  const schema = await spark.newSchema();
  const project = await readyProject({ server });
  const folder = makeFolder();
  const remove = async (): Promise<void> => {
    await project.remove();
    folder.remove();
  };
  try {
    const csv = join(project.folder, "data/claims.csv");
    const file = await writeParquet(join(folder.path, "claims.parquet"), `select * from read_csv('${csv}')`);
    const table = `spark_catalog.${schema}.claims`;
    await sql([`create table ${table} using delta as select * from parquet.\`${file}\``]);
    const policy = join(project.root, "policy.yaml");
    const text = readFileSync(policy, "utf8").replace(
      /name: dev, +catalog: [a-z_]+,/,
      `name: dev, catalog: spark_catalog, warehouse: ${spark.warehouse.id},`,
    );
    if (!text.includes(spark.warehouse.id)) throw new Error("policy.yaml has no environment dev with a catalog");
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
    if (server) {
      const trained = await project.run(["train"]);
      if (trained.status !== 0) throw new Error(`train ended with ${trained.status}:\n${trained.stderr}`);
    }
    return { project, table, sql, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}
