import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { bundleParts } from "../bundle/parts.ts";
import { readBundleFiles } from "../bundle/read-bundle.ts";
import { sha256 } from "../lib/hash.ts";
import type { MaterialFile } from "./material.ts";

export interface TreeDifference {
  path: string;
  /** In the working tree, against what was checked. */
  how: "changed" | "missing" | "added";
}

/** The bundle's files as they lie in a folder. */
export async function treeFiles(folder: string): Promise<MaterialFile[]> {
  return Promise.all(
    bundleParts(readBundleFiles(folder)).map(async (path) => {
      const bytes = await readFile(join(folder, path));
      return { path, sha256: sha256(bytes), bytes };
    }),
  );
}

/** Where a working tree differs from what was checked. Pure. */
export function compareTree(tree: readonly MaterialFile[], checked: readonly MaterialFile[]): TreeDifference[] {
  const inTree = new Map(tree.map((file) => [file.path, file.sha256]));
  const known = new Set(checked.map(({ path }) => path));
  return [
    ...checked.flatMap(({ path, sha256: digest }): TreeDifference[] => {
      const found = inTree.get(path);
      return found === digest ? [] : [{ path, how: found === undefined ? "missing" : "changed" }];
    }),
    ...tree.filter(({ path }) => !known.has(path)).map(({ path }): TreeDifference => ({ path, how: "added" })),
  ].sort((a, b) => (a.path < b.path ? -1 : 1));
}
