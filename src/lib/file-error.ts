import { errnoOf, FactoryError, outsideError } from "./error.ts";

/** A clear error (exit 4) for a disk that is full or a place that may not be written; anything else as it came. */
export function fileError(thrown: unknown, where: string, may = "written"): unknown {
  const code = errnoOf(thrown);
  if (code === "ENOSPC" || code === "EDQUOT") {
    return outsideError(
      "disk.full",
      `the disk is full: ${where} could not be written`,
      "free some space, then run it again",
      thrown,
    );
  }
  if (code === "EACCES" || code === "EPERM" || code === "EROFS") {
    return outsideError(
      "file.denied",
      `${where} may not be ${may} (${code})`,
      "check the owner and the permissions of that folder, or choose another one",
      thrown,
    );
  }
  return thrown;
}

/** The same for an error of the file system that nobody took up where it came about: it names its place itself. Undefined: it is none. */
export function fileErrorByItself(thrown: unknown): FactoryError | undefined {
  if (!(thrown instanceof Error) || !("path" in thrown) || typeof thrown.path !== "string") return undefined;
  const writes =
    "syscall" in thrown && /^(mkdir|rename|unlink|rmdir|rm|symlink|link|chmod|write)/.test(String(thrown.syscall));
  const known = fileError(thrown, thrown.path, writes ? "written" : "read or written");
  return known instanceof FactoryError ? known : undefined;
}
