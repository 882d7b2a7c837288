import type { ContractProperty } from "../contracts/contract.ts";
import type { Binding } from "./bind-columns.ts";
import { declaredFamily, isCompatible, isTemporal, mayBeNan } from "./column-type.ts";
import type { BoundColumn, Condition, DataCheck, Scalar, Settled } from "./data-check.ts";
import { datePattern } from "./date-format.ts";
import { type Draft, few, formatDrafts, multipleDraft, rangeDrafts, textDrafts, unexecuted } from "./plan-options.ts";

type LineAt = (...path: readonly PropertyKey[]) => { line?: number };

const OPTIONS_LISTED = ["minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties", "required"];

/** The checks that a property asks for by itself (its quality rules come apart): presence first, then type and rules. */
export function planProperty(table: string, property: ContractProperty, binding: Binding, lineAt: LineAt): DataCheck[] {
  const { name } = property;
  const check = ({ kind, label, expected, outcome, condition, duplicates, at }: Draft): DataCheck => ({
    id: `${table}.${name}.${String(at[at.length - 1] ?? kind)}`,
    label,
    kind,
    columns: [name],
    ...lineAt(...at),
    expected,
    work: outcome ?? workOf(binding, condition, duplicates),
  });
  const present: Settled =
    "missing" in binding
      ? { verdict: "fail", reason: binding.missing, blocks: true }
      : { verdict: "pass", reason: "the column is there", blocks: false };
  const drafts: Draft[] = [
    { kind: "column", label: `column ${name} must be there`, expected: "present", outcome: present, at: [] },
    ...typeDrafts(property, binding),
    ...ruleDrafts(property, "missing" in binding ? undefined : binding.column),
    ...listedDrafts(property),
  ];
  return drafts.map(check);
}

function workOf(binding: Binding, condition: Condition | undefined, duplicates: true | undefined): DataCheck["work"] {
  if ("missing" in binding) return { verdict: "not-evaluated", reason: binding.missing, blocks: true };
  const { column } = binding;
  const thresholds = [{ operator: "mustBe", value: 0 }] as const;
  if (duplicates === true) return { measure: { of: "duplicates", columns: [column] }, thresholds, unit: "rows" };
  if (condition === undefined) return { verdict: "error", reason: "the rule could not be planned", blocks: true };
  return { measure: { of: "violations", column, condition }, thresholds, unit: "rows" };
}

function typeDrafts(property: ContractProperty, binding: Binding): Draft[] {
  const words = property.logicalType ?? property.physicalType;
  if (words === undefined) return [];
  const at = [property.logicalType === undefined ? "physicalType" : "logicalType"];
  const draft = { kind: "type", label: `${property.name} must be of type ${words}`, expected: words, at } as const;
  const declared = declaredFamily(property);
  const stop = (verdict: "fail" | "error" | "not-evaluated", reason: string): Draft[] => [
    { ...draft, outcome: { verdict, reason, blocks: true } },
  ];
  if (declared === undefined)
    return stop("not-evaluated", `the type ${JSON.stringify(words)} is not known here: give a logicalType`);
  if ("missing" in binding) return [draft];
  const { column } = binding;
  if (column.fromText) {
    if (declared === "array" || declared === "object")
      return stop("error", `a CSV cannot hold values of type ${words}`);
    if (isTemporal(declared) && column.format !== undefined && datePattern(column.format) === undefined) {
      return stop("error", `the date format ${JSON.stringify(column.format)} is not understood`);
    }
  } else if (!isCompatible(declared, column.family)) {
    return stop("fail", `the data holds ${column.family === "other" ? "another type" : column.family}`);
  } else if (!mayBeNan(column.family)) {
    return [{ ...draft, outcome: { verdict: "pass", reason: `the data holds ${column.family}`, blocks: false } }];
  }
  return [{ ...draft, condition: { is: "wrongType" } }];
}

function ruleDrafts(property: ContractProperty, column: BoundColumn | undefined): Draft[] {
  const { name, logicalTypeOptions: options = {} } = property;
  const drafts: Draft[] = [];
  if (property.required === true || property.primaryKey === true) {
    drafts.push({
      kind: "required",
      label: `${name} is required`,
      expected: "no empty values",
      condition: { is: "missing", also: [] },
      at: [property.required ? "required" : "primaryKey"],
    });
  }
  if (property.unique === true) {
    drafts.push({
      kind: "unique",
      label: `${name} must be unique`,
      expected: "no duplicates",
      duplicates: true,
      at: ["unique"],
    });
  }
  drafts.push(...rangeDrafts(name, options, column), ...textDrafts(name, options, column));
  if (options.multipleOf !== undefined) drafts.push(multipleDraft(name, options.multipleOf, column));
  if (options.format !== undefined && (column === undefined || !isTemporal(column.family)))
    drafts.push(...formatDrafts(name, options.format, column));
  if (property.enum !== undefined) {
    const values = property.enum.map((item): Scalar => (typeof item === "object" ? item.value : item));
    drafts.push({
      kind: "values",
      label: `${name} must be one of ${few(values)}`,
      expected: `one of ${few(values)}`,
      condition: { is: "notIn", values },
      at: ["enum"],
    });
  }
  return drafts;
}

function listedDrafts(property: ContractProperty): Draft[] {
  const list = (key: string, reason: string, at: readonly PropertyKey[]): Draft => ({
    kind: "listed",
    label: `${property.name}: ${key}`,
    expected: "-",
    outcome: unexecuted(reason),
    at,
  });
  const options = property.logicalTypeOptions ?? {};
  return [
    ...OPTIONS_LISTED.filter((key) => options[key] !== undefined).map((key) =>
      list(key, "rules about parts of a value are not checked", ["logicalTypeOptions", key]),
    ),
    ...(property.properties === undefined
      ? []
      : [list("nested properties", "nested properties are not checked", ["properties"])]),
    ...(property.items === undefined ? [] : [list("items", "items of an array are not checked", ["items"])]),
    ...(property.relationships === undefined
      ? []
      : [list("relationships", "needs the other table, which this check does not read", ["relationships"])]),
  ];
}
