import * as z from "zod";
import { nearest } from "../lib/nearest.ts";
import {
  ARGUMENT_KEYS,
  keyProblem,
  METRICS,
  OBJECT_KEYS,
  OPERATOR_KEYS,
  OPTION_KEYS,
  PROPERTY_KEYS,
  QUALITY_KEYS,
  ROOT_KEYS,
} from "./odcs-keys.ts";

/** The part of the Open Data Contract Standard v3.x that is acted on. Other keys of the standard pass through unread. */

type Keyed = Record<string, unknown>;

function known(keys: readonly string[], closed: boolean) {
  return (value: Keyed, context: z.RefinementCtx): void => {
    for (const key of Object.keys(value)) {
      const message = keyProblem(key, keys, closed);
      if (message !== undefined) context.addIssue({ code: "custom", message, path: [key] });
    }
  };
}

/** A number that the text of the contract and the program's number agree on. */
const exactNumber = z
  .number()
  .refine(
    (n) => Math.abs(n) <= Number.MAX_SAFE_INTEGER || Math.abs(n) >= 1e21 || !Number.isInteger(n),
    "too large to be held exactly: use at most 2^53 - 1",
  );
const text = z
  .string()
  .refine(
    (s) => !s.includes("\u0000") && s.isWellFormed(),
    "holds a character that no data can hold (NUL or half a surrogate pair)",
  );
const name = text.min(1);
const scalar = z.union([text, exactNumber, z.boolean()], "must be a text, a number or true/false");
const listed = z.array(scalar.nullable()).min(1, "must list at least one value");
const bound = z.union([exactNumber, text], "must be a number, or a date as text");

const logicalTypes = [
  "string",
  "date",
  "timestamp",
  "time",
  "number",
  "integer",
  "object",
  "array",
  "boolean",
  "map",
] as const;

const typeOptions = z
  .looseObject({
    minimum: bound.optional(),
    maximum: bound.optional(),
    exclusiveMinimum: z.union([bound, z.boolean()]).optional(),
    exclusiveMaximum: z.union([bound, z.boolean()]).optional(),
    multipleOf: exactNumber.positive().optional(),
    minLength: z.int().min(0).optional(),
    maxLength: z.int().min(0).optional(),
    pattern: text.optional(),
    format: text.optional(),
  })
  .superRefine(known(OPTION_KEYS, true));

const ruleArguments = z
  .looseObject({
    validValues: listed.optional(),
    missingValues: listed.optional(),
    pattern: text.optional(),
    properties: z.array(name).min(1).optional(),
  })
  .superRefine(known(ARGUMENT_KEYS, true));

const between = z
  .tuple([exactNumber, exactNumber], "must be two numbers: [low, high]")
  .refine(([low, high]) => low <= high, "the low end is above the high end");
const answer = z.union([exactNumber, z.boolean()], "must be a number or true/false");

const quality = z
  .looseObject({
    id: text.optional(),
    name: text.optional(),
    description: text.optional(),
    type: z.enum(["library", "sql", "text", "custom"], "must be library, sql, text or custom").optional(),
    metric: text.optional(),
    rule: text.optional(),
    arguments: ruleArguments.optional(),
    unit: z.enum(["rows", "percent"], "must be rows or percent").optional(),
    query: text.optional(),
    engine: text.optional(),
    mustBe: answer.optional(),
    mustNotBe: answer.optional(),
    mustBeGreaterThan: exactNumber.optional(),
    mustBeGreaterOrEqualTo: exactNumber.optional(),
    mustBeGreaterThanOrEqualTo: exactNumber.optional(),
    mustBeLessThan: exactNumber.optional(),
    mustBeLessOrEqualTo: exactNumber.optional(),
    mustBeLessThanOrEqualTo: exactNumber.optional(),
    mustBeBetween: between.optional(),
    mustNotBeBetween: between.optional(),
  })
  .superRefine(known(QUALITY_KEYS, true))
  .superRefine((rule, context) => {
    const problem = (message: string, path: string[] = []) => context.addIssue({ code: "custom", message, path });
    const type = ruleType(rule);
    if (type === undefined) return problem("the rule says neither its type nor its metric");
    if (type === "text" || type === "custom") return;
    if (!OPERATOR_KEYS.some((key) => rule[key] !== undefined)) {
      problem("the rule cannot be judged: it needs mustBe, mustBeLessThan, mustBeBetween or another operator");
    }
    if (type === "sql" && (rule.query ?? "").trim() === "") problem("a sql rule needs a query");
    if (type === "library") {
      if (rule.metric === undefined && rule.rule === undefined) problem("a library rule needs a metric");
      if (rule.metric !== undefined && !METRICS.some((metric) => metric === rule.metric)) {
        const guess = nearest(rule.metric, METRICS);
        problem(
          `unknown metric ${JSON.stringify(rule.metric)}${guess ? `: did you mean ${guess}?` : `; known: ${METRICS.join(", ")}`}`,
          ["metric"],
        );
      }
      if (
        rule.metric === "invalidValues" &&
        rule.arguments?.validValues === undefined &&
        rule.arguments?.pattern === undefined
      ) {
        problem("invalidValues needs arguments.validValues or arguments.pattern");
      }
      if (rule.metric === "rowCount" && rule.unit === "percent") problem("rowCount has no percent", ["unit"]);
    }
  });

const property = z
  .looseObject({
    name,
    logicalType: z.enum(logicalTypes, `must be one of ${logicalTypes.join(", ")}`).optional(),
    physicalType: text.optional(),
    required: z.boolean().optional(),
    unique: z.boolean().optional(),
    primaryKey: z.boolean().optional(),
    primaryKeyPosition: z.int().optional(),
    classification: text.optional(),
    logicalTypeOptions: typeOptions.optional(),
    enum: z
      .array(z.union([scalar, z.looseObject({ value: scalar })]))
      .min(1, "must list at least one value")
      .optional(),
    properties: z.array(z.unknown()).optional(),
    items: z.unknown().optional(),
    relationships: z.array(z.unknown()).optional(),
    quality: z.array(quality).optional(),
  })
  .superRefine(known(PROPERTY_KEYS, false));

const schemaObject = z
  .looseObject({
    name,
    physicalName: text.optional(),
    properties: z.array(property).optional(),
    relationships: z.array(z.unknown()).optional(),
    quality: z.array(quality).optional(),
  })
  .superRefine(known(OBJECT_KEYS, false))
  .superRefine(({ properties = [] }, context) => {
    const seen = new Set<string>();
    for (const [i, { name }] of properties.entries()) {
      if (seen.has(name))
        context.addIssue({
          code: "custom",
          message: `the property ${JSON.stringify(name)} is declared twice`,
          path: ["properties", i, "name"],
        });
      seen.add(name);
    }
  });

export const contractSchema = z
  .looseObject({
    apiVersion: text.regex(/^v3\.\d+\.\d+$/, "must be a version of the standard from v3.0.0 on, such as v3.1.0"),
    kind: z.literal("DataContract", "must be DataContract"),
    id: text.min(1),
    name: text.optional(),
    version: text.min(1),
    status: text,
    schema: z.array(schemaObject).min(1, "must describe at least one table"),
    slaProperties: z.array(z.unknown()).optional(),
  })
  .superRefine(known(ROOT_KEYS, false));

export type ContractDocument = z.infer<typeof contractSchema>;
export type ContractTable = z.infer<typeof schemaObject>;
export type ContractProperty = z.infer<typeof property>;
export type QualityRule = z.infer<typeof quality>;
export type TypeOptions = z.infer<typeof typeOptions>;

/** A contract as read: the document, the SHA-256 (hex) of its text, and where each part stands. */
export interface Contract {
  file: string;
  digest: string;
  document: ContractDocument;
  lineOf: (path: readonly PropertyKey[]) => number | undefined;
}

/** The type of a rule; `library` when only its metric (or, in v3.0, `rule`) is given, `sql` when only a query is. */
export function ruleType(rule: {
  type?: string | undefined;
  metric?: unknown;
  rule?: unknown;
  query?: unknown;
}): string | undefined {
  if (rule.type !== undefined) return rule.type;
  if (rule.metric !== undefined || rule.rule !== undefined) return "library";
  return rule.query === undefined ? undefined : "sql";
}
