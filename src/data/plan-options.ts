import type { TypeOptions } from "../contracts/contract.ts";
import { isNumeric, isTemporal, mayBeNan } from "./column-type.ts";
import type { BoundColumn, Condition, DataCheck, Limit, Scalar, Settled } from "./data-check.ts";
import { textFormat } from "./text-formats.ts";

/** A check before it has its id, its line and its column. */
export type Draft = Pick<DataCheck, "kind" | "label" | "expected"> & {
  outcome?: Settled;
  condition?: Condition;
  duplicates?: true;
  at: readonly PropertyKey[];
};

/** The limits of a property, as one check. */
export function rangeDrafts(name: string, options: TypeOptions, column: BoundColumn | undefined): Draft[] {
  const low = limitOf(options.minimum, options.exclusiveMinimum, true);
  const high = limitOf(options.maximum, options.exclusiveMaximum, false);
  if (low === undefined && high === undefined) return [];
  const expected = [
    low && `${low.exclusive ? ">" : "≥"} ${low.value}`,
    high && `${high.exclusive ? "<" : "≤"} ${high.value}`,
  ]
    .filter(Boolean)
    .join(" and ");
  const at = [
    "logicalTypeOptions",
    ["minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"].find(
      (key) => options[key] !== undefined && options[key] !== false,
    ) ?? "minimum",
  ];
  const draft = { kind: "range", label: `${name} must be ${expected}`, expected, at } as const;
  if (column === undefined) return [draft];
  const limits = [low, high].filter((limit) => limit !== undefined);
  const comparable = limits.every((limit) =>
    typeof limit.value === "number" ? isNumeric(column.family) : isTemporal(column.family),
  );
  if (!comparable)
    return [
      { ...draft, outcome: cannot(`limits of this kind cannot be compared with values of type ${column.family}`) },
    ];
  return [{ ...draft, condition: { is: "outside", ...(low && { low }), ...(high && { high }) } }];
}

/** v3.1 gives an exclusive limit its own value; v3.0 makes `minimum` exclusive with `true`. With two limits the tighter one counts. */
function limitOf(
  inclusive: number | string | undefined,
  exclusive: number | string | boolean | undefined,
  lower: boolean,
): Limit | undefined {
  if (typeof exclusive === "boolean" || exclusive === undefined) {
    return inclusive === undefined ? undefined : { value: inclusive, exclusive: exclusive === true };
  }
  if (inclusive === undefined) return { value: exclusive, exclusive: true };
  const tighter = lower ? inclusive > exclusive : inclusive < exclusive;
  return tighter ? { value: inclusive, exclusive: false } : { value: exclusive, exclusive: true };
}

/** Length and pattern. */
export function textDrafts(name: string, options: TypeOptions, column: BoundColumn | undefined): Draft[] {
  const { minLength: min, maxLength: max, pattern } = options;
  const drafts: Draft[] = [];
  const textual = column === undefined || column.fromText || column.family === "string";
  const wrong = textual ? {} : { outcome: cannot(`is a rule about text, and the values are of type ${column.family}`) };
  if (min !== undefined || max !== undefined) {
    const expected =
      min === undefined
        ? `at most ${max} characters`
        : max === undefined
          ? `at least ${min} characters`
          : `${min} to ${max} characters`;
    const condition = {
      is: "wrongLength",
      ...(min !== undefined && { min }),
      ...(max !== undefined && { max }),
    } as const;
    drafts.push({
      kind: "length",
      label: `${name} must have ${expected}`,
      expected,
      condition,
      at: ["logicalTypeOptions", min === undefined ? "maxLength" : "minLength"],
      ...wrong,
    });
  }
  if (pattern !== undefined) {
    drafts.push({
      kind: "pattern",
      label: `${name} must match ${pattern}`,
      expected: `matches ${pattern}`,
      condition: { is: "unlike", pattern },
      at: ["logicalTypeOptions", "pattern"],
      ...wrong,
    });
  }
  return drafts;
}

export function multipleDraft(name: string, step: number, column: BoundColumn | undefined): Draft {
  const draft = {
    kind: "range",
    label: `${name} must be a multiple of ${step}`,
    expected: `multiple of ${step}`,
    at: ["logicalTypeOptions", "multipleOf"],
  } as const;
  if (column === undefined) return draft;
  if (!isNumeric(column.family))
    return { ...draft, outcome: cannot(`is a rule about numbers, and the values are of type ${column.family}`) };
  if (mayBeNan(column.family) && !Number.isInteger(step))
    return { ...draft, outcome: cannot("a multiple of a fraction cannot be told exactly for floating point numbers") };
  return { ...draft, condition: { is: "notMultipleOf", step } };
}

export function formatDrafts(name: string, format: string, column: BoundColumn | undefined): Draft[] {
  const draft = {
    kind: "format",
    label: `${name} must have the format ${format}`,
    expected: format,
    at: ["logicalTypeOptions", "format"],
  } as const;
  const condition = textFormat(format);
  if (condition === undefined)
    return [
      { ...draft, kind: "listed", outcome: unexecuted(`the format ${JSON.stringify(format)} is not known here`) },
    ];
  if (condition === "any") return [];
  if (column === undefined) return [draft];
  const fits = condition.is === "outside" ? isNumeric(column.family) : column.fromText || column.family === "string";
  return [
    fits
      ? { ...draft, condition }
      : { ...draft, outcome: cannot(`the format does not fit values of type ${column.family}`) },
  ];
}

function cannot(reason: string): Settled {
  return { verdict: "error", reason, blocks: true };
}

/** What is only listed: it is no pass, and holds nothing up. */
export function unexecuted(reason: string): Settled {
  return { verdict: "not-evaluated", reason: `not executed: ${reason}`, blocks: false };
}

/** A list of values as a label may show it. */
export function few(values: readonly (Scalar | null)[]): string {
  const shown = values.slice(0, 5).map(String).join(", ");
  return values.length > 5 ? `${shown}, … (${values.length})` : shown;
}
