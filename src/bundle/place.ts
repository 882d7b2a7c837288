import type { Path } from "./finding.ts";
import type { BundleDocument } from "./load.ts";
import { at, itemsOf } from "./node.ts";
import { KEYS_OF_ITEMS, type ResolvedBundle } from "./resolve.ts";

/** Where a reader finds what stands at a path of the resolved bundle, or the nearest that is written: `resources/jobs.yml:7`. Pure. */
export function placeOf(documents: readonly BundleDocument[], { config, target }: ResolvedBundle, path: Path): string {
  const found = documents
    .flatMap((document) =>
      // What a target changes is looked for first: of two that say it, that one holds.
      [["targets", target], []].map((base) => {
        const written = writtenPath(at(document.value, ...base), config, path);
        return { document, path: [...base, ...written], depth: written.length };
      }),
    )
    .reduce<{ document: BundleDocument; path: Path; depth: number } | undefined>(
      (best, each) => (best === undefined || each.depth > best.depth ? each : best),
      undefined,
    );
  if (found === undefined) return "databricks.yml";
  const line = found.document.lineOf(found.path);
  return `${found.document.file}${line === undefined ? "" : `:${line}`}`;
}

/** As much of a path as this file has; items with a name stand elsewhere in the list that they were merged into. */
function writtenPath(written: unknown, resolved: unknown, path: Path): Path {
  const [key] = path;
  if (key === undefined) return [];
  const inner = at(written, key);
  if (typeof key === "number" || inner === undefined) return inner === undefined ? [] : [key];
  const below = at(resolved, key);
  const [, index] = path;
  if (typeof index !== "number") return [key, ...writtenPath(inner, below, path.slice(1))];
  const name = KEYS_OF_ITEMS[key];
  const item = at(below, index);
  const own = name === undefined ? index : itemsOf(inner).findIndex((each) => at(each, name) === at(item, name));
  const next = at(inner, own);
  return next === undefined ? [key] : [key, own, ...writtenPath(next, item, path.slice(2))];
}
