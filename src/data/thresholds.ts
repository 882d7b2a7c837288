import type { Cell, Threshold } from "./data-check.ts";

const SIGNS = {
  mustBe: "=",
  mustNotBe: "≠",
  mustBeGreaterThan: ">",
  mustBeGreaterOrEqualTo: "≥",
  mustBeLessThan: "<",
  mustBeLessOrEqualTo: "≤",
  mustBeBetween: "between",
  mustNotBeBetween: "not between",
} as const;

/** A threshold in a person's words: `≤ 5 %`, `between 100 and 120`. */
export function thresholdText({ operator, value }: Threshold, unit = ""): string {
  const shown = typeof value === "object" ? `${value[0]} and ${value[1]}` : String(value);
  return `${SIGNS[operator]} ${shown}${unit}`;
}

/** True if the value keeps every threshold. NaN and what is no number keep none; no thresholds are never kept. */
export function holdsAll(thresholds: readonly Threshold[], value: Cell): boolean {
  return thresholds.length > 0 && thresholds.every((threshold) => holds(threshold, value));
}

function holds({ operator, value: limit }: Threshold, value: Cell): boolean {
  const asked = typeof limit === "boolean" ? Number(limit) : limit;
  const got = typeof value === "boolean" ? Number(value) : value;
  if (typeof got !== "number" && typeof got !== "bigint") return false;
  if (Number.isNaN(got)) return false;
  if (typeof asked === "object") {
    const inside = got >= asked[0] && got <= asked[1];
    return operator === "mustBeBetween" ? inside : operator === "mustNotBeBetween" && !inside;
  }
  // Relational operators compare bigint and number by exact value; equality is built from them.
  const equal = got >= asked && got <= asked;
  switch (operator) {
    case "mustBe":
      return equal;
    case "mustNotBe":
      return !equal;
    case "mustBeGreaterThan":
      return got > asked;
    case "mustBeGreaterOrEqualTo":
      return got >= asked;
    case "mustBeLessThan":
      return got < asked;
    case "mustBeLessOrEqualTo":
      return got <= asked;
    default:
      return false;
  }
}
