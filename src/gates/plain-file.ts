import { closeSync, constants, fstatSync, openSync, readFileSync, readSync, realpathSync } from "node:fs";
import { dirname, relative } from "node:path";
import { usageError } from "../lib/error.ts";

/** Never follows a link at the end of a path and never waits for the writer of a pipe. */
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** The bytes of a plain file. Throws exit 2 for anything else, and for one larger than `maxBytes`; a missing one throws ENOENT. */
export function readPlainFile(path: string, maxBytes: number, shown = path): Buffer {
  return withPlainFile(path, shown, (file, size) => {
    if (size > maxBytes) throw usageError("file.size", `${shown} is larger than ${maxBytes} bytes`);
    const bytes = readFileSync(file);
    if (bytes.length > maxBytes) throw usageError("file.size", `${shown} is larger than ${maxBytes} bytes`);
    return bytes;
  });
}

/** The last bytes of a plain file, as text. */
export function readTail(path: string, maxBytes: number): string {
  return withPlainFile(path, path, (file, size) => {
    const bytes = Buffer.alloc(Math.min(size, maxBytes));
    const read = readSync(file, bytes, 0, bytes.length, Math.max(0, size - maxBytes));
    return bytes.toString("utf8", 0, read);
  });
}

/** Throws exit 2 when a path below the project leads out of it through a link. What is not there yet is judged by its folder. */
export function demandInside(project: string, path: string, what: string): void {
  let at = dirname(path);
  for (;;) {
    try {
      if (isOutside(realpathSync(project), realpathSync(at)))
        throw usageError(
          "project.outside",
          `${what} leads out of the project through a link`,
          "use a plain folder in the project",
        );
      return;
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ENOENT") || dirname(at) === at) throw error;
      at = dirname(at);
    }
  }
}

/** Whether a path is neither the folder nor below it. */
export function isOutside(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way === ".." || way.startsWith("../");
}

function withPlainFile<T>(path: string, shown: string, read: (file: number, size: number) => T): T {
  let file: number;
  try {
    file = openSync(path, FLAGS);
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ELOOP" || error.code === "ENXIO"))
      throw usageError("file.kind", `${shown} is not a plain file`);
    throw error;
  }
  try {
    const stat = fstatSync(file);
    if (!stat.isFile()) throw usageError("file.kind", `${shown} is not a plain file`);
    return read(file, stat.size);
  } finally {
    closeSync(file);
  }
}
