import { type QualityRule, ruleType } from "../contracts/contract.ts";
import type { Binding } from "./bind-columns.ts";
import type {
  BoundColumn,
  Condition,
  DataCheck,
  Measure,
  Operator,
  Scalar,
  Settled,
  Threshold,
  Unit,
} from "./data-check.ts";
import { few, unexecuted } from "./plan-options.ts";
import { thresholdText } from "./thresholds.ts";

export interface QualityRequest {
  id: string;
  rule: QualityRule;
  /** The property under which the rule stands; none for a rule of the table. */
  property?: Binding;
  name?: string;
  bindings: ReadonlyMap<string, Binding>;
  line?: number;
}

type Work = DataCheck["work"];

const SPELLINGS: readonly (readonly [keyof QualityRule & string, Operator])[] = [
  ["mustBe", "mustBe"],
  ["mustNotBe", "mustNotBe"],
  ["mustBeGreaterThan", "mustBeGreaterThan"],
  ["mustBeGreaterOrEqualTo", "mustBeGreaterOrEqualTo"],
  ["mustBeGreaterThanOrEqualTo", "mustBeGreaterOrEqualTo"],
  ["mustBeLessThan", "mustBeLessThan"],
  ["mustBeLessOrEqualTo", "mustBeLessOrEqualTo"],
  ["mustBeLessThanOrEqualTo", "mustBeLessOrEqualTo"],
];

/** Everything that the rule demands; with several operators all must hold. */
export function thresholdsOf(rule: QualityRule): Threshold[] {
  const single = SPELLINGS.flatMap(([key, operator]): Threshold[] => {
    const value = rule[key];
    return typeof value === "number" || typeof value === "boolean" ? [{ operator, value }] : [];
  });
  const { mustBeBetween, mustNotBeBetween } = rule;
  return [
    ...single,
    ...(mustBeBetween ? [{ operator: "mustBeBetween", value: mustBeBetween } as const] : []),
    ...(mustNotBeBetween ? [{ operator: "mustNotBeBetween", value: mustNotBeBetween } as const] : []),
  ];
}

/** The check for one quality rule. */
export function planQuality(request: QualityRequest): DataCheck {
  const { id, rule, name, line } = request;
  const type = ruleType(rule);
  const thresholds = thresholdsOf(rule);
  const unit: Unit = rule.unit ?? "rows";
  const expected =
    thresholds.map((threshold) => thresholdText(threshold, unit === "percent" ? " %" : "")).join(" and ") || "-";
  const base = {
    id,
    columns: rule.arguments?.properties ?? (name === undefined ? [] : [name]),
    ...(line !== undefined && { line }),
    expected,
  };
  if (type === "sql") {
    return {
      ...base,
      kind: "sql",
      label: titleOf(rule) ?? `${name ?? "sql rule"}: ${short(rule.query ?? "")}`,
      work: sqlWork(request, thresholds),
    };
  }
  if (type === "library") {
    return {
      ...base,
      kind: "metric",
      label: rule.name === undefined ? metricLabel(request, expected) : short(rule.name),
      work: metricWork(request, thresholds, unit),
    };
  }
  const reason =
    type === "text"
      ? "a rule in prose"
      : `a rule for ${rule.engine === undefined ? "another tool" : JSON.stringify(rule.engine)}`;
  return { ...base, kind: "listed", label: titleOf(rule) ?? `${type} rule`, work: unexecuted(reason) };
}

function titleOf(rule: QualityRule): string | undefined {
  const title = rule.name ?? rule.description;
  return title === undefined ? undefined : short(title);
}

function short(text: string): string {
  const line = text.trim().replace(/\s+/g, " ");
  return line.length > 90 ? `${line.slice(0, 89)}…` : line;
}

function metricLabel({ rule, name }: QualityRequest, expected: string): string {
  const { validValues, pattern, properties } = rule.arguments ?? {};
  const column = properties?.join(" + ") ?? name;
  const none = rule.mustBe === 0;
  switch (rule.metric ?? rule.rule) {
    case "rowCount":
      return `rows must be ${expected}`;
    case "nullValues":
    case "missingValues":
      return none ? `${column} must not be empty` : `empty values of ${column} must be ${expected}`;
    case "duplicateValues":
      return none ? `${column} must be unique` : `duplicates of ${column} must be ${expected}`;
    case "invalidValues": {
      const rules = [validValues && `one of ${few(validValues)}`, pattern && `like ${pattern}`]
        .filter(Boolean)
        .join(" and ");
      return none ? `${column} must be ${rules}` : `values of ${column} that are not ${rules} must be ${expected}`;
    }
    default:
      return `${column === undefined ? "" : `${column}: `}${rule.metric ?? rule.rule} ${expected}`;
  }
}

function sqlWork({ rule, property }: QualityRequest, thresholds: readonly Threshold[]): Work {
  if (property !== undefined && "missing" in property) return notEvaluated(property.missing);
  if (rule.unit === "percent") return failedPlan("a sql rule has no percent: let the query compute it");
  return { measure: { of: "answer", query: rule.query ?? "" }, thresholds, unit: "rows" };
}

function metricWork(request: QualityRequest, thresholds: readonly Threshold[], unit: Unit): Work {
  const { rule, property, bindings } = request;
  const metric = rule.metric ?? rule.rule;
  const measured = (measure: Measure): Work => ({ measure, thresholds, unit });
  if (thresholds.some(({ value }) => typeof value === "boolean")) return failedPlan("a count cannot be true or false");
  if (metric === "rowCount") return measured({ of: "rows" });
  if (metric === "duplicateValues" && rule.arguments?.properties !== undefined)
    return duplicates(rule.arguments.properties, bindings, measured);
  if (!["nullValues", "missingValues", "invalidValues", "duplicateValues"].includes(metric ?? "")) {
    return unexecuted(`the rule ${JSON.stringify(metric)} is none of the standard's metrics`);
  }
  if (property === undefined) return failedPlan(`${metric} is a rule about a column: put it under a property`);
  if ("missing" in property) return notEvaluated(property.missing);
  const { column } = property;
  if (metric === "duplicateValues") return measured({ of: "duplicates", columns: [column] });
  if (metric === "nullValues") return measured({ of: "violations", column, condition: { is: "missing", also: [] } });
  if (metric === "missingValues") {
    return measured({
      of: "violations",
      column,
      condition: { is: "missing", also: present(rule.arguments?.missingValues ?? []) },
    });
  }
  return invalid(rule, column, measured);
}

function invalid(rule: QualityRule, column: BoundColumn, measured: (measure: Measure) => Work): Work {
  const { validValues, pattern } = rule.arguments ?? {};
  const of: Condition[] = [];
  if (validValues !== undefined) of.push({ is: "notIn", values: present(validValues) });
  if (pattern !== undefined) {
    if (!column.fromText && column.family !== "string")
      return failedPlan(`a pattern is a rule about text, and the values are of type ${column.family}`);
    of.push({ is: "unlike", pattern });
  }
  if (of.length === 0) return failedPlan("invalidValues needs arguments.validValues or arguments.pattern");
  return measured({ of: "violations", column, condition: of.length === 1 && of[0] ? of[0] : { is: "any", of } });
}

function duplicates(
  names: readonly string[],
  bindings: ReadonlyMap<string, Binding>,
  measured: (measure: Measure) => Work,
): Work {
  const columns: BoundColumn[] = [];
  for (const name of names) {
    const binding = bindings.get(name);
    if (binding === undefined)
      return failedPlan(
        `there is no property ${JSON.stringify(name)} in the contract; have ${few([...bindings.keys()])}`,
      );
    if ("missing" in binding) return notEvaluated(binding.missing);
    columns.push(binding.column);
  }
  return measured({ of: "duplicates", columns });
}

/** NULL is missing, and never invalid, whether it is listed or not. */
function present(values: readonly (Scalar | null)[]): Scalar[] {
  return values.filter((value) => value !== null);
}

function notEvaluated(reason: string): Settled {
  return { verdict: "not-evaluated", reason, blocks: true };
}

function failedPlan(reason: string): Settled {
  return { verdict: "error", reason, blocks: true };
}
