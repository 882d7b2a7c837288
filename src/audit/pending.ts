import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

/**
 * Names of the files in which a rollback left its entries while the ledger could not be reached, sorted; they wait for the next
 * command that writes. Empty outside of a project's folder.
 */
export function pendingEntries(projectFolder: string | undefined): string[] {
  const folder = projectFolder === undefined ? undefined : join(projectFolder, ".factory", "pending");
  if (folder === undefined || !existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => !name.startsWith("."))
    .sort();
}
