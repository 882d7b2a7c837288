import type { Contract, ContractProperty, ContractTable, QualityRule } from "../contracts/contract.ts";
import { type Binding, bindColumns } from "./bind-columns.ts";
import type { BoundColumn, DataCheck, FoundTable, Settled } from "./data-check.ts";
import { planProperty } from "./plan-property.ts";
import { planQuality, thresholdsOf } from "./plan-quality.ts";
import { holdsAll } from "./thresholds.ts";

/** The table of a contract that a file is judged by: the only one, or the one named like the file; undefined if neither. */
export function chooseTable(contract: Contract, fileName: string): ContractTable | undefined {
  const tables = contract.document.schema;
  if (tables.length === 1) return tables[0];
  const stem = fileName.replace(/\.[^.]*$/, "");
  return tables.find((table) => table.name === stem || table.physicalName === stem);
}

/**
 * Every check that the contract asks for, in the contract's order. Nothing is left out: what cannot be run is
 * there with its reason. A table without a single rule gives no checks, which is never a pass.
 */
export function planChecks(contract: Contract, table: ContractTable, found: FoundTable): DataCheck[] {
  const bindings = bindColumns(table, found);
  const at = ["schema", contract.document.schema.indexOf(table)] as const;
  const lineOf = (...path: readonly PropertyKey[]) => {
    const line = contract.lineOf([...at, ...path]);
    return line === undefined ? {} : { line };
  };
  const checks: DataCheck[] = [];
  for (const [i, property] of (table.properties ?? []).entries()) {
    const binding = bindings.get(property.name);
    if (binding === undefined) continue;
    const lineAt = (...path: readonly PropertyKey[]) => lineOf("properties", i, ...path);
    checks.push(...planProperty(table.name, property, binding, lineAt));
    for (const [j, rule] of (property.quality ?? []).entries()) {
      checks.push(
        planQuality({
          id: `${table.name}.${property.name}.quality[${j}]`,
          rule,
          property: binding,
          name: property.name,
          bindings,
          ...lineAt("quality", j),
        }),
      );
    }
  }
  const key = planPrimaryKey(table, bindings);
  if (key !== undefined)
    checks.push({
      ...key,
      ...lineOf(
        "properties",
        (table.properties ?? []).findIndex((p) => p.primaryKey),
      ),
    });
  for (const [j, rule] of (table.quality ?? []).entries()) {
    checks.push(planQuality({ id: `${table.name}.quality[${j}]`, rule, bindings, ...lineOf("quality", j) }));
  }
  for (const [j] of (table.relationships ?? []).entries()) {
    checks.push(
      listed(
        `${table.name}.relationships[${j}]`,
        "relationship to another table",
        "needs the other table, which this check does not read",
      ),
    );
  }
  // The check for rows is ours: it must not turn a contract that asks nothing into one that is kept.
  if (checks.every((check) => check.kind === "listed") || mayBeEmpty(table.quality ?? [])) return checks;
  return [{ ...rowsCheck(table.name), ...lineOf() }, ...checks];
}

/** An empty file passes every rule about its rows; unless the contract allows it in so many words, it fails. */
function mayBeEmpty(rules: readonly QualityRule[]): boolean {
  const counts = rules.filter((rule) => rule.metric === "rowCount" || rule.rule === "rowCount");
  return counts.length > 0 && counts.every((rule) => holdsAll(thresholdsOf(rule), 0));
}

function rowsCheck(table: string): DataCheck {
  return {
    id: `${table}.rows`,
    label: "there must be rows",
    kind: "rows",
    columns: [],
    expected: "> 0 rows",
    work: { measure: { of: "rows" }, thresholds: [{ operator: "mustBeGreaterThan", value: 0 }], unit: "rows" },
  };
}

function planPrimaryKey(table: ContractTable, bindings: ReadonlyMap<string, Binding>): DataCheck | undefined {
  const parts = (table.properties ?? [])
    .filter((property) => property.primaryKey === true)
    .sort((a, b) => position(a) - position(b));
  // A key of one column that is declared unique as well is one check, not two.
  if (parts.length === 0 || (parts.length === 1 && parts[0]?.unique === true)) return undefined;
  const names = parts.map((part) => part.name);
  return {
    id: `${table.name}.primaryKey`,
    label: `${names.join(" + ")} must be unique (primary key)`,
    kind: "unique",
    columns: names,
    expected: "no duplicates",
    work: duplicateWork(names, bindings),
  };
}

function position(property: ContractProperty): number {
  const { primaryKeyPosition } = property;
  return primaryKeyPosition === undefined || primaryKeyPosition < 0 ? Number.MAX_SAFE_INTEGER : primaryKeyPosition;
}

function duplicateWork(names: readonly string[], bindings: ReadonlyMap<string, Binding>): DataCheck["work"] {
  const columns: BoundColumn[] = [];
  for (const name of names) {
    const binding = bindings.get(name);
    if (binding === undefined || "missing" in binding) {
      return {
        verdict: "not-evaluated",
        reason: binding?.missing ?? `there is no property ${JSON.stringify(name)}`,
        blocks: true,
      };
    }
    columns.push(binding.column);
  }
  return { measure: { of: "duplicates", columns }, thresholds: [{ operator: "mustBe", value: 0 }], unit: "rows" };
}

function listed(id: string, label: string, reason: string): DataCheck {
  const work: Settled = { verdict: "not-evaluated", reason: `not executed: ${reason}`, blocks: false };
  return { id, label, kind: "listed", columns: [], expected: "-", work };
}
