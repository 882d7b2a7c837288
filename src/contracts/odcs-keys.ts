import { nearest } from "../lib/nearest.ts";

/** Keys of the standard (v3.0 to v3.2) at each level; those that we do not act on are known, so that a slip is told from an extension. */
const ELEMENT =
  "id name physicalName physicalType logicalType description businessName authoritativeDefinitions tags customProperties deprecated relationships quality".split(
    " ",
  );

export const ROOT_KEYS =
  "version kind apiVersion id name tenant tags status servers dataProduct description domain schema support price team roles slaDefaultElement slaProperties authoritativeDefinitions customProperties contractCreatedTs variables context".split(
    " ",
  );
export const OBJECT_KEYS = [...ELEMENT, "dataGranularityDescription", "properties"];
export const PROPERTY_KEYS = [
  ...ELEMENT,
  ..."primaryKey primaryKeyPosition logicalTypeOptions required unique partitioned partitionKeyPosition classification encryptedName transformSourceObjects transformLogic transformDescription examples criticalDataElement properties items enum map default".split(
    " ",
  ),
];
export const OPTION_KEYS =
  "minimum maximum exclusiveMinimum exclusiveMaximum multipleOf minLength maxLength pattern format timezone defaultTimezone minItems maxItems uniqueItems minProperties maxProperties required".split(
    " ",
  );
export const OPERATOR_KEYS = [
  "mustBe",
  "mustNotBe",
  "mustBeGreaterThan",
  "mustBeGreaterOrEqualTo",
  "mustBeGreaterThanOrEqualTo",
  "mustBeLessThan",
  "mustBeLessOrEqualTo",
  "mustBeLessThanOrEqualTo",
  "mustBeBetween",
  "mustNotBeBetween",
] as const;
export const QUALITY_KEYS = [
  ..."id name description type metric rule arguments unit query engine implementation dimension method severity businessImpact customProperties tags authoritativeDefinitions scheduler schedule validValues scheduleCronExpression".split(
    " ",
  ),
  ...OPERATOR_KEYS,
];
export const ARGUMENT_KEYS = ["validValues", "pattern", "missingValues", "properties"];
export const METRICS = ["rowCount", "nullValues", "missingValues", "invalidValues", "duplicateValues"] as const;

/**
 * The problem with a key, if it has one. Where rules stand (`closed`) every unknown key is a problem: a rule that
 * is not understood would be a rule that is not applied. Elsewhere only a likely slip is; extensions are tolerated.
 */
export function keyProblem(key: string, known: readonly string[], closed: boolean): string | undefined {
  if (known.includes(key)) return undefined;
  const guess = nearest(key, known);
  if (guess !== undefined) return `unknown key ${JSON.stringify(key)}: did you mean ${JSON.stringify(guess)}?`;
  return closed ? `unknown key ${JSON.stringify(key)}; known here: ${known.join(", ")}` : undefined;
}
