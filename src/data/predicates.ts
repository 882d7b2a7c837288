import { isNumeric, isTemporal, mayBeNan } from "./column-type.ts";
import type { BoundColumn, Condition, Limit, Scalar } from "./data-check.ts";
import type { Dialect } from "./dialects/dialect.ts";

/** What a condition needs of a dialect: not where the rows come from. */
type Words = Omit<Dialect, "scan">;

/** The value as stored and the value as compared, as SQL. For Parquet they are the same. */
export function expressions(dialect: Words, column: BoundColumn): { raw: string; value: string } {
  const raw = `c${column.position}`;
  return { raw, value: column.fromText ? dialect.typed(raw, column) : raw };
}

/**
 * A predicate that is true for the rows that violate the condition, and never NULL: what cannot be decided violates.
 * Empty values violate only `missing`.
 */
export function violates(dialect: Words, column: BoundColumn, condition: Condition): string {
  const { raw } = expressions(dialect, column);
  if (condition.is === "missing") {
    const listed = memberOf(dialect, column, condition.also);
    return listed === undefined ? `(${raw} is null)` : `(${raw} is null or coalesce(${listed}, false))`;
  }
  return `(${raw} is not null and not coalesce(${holds(dialect, column, condition)}, false))`;
}

function holds(dialect: Words, column: BoundColumn, condition: Condition): string {
  const { raw, value } = expressions(dialect, column);
  // NaN is above every number for some back ends and below none for others: no comparison may see it.
  const number = (test: string) => (mayBeNan(column.family) ? `(not ${dialect.isNan(value)} and ${test})` : test);
  switch (condition.is) {
    case "missing":
      return `not ${violates(dialect, column, condition)}`;
    case "wrongType":
      return number(`${value} is not null`);
    case "outside": {
      const tests = [
        limit(dialect, column, value, condition.low, ">"),
        limit(dialect, column, value, condition.high, "<"),
      ].filter((test) => test !== undefined);
      return number(tests.length === 0 ? "false" : `(${tests.join(" and ")})`);
    }
    case "wrongLength": {
      const length = dialect.length(raw);
      const tests = [
        ...(condition.min === undefined ? [] : [`${length} >= ${dialect.number(condition.min, "integer")}`]),
        ...(condition.max === undefined ? [] : [`${length} <= ${dialect.number(condition.max, "integer")}`]),
      ];
      return `(${tests.join(" and ") || "false"})`;
    }
    case "unlike":
      return dialect.matches(raw, condition.pattern);
    case "notIn":
      return memberOf(dialect, column, condition.values) ?? "false";
    case "notMultipleOf":
      return number(`${dialect.remainder(value, dialect.number(condition.step, column.family))} = 0`);
    case "any":
      return `(${condition.of.map((part) => holds(dialect, column, part)).join(" and ") || "false"})`;
  }
}

function limit(
  dialect: Words,
  column: BoundColumn,
  value: string,
  { value: bound, exclusive }: Partial<Limit> = {},
  sign: "<" | ">",
): string | undefined {
  if (bound === undefined) return undefined;
  const literal = typeof bound === "number" ? dialect.number(bound, column.family) : dialect.moment(bound, column);
  return `${value} ${sign}${exclusive === true ? "" : "="} ${literal}`;
}

/** `value in (…)` with the listed values as the column's family spells them; undefined if none of them can ever be met. */
function memberOf(dialect: Words, column: BoundColumn, values: readonly Scalar[]): string | undefined {
  const { raw, value } = expressions(dialect, column);
  const typed: string[] = [];
  const texts: string[] = [];
  for (const item of values) {
    if (isNumeric(column.family)) {
      const number =
        typeof item === "number" ? item : typeof item === "string" && item.trim() !== "" ? Number(item) : Number.NaN;
      if (Number.isFinite(number)) typed.push(dialect.number(number, column.family));
      // A marker such as "N/A" stands in the text of a number column as it is.
      else if (column.fromText) texts.push(dialect.text(String(item)));
    } else if (isTemporal(column.family)) {
      typed.push(dialect.moment(String(item), column));
      if (column.fromText) texts.push(dialect.text(String(item)));
    } else if (column.family === "boolean") {
      if (typeof item === "boolean" || item === "true" || item === "false") typed.push(String(item));
      else if (column.fromText) texts.push(dialect.text(String(item)));
    } else {
      texts.push(dialect.text(String(item)));
    }
  }
  const tests = [
    ...(typed.length > 0 ? [`coalesce(${value} in (${typed.join(", ")}), false)`] : []),
    ...(texts.length > 0 ? [`${raw} in (${texts.join(", ")})`] : []),
  ];
  if (tests.length === 0) return undefined;
  return tests.length === 1 ? tests[0] : `(${tests.join(" or ")})`;
}
