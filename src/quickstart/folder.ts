import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { usageError } from "../lib/error.ts";
import { writeFileAtomic } from "../lib/files.ts";

/** Marks a folder as made by quickstart, so that the next quickstart may replace it. */
export const MARKER = ".factory-quickstart.json";
const MARKER_TEXT = `${JSON.stringify({ made: "factory quickstart", replace: "the next quickstart replaces this whole folder" })}\n`;

export type FolderState = "absent" | "empty" | "ours" | "foreign";

/** Whose folder it is. Only what carries quickstart's own marker, and no link, is ours. */
export function folderState(folder: string): FolderState {
  if (!existsSync(folder)) return "absent";
  const names = readdirSync(folder);
  if (names.length === 0) return "empty";
  const marker = join(folder, MARKER);
  return existsSync(marker) && readFileSync(marker, "utf8") === MARKER_TEXT ? "ours" : "foreign";
}

/** Makes the folder new and marked. Throws a usage error when it holds anything of somebody else's. */
export function renewFolder(folder: string): void {
  const state = folderState(folder);
  if (state === "foreign") {
    throw usageError(
      "quickstart.folder",
      `${folder} is not empty and was not made by quickstart`,
      `give another folder: factory quickstart ${join(dirname(folder), "factory-demo")}`,
    );
  }
  if (resolve(folder) === resolve("/")) throw usageError("quickstart.folder", "the root folder cannot be used");
  rmSync(folder, { recursive: true, force: true });
  writeFileAtomic(join(folder, MARKER), MARKER_TEXT);
}
