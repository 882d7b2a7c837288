import * as z from "zod";
import { badValue } from "./route.ts";

/** A 64-bit integer: proto's JSON may be a number or a string, and a query is always a string. */
export const int64 = z
  .union([z.int(), z.string().regex(/^-?\d{1,19}$/)])
  .transform(Number)
  .pipe(z.number().int());

/** A double: proto's JSON writes those without digits as names. */
export const double = z.union([z.number(), z.enum(["NaN", "Infinity", "-Infinity"]).transform(Number)]);

export const tag = z.strictObject({ key: z.string(), value: z.string().default("") });
export type Tag = z.infer<typeof tag>;

/** How replies write a double. */
export const writtenDouble = (value: number): number | string =>
  Number.isFinite(value) ? value : Number.isNaN(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";

export const tagsOf = (tags: ReadonlyMap<string, string>): Tag[] => [...tags].map(([key, value]) => ({ key, value }));

/** A field that MLflow's messages need, and that is refused when it is absent or empty. */
export function needed<T>(value: T | undefined, name: string): T {
  if (value === undefined || value === "")
    throw badValue(`Missing value for required parameter '${name}'. See the API docs for more information.`);
  return value;
}

/** Held to a length in bytes. */
export function within(what: string, text: string, bytes: number): void {
  if (Buffer.byteLength(text) > bytes)
    throw badValue(`${what} is longer than ${bytes} bytes: '${text.slice(0, 40)}…' has ${Buffer.byteLength(text)}`);
}

/** Parts of paths that could leave their folder are refused. */
export function cleanPath(path: string): string {
  const parts = path.split("/");
  if (path.startsWith("/") || parts.some((part) => part === ".." || part === "."))
    throw badValue(`Invalid path: ${path}`);
  return parts.filter((part) => part !== "").join("/");
}
