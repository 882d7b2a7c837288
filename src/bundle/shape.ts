import { nearest } from "../lib/nearest.ts";
import type { Path } from "./finding.ts";
import { isList, isMap } from "./node.ts";

/**
 * What a block of a bundle may hold, in one line: `name! max_concurrent_runs:int tags:{str} tasks:[@task] pause_status:=PAUSED|UNPAUSED`.
 * `!` marks what is required, `@` another shape, `any` what is not looked into; no type means text.
 */
export type Shapes = Readonly<Record<string, string>>;

interface Field {
  required: boolean;
  type: string;
}

/** What a block does not have, or has and should not. */
export interface ShapeProblem {
  path: Path;
  message: string;
  hint?: string;
  /** The name of a required field that is not there: another part of the bundle may bring it. */
  missing?: string;
}

/** A whole value that is only known when the bundle is deployed. */
const REFERENCE = /^\$\{[^}]+\}$/;
const parsed = new Map<string, ReadonlyMap<string, Field>>();

/** The fields of a shape. */
export function fieldsOf(shape: string): ReadonlyMap<string, Field> {
  const known = parsed.get(shape);
  if (known !== undefined) return known;
  const fields = new Map(
    shape.split(/\s+/).map((word): [string, Field] => {
      const [name = "", ...type] = word.split(":");
      return [name.replace(/!$/, ""), { required: name.endsWith("!"), type: type.join(":") || "str" }];
    }),
  );
  parsed.set(shape, fields);
  return fields;
}

/** Everything in which a value differs from its shape. Pure. */
export function checkShape(value: unknown, type: string, shapes: Shapes, path: Path): ShapeProblem[] {
  if (type === "any" || (typeof value === "string" && REFERENCE.test(value))) return [];
  if (value === null)
    return type.startsWith("@") && !hasRequired(shapes[type.slice(1)]) ? [] : [{ path, message: "is empty" }];
  if (type.startsWith("[")) {
    if (!isList(value)) return [{ path, message: "must be a list" }];
    return value.flatMap((item, i) => checkShape(item, type.slice(1, -1), shapes, [...path, i]));
  }
  if (type.startsWith("{")) {
    if (!isMap(value)) return [{ path, message: "must be a map" }];
    return Object.entries(value).flatMap(([key, item]) => checkShape(item, type.slice(1, -1), shapes, [...path, key]));
  }
  if (type.startsWith("@")) return checkBlock(value, shapes[type.slice(1)] ?? "", shapes, path);
  return checkScalar(value, type, path);
}

function hasRequired(shape: string | undefined): boolean {
  return shape !== undefined && [...fieldsOf(shape).values()].some((field) => field.required);
}

function checkBlock(value: unknown, shape: string, shapes: Shapes, path: Path): ShapeProblem[] {
  if (!isMap(value)) return [{ path, message: "must be a map of fields" }];
  const fields = fieldsOf(shape);
  const problems: ShapeProblem[] = [];
  for (const [name, item] of Object.entries(value)) {
    const field = fields.get(name);
    if (field !== undefined) problems.push(...checkShape(item, field.type, shapes, [...path, name]));
    else {
      const guess = nearest(name, [...fields.keys()]);
      problems.push({
        path: [...path, name],
        message: `there is no field ${JSON.stringify(name)} here`,
        ...(guess !== undefined && { hint: `did you mean ${guess}?` }),
      });
    }
  }
  for (const [name, field] of fields)
    if (field.required && value[name] === undefined)
      problems.push({ path, message: `${JSON.stringify(name)} is missing`, missing: name });
  return problems;
}

function checkScalar(value: unknown, type: string, path: Path): ShapeProblem[] {
  if (isMap(value) || isList(value)) return [{ path, message: "must be a single value" }];
  const text = String(value);
  if (type.startsWith("=")) {
    const values = type.slice(1).split("|");
    if (values.includes(text) || text.includes("${")) return [];
    const guess = nearest(text, values);
    return [
      {
        path,
        message: `${JSON.stringify(text)} is not one of: ${values.join(", ")}`,
        ...(guess !== undefined && { hint: `did you mean ${guess}?` }),
      },
    ];
  }
  if (type === "int" && !/^-?\d{1,18}$/.test(text) && !text.includes("${"))
    return [{ path, message: `${JSON.stringify(value)} is not a whole number` }];
  if (type === "num" && !Number.isFinite(Number(text)) && !text.includes("${"))
    return [{ path, message: `${JSON.stringify(value)} is not a number` }];
  if (type === "bool" && !/^(?:true|false)$/.test(text) && !text.includes("${"))
    return [{ path, message: `${JSON.stringify(value)} is neither true nor false` }];
  return [];
}
