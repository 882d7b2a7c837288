import { type Dirent, readdirSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { messageOf, usageError } from "../lib/error.ts";
import { RUN_FOLDERS, TOOL_FOLDERS } from "../lib/tool-folders.ts";

/**
 * Removes the bytecode caches of a project's own code. Python can be made to run what lies in one in place of the source that is in
 * the commit. Caches of installed packages stay: to compile those again takes seconds. Throws exit 2 when one cannot be removed.
 */
export function removeBytecode(folder: string): void {
  const skipped = new Set([...TOOL_FOLDERS, ...RUN_FOLDERS]);
  const open = namesIn(folder)
    .filter((entry) => !skipped.has(entry.name))
    .map((entry) => ({ entry, path: join(folder, entry.name) }));
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { entry, path } = next;
    // A file system may not tell capitals from small letters.
    if (entry.name.toLowerCase() === "__pycache__") remove(path, folder);
    else if (entry.isDirectory())
      for (const below of namesIn(path)) open.push({ entry: below, path: join(path, below.name) });
  }
}

/** A link is removed, not followed. */
function remove(path: string, folder: string): void {
  try {
    rmSync(path, { recursive: true, force: true, maxRetries: 3 });
  } catch (error) {
    throw usageError(
      "python.bytecode",
      `${relative(folder, path)} cannot be removed, and Python may run what is in it in place of the code: ${messageOf(error)}`,
      "remove it, or change its owner",
    );
  }
}

function namesIn(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    // A folder that cannot be listed is not as committed anyway; see History.
    return [];
  }
}
