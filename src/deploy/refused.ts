import type { Path } from "../bundle/finding.ts";
import { at, entriesOf, isList, isMap } from "../bundle/node.ts";
import { fieldsOf } from "../bundle/shape.ts";
import {
  ALLOWED_KINDS,
  ALLOWED_SHAPES,
  OTHER_FIELD,
  OTHER_KIND,
  REFUSED_FIELDS,
  REFUSED_KINDS,
  REFUSED_SETTINGS,
  SAME_REASON,
} from "./allowed.ts";
import { isPinned, RULES_OF_VALUES, type Scope, type Strange } from "./rules-of-values.ts";

export interface Refused extends Strange {
  /** Inside of the resolved bundle. */
  path: Path;
}

/** Everything in a resolved bundle that is not on the list of what may come along. Pure. */
export function refusedIn(config: unknown, scope: Omit<Scope, "pinned" | "jobs">): Refused[] {
  const resources = at(config, "resources");
  const jobs = new Set(entriesOf(at(resources, "jobs")).map(([name]) => name));
  const settings = REFUSED_SETTINGS.filter(({ path }) => {
    const value = at(config, ...path);
    return value !== undefined && value !== false && value !== "false";
  }).map(({ path, refusal }) => ({ path, ...refusal }));
  if (resources !== undefined && resources !== null && !isMap(resources))
    return [...settings, { path: ["resources"], ...UNKNOWN }];
  return [
    ...settings,
    ...entriesOf(resources).flatMap(([kind, ofKind]): Refused[] => {
      const type = Object.hasOwn(ALLOWED_KINDS, kind) ? ALLOWED_KINDS[kind] : undefined;
      if (ofKind === null) return [];
      if (!isMap(ofKind)) return [{ path: ["resources", kind], ...UNKNOWN }];
      return Object.entries(ofKind).flatMap(([name, resource]): Refused[] => {
        const path = ["resources", kind, name];
        if (type === undefined) return [{ path, ...(REFUSED_KINDS[kind] ?? OTHER_KIND) }];
        const pinned = isPinned(at(resource, "git_source"));
        return inValue(resource, type, path, { ...scope, jobs, pinned }, undefined);
      });
    }),
  ];
}

const UNKNOWN: Strange = {
  why: "what would stand here is not known before it is deployed",
  fix: "write it out, or give the variable a value in this target",
};

function inValue(value: unknown, type: string, path: Path, scope: Scope, block: unknown): Refused[] {
  if (type === "any" || value === null || value === undefined) return [];
  if (type.startsWith("#")) {
    const judge = RULES_OF_VALUES[type.slice(1)];
    const strange = judge === undefined ? UNKNOWN : judge(value, scope, block);
    return strange === undefined ? [] : [{ path, ...strange }];
  }
  if (type.startsWith("[")) {
    if (!isList(value)) return [{ path, ...UNKNOWN }];
    return value.flatMap((item, i) => inValue(item, type.slice(1, -1), [...path, i], scope, block));
  }
  if (type.startsWith("{")) {
    if (!isMap(value)) return [{ path, ...UNKNOWN }];
    return Object.entries(value).flatMap(([key, item]) =>
      inValue(item, type.slice(1, -1), [...path, key], scope, block),
    );
  }
  if (type.startsWith("@")) return inBlock(value, type.slice(1), path, scope);
  // What is one value here may be a map in a later version of the platform: then it is not known what it brings.
  return isMap(value) || isList(value) ? [{ path, ...OTHER_FIELD }] : [];
}

function inBlock(value: unknown, shape: string, path: Path, scope: Scope): Refused[] {
  if (!isMap(value)) return [{ path, ...UNKNOWN }];
  const fields = fieldsOf(ALLOWED_SHAPES[shape] ?? "");
  return Object.entries(value).flatMap(([name, item]) => {
    const field = fields.get(name);
    if (field !== undefined) return inValue(item, field.type, [...path, name], scope, value);
    if (item === null) return [];
    const reason = `${shape}.${name}`;
    return [{ path: [...path, name], ...(REFUSED_FIELDS[SAME_REASON[reason] ?? reason] ?? OTHER_FIELD) }];
  });
}
