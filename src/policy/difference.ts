import { canonicalJson } from "../lib/canonical-json.ts";
import type { Policy } from "./policy.ts";

/** Longer values are cut: a line is for reading. */
const MAX_VALUE = 120;

/**
 * How one policy differs from another, a line for each key path that was added (`+`), removed (`-`) or changed (`~`),
 * in the order of the files. Lists of names are compared as a whole. Pure.
 */
export function policyDifference(before: Policy, after: Policy): string[] {
  return compare(before, after, "");
}

function compare(before: unknown, after: unknown, path: string): string[] {
  if (before === undefined && after === undefined) return [];
  if (before === undefined) return [`+ ${path}: ${shown(after)}`];
  if (after === undefined) return [`- ${path}: ${shown(before)}`];
  if (canonicalJson(before) === canonicalJson(after)) return [];
  if (Array.isArray(before) && Array.isArray(after) && [...before, ...after].every(isNamed)) {
    const [a, b] = [byName(before), byName(after)];
    const moved = canonicalJson([...a.keys()]) === canonicalJson([...b.keys()]) ? [] : order(a, b, path);
    return [...moved, ...[...keysOf(a, b)].flatMap((key) => compare(a.get(key), b.get(key), `${path}.${key}`))];
  }
  if (isMap(before) && isMap(after)) {
    const [a, b] = [new Map(Object.entries(before)), new Map(Object.entries(after))];
    return [...keysOf(a, b)].flatMap((key) => compare(a.get(key), b.get(key), path === "" ? key : `${path}.${key}`));
  }
  return [`~ ${path}: ${shown(before)} → ${shown(after)}`];
}

/** Environments are told apart by name; their order is a rule of its own. */
function order(a: Map<string, unknown>, b: Map<string, unknown>, path: string): string[] {
  const same = [...a.keys()].filter((key) => b.has(key));
  const now = [...b.keys()].filter((key) => a.has(key));
  return canonicalJson(same) === canonicalJson(now) ? [] : [`~ ${path}: order ${same.join(", ")} → ${now.join(", ")}`];
}

function keysOf(a: Map<string, unknown>, b: Map<string, unknown>): Set<string> {
  return new Set([...a.keys(), ...b.keys()]);
}

function byName(list: readonly { name: string }[]): Map<string, unknown> {
  return new Map(list.map((each) => [each.name, each]));
}

function isNamed(value: unknown): value is { name: string } {
  return isMap(value) && typeof value.name === "string";
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A plain text as it is, everything else as JSON: no line is broken, no terminal is steered. */
function shown(value: unknown): string {
  const text = typeof value === "string" && /^[^\p{C}\u2028\u2029]*$/u.test(value) ? value : JSON.stringify(value);
  const safe = text.replace(
    /[\p{C}\u2028\u2029]/gu,
    (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return safe.length > MAX_VALUE ? `${safe.slice(0, MAX_VALUE)}…` : safe;
}
