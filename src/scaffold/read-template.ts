import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
  realpathSync,
  statSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { errnoOf, usageError } from "../lib/error.ts";
import { readTextFile } from "../lib/files.ts";
import { sha256 } from "../lib/hash.ts";
import { BUILT_IN } from "./built-in.ts";
import { type TemplateManifest, templateSchema } from "./template-manifest.ts";

export const MAX_FILES = 10_000;
export const MAX_BYTES = 100_000_000;
const MAX_DEPTH = 32;

/** What tools leave behind where a template is tested in place; never part of it. */
const LEFTOVERS: ReadonlySet<string> = new Set([
  "__pycache__",
  ".pytest_cache",
  ".ruff_cache",
  ".mypy_cache",
  ".venv",
  ".DS_Store",
]);

export interface TemplateFile {
  /** Path below `files/`, `/` between names, as it stands in the template. */
  path: string;
  bytes: Buffer;
  executable: boolean;
}

export interface Template {
  manifest: TemplateManifest;
  /** SHA-256 of the template's own manifest: `<sha256>  <path>\n` for each file and template.yaml, sorted by path bytes. */
  digest: string;
  files: readonly TemplateFile[];
}

/** The checked manifest of a template. Throws a usage error with every problem of template.yaml by line. */
export async function readManifest(folder: string): Promise<TemplateManifest> {
  const path = join(folder, "template.yaml");
  if (lstatOrNothing(path)?.isSymbolicLink())
    throw usageError("template.symlink", `${path} is a symbolic link`, "a template holds files only");
  const text = readTextFile(path, "template.yaml");
  const known = BUILT_IN[sha256(text)];
  if (known !== undefined) return known.manifest;
  const { parseYaml } = await import("../lib/yaml-document.ts");
  return parseYaml(text, path, templateSchema);
}

/**
 * Reads a whole template into memory. Links, devices, pipes and sockets are refused, and so is more than 10,000 files
 * or 100 MB; sizes are known before anything is read. Throws usage errors.
 */
export function readTemplate(folder: string, manifest: TemplateManifest): Template {
  const root = realpathSync(folder);
  const listed = listFiles(join(root, "files"));
  const files = listed.map(({ path, size }) => readOne(join(root, "files", path), path, size));
  if (files.length === 0) throw usageError("template.empty", `the template ${folder} has no files in files/`);
  const lines = files.map((file) => ({ path: `files/${file.path}`, sha256: sha256(file.bytes) }));
  lines.push({ path: "template.yaml", sha256: sha256(readTextFile(join(root, "template.yaml"), "template.yaml")) });
  lines.sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)));
  return { manifest, files, digest: sha256(lines.map((line) => `${line.sha256}  ${line.path}\n`).join("")) };
}

function listFiles(root: string): { path: string; size: number }[] {
  const found: { path: string; size: number }[] = [];
  let entries = 0;
  let bytes = 0;
  const visit = (below: string, depth: number): void => {
    if (depth > MAX_DEPTH)
      throw usageError(
        "template.depth",
        `the template's folders are more than ${MAX_DEPTH} deep: ${below.slice(0, 80)}…`,
      );
    for (const name of readdirSync(join(root, below)).sort()) {
      if (LEFTOVERS.has(name)) continue;
      if (name.includes("\ufffd"))
        throw usageError("path.unicode", `the template has a file whose name is not valid UTF-8: ${join(below, name)}`);
      if (++entries > MAX_FILES)
        throw usageError("template.too-many", `the template has more than ${MAX_FILES} files and folders`);
      const path = below === "" ? name : `${below}/${name}`;
      const stat = lstatSync(join(root, path));
      if (stat.isSymbolicLink())
        throw usageError(
          "template.symlink",
          `template file ${path} is a symbolic link`,
          "a template holds files only: copy what the link names",
        );
      if (stat.isDirectory()) visit(path, depth + 1);
      else if (!stat.isFile())
        throw usageError(
          "template.special",
          `template file ${path} is a device, pipe or socket`,
          "a template holds files only",
        );
      else {
        bytes += stat.size;
        if (bytes > MAX_BYTES)
          throw usageError("template.too-large", `the template is larger than ${MAX_BYTES / 1e6} MB (at ${path})`);
        found.push({ path, size: stat.size });
      }
    }
  };
  const stat = lstatOrNothing(root);
  if (stat?.isSymbolicLink())
    throw usageError("template.symlink", `${root} is a symbolic link`, "a template holds files only");
  if (!stat?.isDirectory()) throw usageError("template.no-files", `the template has no folder files/: ${root}`);
  visit("", 1);
  return found;
}

/** The file is opened without following a link, and may not have grown since it was listed. */
function readOne(absolute: string, path: string, size: number): TemplateFile {
  const fd = openNoFollow(absolute, path);
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile() || stat.size !== size)
      throw usageError("template.changed", `template file ${path} changed while it was read`, "run the command again");
    const bytes = Buffer.allocUnsafe(size);
    for (let at = 0; at < size; ) {
      const read = readSync(fd, bytes, at, size - at, at);
      if (read === 0)
        throw usageError(
          "template.changed",
          `template file ${path} changed while it was read`,
          "run the command again",
        );
      at += read;
    }
    return { path, bytes, executable: (stat.mode & 0o100) !== 0 };
  } finally {
    closeSync(fd);
  }
}

function openNoFollow(absolute: string, path: string): number {
  try {
    return openSync(absolute, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    throw usageError(
      "template.unreadable",
      `template file ${path} cannot be read (${errnoOf(error) ?? "unknown reason"})`,
    );
  }
}

function lstatOrNothing(path: string) {
  return lstatSync(path, { throwIfNoEntry: false });
}

/** The templates in a folder of templates, by name: each folder that holds a template.yaml, its path and its manifest. */
export async function listTemplates(templates: string): Promise<{ folder: string; manifest: TemplateManifest }[]> {
  if (!existsSync(templates)) return [];
  const folders = readdirSync(templates)
    .sort()
    .map((name) => join(templates, name))
    .filter((folder) => existsSync(join(folder, "template.yaml")));
  return Promise.all(
    folders.map(async (folder) => {
      const manifest = await readManifest(folder);
      if (manifest.name !== basename(folder))
        throw usageError(
          "template.name",
          `${folder}: template.yaml says the name is ${manifest.name}`,
          `call it ${basename(folder)}, or rename the folder ${dirname(folder)}`,
        );
      return { folder, manifest };
    }),
  );
}

/** True for a `--template` that is a folder of the user's own, not the name of a built-in one. */
export function isTemplatePath(reference: string): boolean {
  return reference.includes("/") || reference === "." || reference === "..";
}

/** True when the folder exists and holds a template. */
export function holdsTemplate(folder: string): boolean {
  return (
    statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true && existsSync(join(folder, "template.yaml"))
  );
}
