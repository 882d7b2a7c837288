import { existsSync, readdirSync } from "node:fs";
import { pendingFolder } from "../release/pending.ts";

/**
 * Names of the files in which rollbacks wait that were made while the ledger could not be reached, sorted: the next command of
 * the same person that writes puts them into the ledger. Empty outside of a project's folder.
 */
export function pendingEntries(projectFolder: string | undefined): string[] {
  const folder = projectFolder === undefined ? undefined : pendingFolder(projectFolder);
  if (folder === undefined || !existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => !name.startsWith("."))
    .sort();
}
