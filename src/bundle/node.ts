import type { Path } from "./finding.ts";

/** Looking into a parsed YAML value whose form nothing is known about yet. */
export function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value);
}

/** The value at a path; undefined where there is none. */
export function at(value: unknown, ...path: Path): unknown {
  return path.reduce<unknown>((found, key) => {
    if (typeof key === "number") return isList(found) ? found[key] : undefined;
    return isMap(found) && Object.hasOwn(found, key) ? found[key] : undefined;
  }, value);
}

/** The entries of a map; of anything else, none. */
export function entriesOf(value: unknown): [string, unknown][] {
  return isMap(value) ? Object.entries(value) : [];
}

export function itemsOf(value: unknown): readonly unknown[] {
  return isList(value) ? value : [];
}

export function textOf(value: unknown): string | undefined {
  return typeof value === "string"
    ? value
    : typeof value === "number" || typeof value === "boolean"
      ? String(value)
      : undefined;
}

/** Every text below a value, with its path. */
export function* textsBelow(value: unknown, path: Path = []): Generator<{ text: string; path: Path }> {
  if (typeof value === "string") yield { text: value, path };
  else if (isList(value)) for (const [i, item] of value.entries()) yield* textsBelow(item, [...path, i]);
  else for (const [key, item] of entriesOf(value)) yield* textsBelow(item, [...path, key]);
}
