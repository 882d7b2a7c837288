import { checkData } from "../data/check-data.ts";
import { checkTable } from "../data/check-table.ts";
import type { DataEngine } from "../data/engine.ts";
import type { Warehouse } from "../data/warehouse.ts";
import type { CheckContract } from "../gates/data-gate.ts";
import type { Report } from "../lib/progress.ts";
import type { Environment } from "../policy/policy.ts";

/** What judges data: an engine for files, a warehouse for tables. */
export interface DataEngines {
  dataEngine(tempFolder: string): Promise<DataEngine & { close(): void }>;
  warehouse(environment: Environment, report: Report): Promise<Warehouse>;
}

/**
 * Checks contracts, each file in an engine of its own, all tables of an environment in one session of its warehouse. Call `close`
 * at the end, whatever came of it.
 */
export function contractChecker(
  engines: DataEngines,
  report: Report,
): { check: CheckContract; close: () => Promise<void> } {
  const sessions = new Map<string, Promise<Warehouse>>();
  const sessionOf = (environment: Environment): Promise<Warehouse> => {
    const known = sessions.get(environment.name) ?? engines.warehouse(environment, report);
    sessions.set(environment.name, known);
    return known;
  };
  return {
    async check({ progress, source, tempFolder, contractPath, contractText, signal }) {
      const onEvent: Report = (event) =>
        event.type === "task.advanced" && event.detail !== undefined && progress(event.detail);
      const asked = { contractPath, contractText, signal, report: onEvent };
      if ("environment" in source) {
        const place = { catalog: source.environment.catalog, schema: source.schema };
        return checkTable({ ...asked, place }, await sessionOf(source.environment));
      }
      const engine = await engines.dataEngine(tempFolder);
      try {
        return await checkData({ ...asked, sourcePath: source.path }, engine);
      } finally {
        engine.close();
      }
    },
    async close() {
      for (const session of sessions.values()) await session.then((opened) => opened.close()).catch(() => {});
    },
  };
}
