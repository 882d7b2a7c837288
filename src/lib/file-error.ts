import { errnoOf, outsideError } from "./error.ts";

/** A clear error (exit 4) for a disk that is full or a place that may not be written; anything else as it came. */
export function fileError(thrown: unknown, where: string): unknown {
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
      `${where} may not be written (${code})`,
      "check the owner and the permissions of that folder, or choose another one",
      thrown,
    );
  }
  return thrown;
}
