import { existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { rm } from "node:fs/promises";
import { userInfo } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { usageError } from "../lib/error.ts";
import { writeFileAtomic } from "../lib/files.ts";

/** Marks a folder as made by quickstart, so that the next quickstart may replace it. */
const MARKER = ".factory-quickstart.json";
/** Where the folder before this one goes; when it was not cleared to its end, the next quickstart takes it along. */
const OLD = ".before";
/** Python environments that came to the end of a story, by project: the next story begins with them. */
const PYTHON = ".python";
/** Written at the end of a story, and names its folder: an environment works in its own place only. */
const TOLD = ".told";
const VENV = ".venv";
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

/**
 * Makes the folder new and marked. Throws a usage error when it holds anything of somebody else's. What was there before are tens
 * of thousands of files: they are put aside in the new folder, and the promise is of their end. It does not fail.
 */
export function renewFolder(folder: string): { cleared: Promise<void> } {
  const state = folderState(folder);
  if (state === "foreign") {
    throw usageError(
      "quickstart.folder",
      `${folder} is not empty and was not made by quickstart`,
      `give another folder: factory quickstart ${join(dirname(folder), "factory-demo")}`,
    );
  }
  if (resolve(folder) === resolve("/")) throw usageError("quickstart.folder", "the root folder cannot be used");
  const aside = state === "ours" ? mkdtempSync(join(dirname(folder), `.${basename(folder)}-`)) : undefined;
  if (aside !== undefined) renameSync(folder, aside);
  mkdirSync(folder, { recursive: true });
  writeFileAtomic(join(folder, MARKER), MARKER_TEXT);
  if (aside === undefined) return { cleared: Promise.resolve() };
  keepPython(aside, folder);
  renameSync(aside, join(folder, OLD));
  return { cleared: rm(join(folder, OLD), { recursive: true, force: true }).catch(() => undefined) };
}

/** To be called when the story is told to its end: its Python environments are then whole. */
export function keepForNext(folder: string): void {
  writeFileAtomic(join(folder, TOLD), resolve(folder));
}

/** Gives a project the environment that it had in the story before this one; installing then finds most of it done. */
export function takeKeptPython(folder: string, project: string): void {
  const kept = join(folder, PYTHON, basename(project));
  if (existsSync(kept) && !existsSync(join(project, VENV))) renameSync(kept, join(project, VENV));
}

function keepPython(before: string, folder: string): void {
  const told = join(before, TOLD);
  if (!isOwn(told) || readFileSync(told, "utf8") !== resolve(folder)) return;
  mkdirSync(join(folder, PYTHON));
  const { mtimeMs } = lstatSync(told);
  for (const { name } of readdirSync(before, { withFileTypes: true }).filter((entry) => entry.isDirectory())) {
    const venv = join(before, name, VENV);
    if ([before, join(before, name), venv].every(isOwn) && !isChangedSince(mtimeMs, venv))
      renameSync(venv, join(folder, PYTHON, name));
  }
}

/** There, no link, and of this user: what lies here will be run. */
function isOwn(path: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false });
  return found !== undefined && !found.isSymbolicLink() && found.uid === userInfo().uid;
}

/** Whether packages were put in or taken out: perhaps not to the end, which nobody would see again. */
function isChangedSince(toldMs: number, venv: string): boolean {
  const pythons = join(venv, "lib");
  if (!existsSync(pythons)) return true;
  const folders = readdirSync(pythons).map((python) => join(pythons, python, "site-packages"));
  return folders.some((packages) => !existsSync(packages) || lstatSync(packages).mtimeMs > toldMs);
}
