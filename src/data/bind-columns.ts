import type { ContractProperty, ContractTable } from "../contracts/contract.ts";
import { nearest } from "../lib/nearest.ts";
import { declaredFamily, physicalFamily } from "./column-type.ts";
import type { BoundColumn, Family, FoundTable } from "./data-check.ts";

export type Binding = { column: BoundColumn } | { missing: string };

const SHOWN = new Set(["public", "internal", "none", ""]);

/** Ties each property of the contract to the column that holds it: by exact name, else by exact physical name. */
export function bindColumns(table: ContractTable, found: FoundTable): ReadonlyMap<string, Binding> {
  return new Map((table.properties ?? []).map((property) => [property.name, bind(property, found)]));
}

function bind(property: ContractProperty, found: FoundTable): Binding {
  const names = found.columns.map((column) => column.name);
  const wanted = [property.name, ...(typeof property.physicalName === "string" ? [property.physicalName] : [])];
  const name = wanted.find((candidate) => names.includes(candidate));
  if (name === undefined) {
    const guess = nearest(property.name, names);
    return {
      missing: `there is no column ${JSON.stringify(property.name)}${guess === undefined ? "" : `; the data has ${JSON.stringify(guess)}`}`,
    };
  }
  if (names.filter((candidate) => candidate === name).length > 1)
    return { missing: `the data has the column ${JSON.stringify(name)} more than once` };
  const position = names.indexOf(name);
  const classification = property.classification?.trim() ?? "";
  const format = property.logicalTypeOptions?.format;
  return {
    column: {
      name: property.name,
      position,
      family: familyOf(property, found, position),
      fromText: found.format === "csv",
      ...(found.format !== "csv" && { type: found.columns[position]?.type ?? "" }),
      ...(format !== undefined && { format }),
      ...(!SHOWN.has(classification.toLowerCase()) && { masked: classification }),
    },
  };
}

/** In a CSV the contract says what the text means; a Parquet file and a table say it themselves. */
function familyOf(property: ContractProperty, found: FoundTable, position: number): Family {
  if (found.format !== "csv") return physicalFamily(found.columns[position]?.type ?? "");
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = property.logicalTypeOptions ?? {};
  const numeric = [minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf].some(
    (limit) => typeof limit === "number",
  );
  const family = declaredFamily(property) ?? (numeric ? "double" : "string");
  return family === "float" || family === "decimal" ? "double" : family;
}
