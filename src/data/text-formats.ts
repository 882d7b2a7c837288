import type { Condition } from "./data-check.ts";

const PATTERNS: Readonly<Record<string, string>> = {
  email: "^[^@\\s]+@[^@\\s.]+(\\.[^@\\s.]+)+$",
  uuid: "^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$",
  uri: "^[A-Za-z][A-Za-z0-9+.-]*:[^\\s]*$",
  hostname: "^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\\.)*[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$",
  ipv4: "^((25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])\\.){3}(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])$",
};

/** Widths of whole numbers; 64 bits and more are what the store's own type says. */
const RANGES: Readonly<Record<string, readonly [number, number]>> = {
  i8: [-128, 127],
  i16: [-32768, 32767],
  i32: [-2147483648, 2147483647],
  u8: [0, 255],
  u16: [0, 65535],
  u32: [0, 4294967295],
};

/** What a format of the standard asks of a value; `any` if it asks nothing that could be broken; undefined if it is not known. */
export function textFormat(format: string): Condition | "any" | undefined {
  if (["i64", "i128", "f32", "f64", "password", "byte", "binary"].includes(format)) return "any";
  const pattern = Object.hasOwn(PATTERNS, format) ? PATTERNS[format] : undefined;
  if (pattern !== undefined) return { is: "unlike", pattern };
  const range = Object.hasOwn(RANGES, format) ? RANGES[format] : undefined;
  if (range === undefined) return undefined;
  return { is: "outside", low: { value: range[0], exclusive: false }, high: { value: range[1], exclusive: false } };
}
