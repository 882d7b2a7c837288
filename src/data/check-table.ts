import * as z from "zod";
import { readContract } from "../contracts/read-contract.ts";
import { FactoryError, messageOf, outsideError, usageError } from "../lib/error.ts";
import { type Report, withTask } from "../lib/progress.ts";
import { bindColumns } from "./bind-columns.ts";
import { type DataReport, undeclared } from "./check-data.ts";
import type { FoundTable } from "./data-check.ts";
import { databricksDialect as dialect } from "./dialects/databricks.ts";
import { decide, evaluate } from "./evaluate.ts";
import { measureTable, type RanStatement } from "./measure-table.ts";
import { planChecks } from "./plan.ts";
import { tableIdentity, tableName } from "./table-name.ts";
import type { Warehouse } from "./warehouse.ts";

export interface TableCheckRequest {
  /** Shown in messages. */
  contractPath: string;
  contractText: string;
  /** Where the environment keeps its tables; the schema is for contracts that name none. */
  place: { catalog: string; schema: string };
  signal: AbortSignal;
  report: Report;
}

const history = z.object({ version: z.union([z.int().min(0), z.bigint(), z.string().regex(/^\d{1,15}$/)]) });
const column = z.object({ col_name: z.string(), data_type: z.string() });

/**
 * Judges one table of a warehouse by one contract, as `checkData` judges a file of the same rows. Every statement reads one
 * version of the table, so that all of them see the same rows whatever is written meanwhile; only counts come back.
 */
export async function checkTable(request: TableCheckRequest, warehouse: Warehouse): Promise<DataReport> {
  const started = performance.now();
  const { signal, report } = request;
  const contract = readContract(request.contractText, request.contractPath);
  const [table, ...others] = contract.document.schema;
  if (table === undefined || others.length > 0) {
    throw usageError(
      "data.table",
      `${request.contractPath} describes several tables`,
      "for a warehouse keep one table per contract",
    );
  }
  const name = tableName(contract, table, request.place);
  const shown = name.join(".");
  const statements: RanStatement[] = [];
  const ask = async (sql: string, answers: string, only: readonly string[]) => {
    signal.throwIfAborted();
    const answer = await warehouse.run(sql, { signal, only, counts: true });
    statements.push({ id: answer.statement, answers });
    return answer.rows;
  };
  const quoted = name.map(dialect.identifier).join(".");
  const { version, found } = await readTable().catch((error: unknown) => {
    signal.throwIfAborted();
    if (!(error instanceof FactoryError) || error.code !== "data.query") throw error;
    throw outsideError(
      "data.table",
      `the table ${shown} cannot be read as a Delta table: ${messageOf(error)}`,
      "name it in the contract's physicalName; ask for USE CATALOG, USE SCHEMA and SELECT",
      error,
    );
  });

  async function readTable(): Promise<{ version: number; found: FoundTable }> {
    const [latest] = z
      .array(history)
      .parse(await ask(`describe history ${quoted} limit 1`, "the table's version", ["version"]));
    if (latest === undefined) throw outsideError("data.table", `the table ${shown} has no history`);
    const number = Number(latest.version);
    const rows = await ask(`describe query select * from ${quoted} version as of ${number}`, "the table's columns", [
      "col_name",
      "data_type",
    ]);
    const columns = z.array(column).parse(rows);
    return {
      version: number,
      found: { format: "table", columns: columns.map((each) => ({ name: each.col_name, type: each.data_type })) },
    };
  }

  const checks = planChecks(contract, table, found);
  const bound = [...bindColumns(table, found).values()].flatMap((binding) =>
    "column" in binding ? [binding.column] : [],
  );
  const names = [
    ...new Map([table.name, table.physicalName ?? table.name].map((each) => [each.toLowerCase(), each])).values(),
  ];
  const {
    total,
    measured,
    statements: counted,
  } = await withTask(
    report,
    "data",
    `${checks.length} data checks of ${shown} version ${version}`,
    (advance) => {
      advance(0, `${shown} version ${version}: ${checks.length} checks`);
      return measureTable(
        {
          checks,
          source: { name, version, table: found },
          names,
          columns: bound,
          masked: bound.some((each) => each.masked !== undefined),
          signal,
        },
        warehouse,
      );
    },
    { total: checks.length, unit: "steps" },
  );
  const verdicts = checks.map((check) => evaluate(check, measured.get(check)));
  const { id, name: title, version: edition } = contract.document;
  const identity = tableIdentity(shown, version);
  return {
    ...decide(verdicts),
    contract: {
      path: request.contractPath,
      id,
      ...(title !== undefined && { name: title }),
      version: edition,
      digest: contract.digest,
    },
    source: {
      path: identity.path,
      format: "table",
      digest: identity.sha256,
      table: { name: shown, version },
      ...(total !== undefined && { rows: total }),
      undeclaredColumns: undeclared(bound, found),
    },
    engine: warehouse.version,
    checks: verdicts,
    statements: [...statements, ...counted],
    durationMs: performance.now() - started,
  };
}
