import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openWorkspace } from "../../../src/clients/databricks/open-workspace.ts";
import type { Workspace } from "../../../src/clients/databricks/workspace.ts";
import { openWarehouse, type SqlWarehouse, type WarehouseRequest } from "../../../src/clients/sql/warehouse.ts";
import { setUpHttp } from "../../../src/lib/http-settings.ts";
import type { SparkServer } from "../../support/spark/spark-server.ts";

/** A home with a profile for the workspace that the shim plays; requests of this process trust its certificate. */
export function sqlWorld(spark: SparkServer): {
  folder: string;
  workspace(): Promise<Workspace>;
  warehouse(more?: Partial<WarehouseRequest>): Promise<SqlWarehouse>;
  /** Closes what was opened. */
  end(): Promise<void>;
} {
  const folder = mkdtempSync(join(tmpdir(), "factory-sql-"));
  mkdirSync(join(folder, "config"));
  writeFileSync(join(folder, ".databrickscfg"), spark.profile);
  setUpHttp({ variables: { SSL_CERT_FILE: spark.caFile } });
  const opened: SqlWarehouse[] = [];
  const workspace = () =>
    openWorkspace(
      { profile: "spark" },
      {
        variables: {},
        home: folder,
        places: { config: join(folder, "config"), cache: join(folder, "cache") },
        version: "0.0.0",
      },
    );
  return {
    folder,
    workspace,
    async warehouse(more = {}) {
      const made = openWarehouse({ workspace: await workspace(), id: spark.warehouse.id, report: () => {}, ...more });
      opened.push(made);
      return made;
    },
    async end() {
      await Promise.all(opened.map((each) => each.close()));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
