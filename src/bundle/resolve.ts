import type { BundleDocument } from "./load.ts";
import { at, entriesOf, isList, isMap, textOf } from "./node.ts";
import { referencesIn, targetsOf, variableOf } from "./variables.ts";

/** A bundle as one target sees it. */
export interface ResolvedBundle {
  target: string;
  mode: string | undefined;
  /** Root and target merged, with every reference replaced that can be without a workspace. */
  config: Readonly<Record<string, unknown>>;
  /** References that are left, by where they stand: a workspace knows them, or nobody does. */
  left: readonly string[];
}

/** Lists whose items have a name: a target changes the item of that name. */
export const KEYS_OF_ITEMS: Readonly<Record<string, string>> = {
  tasks: "task_key",
  job_clusters: "job_cluster_key",
  environments: "environment_key",
  parameters: "name",
};
const MAX_DEPTH = 20;

/** Everything but the targets, merged over all files. Pure. */
function mergedRoot(documents: readonly BundleDocument[]): Readonly<Record<string, unknown>> {
  const merged = documents.reduce<unknown>((all, { value }) => mergeValues(all, value, ""), {});
  if (!isMap(merged)) return {};
  const { targets: _targets, environments: _environments, include: _include, ...rest } = merged;
  return rest;
}

/** The bundle as a target sees it; undefined for an unknown target. `given`: values that the command line brings. Pure. */
export function resolveBundle(
  documents: readonly BundleDocument[],
  target: string,
  given: Readonly<Record<string, string>>,
): ResolvedBundle | undefined {
  const found = targetsOf(documents).filter((each) => each.name === target);
  if (found.length === 0) return undefined;
  const root = mergedRoot(documents);
  const own = found.reduce<unknown>((all, each) => mergeValues(all, each.target ?? {}, ""), {});
  if (!isMap(own)) return undefined;
  const { variables: set, mode, default: _default, git, ...overrides } = own;
  const merged = mergeValues(root, overrides, "");
  const base = isMap(merged) ? merged : root;
  const bundle = {
    ...(isMap(base.bundle) ? base.bundle : {}),
    target,
    environment: target,
    ...(git !== undefined && { git }),
  };
  const variables = Object.fromEntries(
    entriesOf(base.variables).map(([name, variable]) => {
      const override = at(set, name);
      const value =
        given[name] ??
        (isMap(override) && at(override, "default") !== undefined ? at(override, "default") : override) ??
        at(variable, "default");
      return [name, value];
    }),
  );
  const config: Record<string, unknown> = { ...base, bundle };
  const left = new Set<string>();
  // Declarations hold values that this target may not use; what is used has been put in its place.
  const { variables: _declared, ...used } = config;
  const resolved = replaced(used, { config, variables, left }, 0);
  return { target, mode: textOf(mode), config: isMap(resolved) ? resolved : used, left: [...left] };
}

interface Scope {
  config: unknown;
  variables: Readonly<Record<string, unknown>>;
  left: Set<string>;
}

function replaced(value: unknown, scope: Scope, depth: number): unknown {
  if (typeof value === "string") return replacedText(value, scope, depth);
  if (isList(value)) return value.map((item) => replaced(item, scope, depth));
  if (isMap(value))
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, replaced(item, scope, depth)]));
  return value;
}

function replacedText(text: string, scope: Scope, depth: number): unknown {
  const references = referencesIn(text);
  const [only] = references;
  if (only === undefined || depth > MAX_DEPTH) return text;
  // A value that is nothing but a reference keeps its type: a number, a list, a map.
  if (text === `\${${only}}`) {
    const value = lookUp(only, scope);
    if (value !== undefined) return replaced(value, scope, depth + 1);
    scope.left.add(only);
    return text;
  }
  return references.reduce((sofar, reference) => {
    const value = lookUp(reference, scope);
    const known = value === undefined ? undefined : textOf(replaced(value, scope, depth + 1));
    if (known === undefined) scope.left.add(reference);
    return known === undefined ? sofar : sofar.replaceAll(`\${${reference}}`, () => known);
  }, text);
}

function lookUp(reference: string, { config, variables }: Scope): unknown {
  const name = variableOf(reference);
  if (name !== undefined) return Object.hasOwn(variables, name) ? variables[name] : undefined;
  const path = reference
    .split(/[.[\]]+/)
    .filter((part) => part !== "")
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part));
  return at(config, ...path);
}

/** Maps are merged, lists joined (those with names by name), anything else is taken from the later one. Pure. */
export function mergeValues(before: unknown, after: unknown, key: string): unknown {
  if (isMap(before) && isMap(after)) {
    const merged: Record<string, unknown> = { ...before };
    for (const [name, value] of Object.entries(after))
      merged[name] = Object.hasOwn(before, name) ? mergeValues(before[name], value, name) : value;
    return merged;
  }
  if (isList(before) && isList(after)) {
    const nameKey = KEYS_OF_ITEMS[key];
    if (nameKey === undefined) return [...before, ...after];
    const items = [...before];
    for (const item of after) {
      const index = items.findIndex(
        (each) => at(each, nameKey) !== undefined && at(each, nameKey) === at(item, nameKey),
      );
      if (index < 0) items.push(item);
      else items[index] = mergeValues(items[index], item, "");
    }
    return items;
  }
  return after;
}
