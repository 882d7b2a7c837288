import { sha256 } from "../lib/hash.ts";

export interface ManifestFile {
  /** Relative, with `/`. */
  path: string;
  /** Lower-case hex. */
  sha256: string;
}

/** Why a path cannot stand in a manifest, or undefined. What is refused could leave the folder or break a line of the manifest. */
export function pathProblem(path: string): string | undefined {
  if (path === "") return "is empty";
  if (/[\n\r\0]/.test(path)) return "holds a line break or NUL";
  if (path.includes("\\")) return "holds a backslash";
  if (path.startsWith("/")) return "is absolute";
  if (!path.isWellFormed()) return "is not valid Unicode";
  const parts = path.split("/");
  if (parts.includes("..")) return "holds ..";
  if (parts.includes("") || parts.includes(".")) return "holds an empty part or .";
  return undefined;
}

/** Orders paths by their UTF-8 bytes, as `LC_ALL=C sort` does. */
export function byPathBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/**
 * The manifest: one line per file, `<sha256>  <path>\n`, sorted by path bytes: what `sha256sum -c` reads.
 * Throws on a path or digest that cannot stand in it, and on a path listed twice: callers have refused those with better words.
 */
export function manifestOf(files: readonly ManifestFile[]): string {
  const seen = new Set<string>();
  for (const file of files) {
    const problem = pathProblem(file.path);
    if (problem !== undefined) throw new TypeError(`path ${JSON.stringify(file.path)} ${problem}`);
    if (!/^[0-9a-f]{64}$/.test(file.sha256)) throw new TypeError(`${file.path} has no SHA-256`);
    if (seen.has(file.path)) throw new TypeError(`path ${JSON.stringify(file.path)} stands twice`);
    seen.add(file.path);
  }
  return [...files]
    .sort((a, b) => byPathBytes(a.path, b.path))
    .map((file) => `${file.sha256}  ${file.path}\n`)
    .join("");
}

/** The model digest, lower-case hex: SHA-256 of the manifest's text. */
export function modelDigest(manifest: string): string {
  return sha256(manifest);
}
