import { type BundleFiles, loadBundle } from "./load.ts";
import { localReferences, NOTEBOOK_ENDINGS } from "./local-paths.ts";

/**
 * Every file that is part of the bundle, sorted: the root, what it includes, what resources name, and what lies in `resources/`
 * though nothing includes it. Wheels and jars are built, and no part of it. Pure.
 */
export function bundleParts(files: BundleFiles): string[] {
  const { documents } = loadBundle(files);
  const named = localReferences(documents).flatMap(({ file, built }) => {
    if (file === undefined || built) return [];
    return ["", ...NOTEBOOK_ENDINGS].map((ending) => file + ending).filter((path) => files.paths.has(path));
  });
  const lying = [...files.paths].filter((path) => path === "databricks.yml" || /^resources\/.*\.yml$/.test(path));
  return [...new Set([...documents.map(({ file }) => file), ...named, ...lying])].sort();
}
