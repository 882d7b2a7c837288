import { existsSync, lstatSync } from "node:fs";
import { join } from "node:path";
import { globSync } from "tinyglobby";
import { readTextFile } from "../lib/files.ts";
import { type BundleFiles, ROOT_FILES } from "./load.ts";

const NOT_LOOKED_INTO = [
  "**/.git/**",
  "**/.venv/**",
  "**/node_modules/**",
  "**/.databricks/**",
  "**/.factory/**",
  "**/__pycache__/**",
  "**/.mypy_cache/**",
  "**/.ruff_cache/**",
  "**/.pytest_cache/**",
];

const MAX_BYTES = 1 << 20;

/** The files of a folder that a bundle could be made of. Links are not followed. */
export function readBundleFiles(folder: string): BundleFiles {
  // Without a root there is no bundle, and the folder may be anything: it is not walked.
  if (!ROOT_FILES.some((name) => existsSync(join(folder, name)))) return { texts: new Map(), paths: new Set() };
  const paths = globSync(["**/*"], {
    cwd: folder,
    dot: true,
    followSymbolicLinks: false,
    ignore: NOT_LOOKED_INTO,
  }).sort();
  const readable = paths.filter((path) => /\.(?:ya?ml|json)$/.test(path) && isSmallFile(join(folder, path)));
  const texts = new Map(readable.map((path) => [path, readTextFile(join(folder, path), "bundle file")] as const));
  return { texts, paths: new Set(paths) };
}

/** Data may lie in JSON files of any size; no bundle file is that large. */
function isSmallFile(path: string): boolean {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  return stat?.isFile() === true && stat.size <= MAX_BYTES;
}
