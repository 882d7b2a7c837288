import * as z from "zod";
import { canonicalJson } from "../lib/canonical-json.ts";
import { usageError } from "../lib/error.ts";
import { sha256 } from "../lib/hash.ts";

export const INDEX_FILE = "evidence.json";

const file = z.strictObject({
  path: z.string().min(1).max(400).refine(isPlainPath, "a relative path of letters, digits, _ . - and /"),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  mediaType: z.string().min(1),
  bytes: z.int().min(0),
});
const index = z.strictObject({ v: z.literal(1), files: z.array(file).min(1) });
export type EvidenceFile = z.infer<typeof file>;

/** Paths in evidence stay plain ASCII, so that they are the same file on every disk, store and screen. */
export function isPlainPath(path: string): boolean {
  return path.split("/").every((part) => /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(part)) && path !== INDEX_FILE;
}

/** The path as evidence can hold it; one with other characters keeps its likeness and gets a digest, so that two never meet. */
export function plainName(path: string): string {
  if (isPlainPath(path)) return path;
  const parts = path.split("/").map((part) => part.replace(/[^A-Za-z0-9_.-]/g, "_").replace(/^[.-]/, "_") || "_");
  return `${parts.join("/").slice(0, 200)}-${sha256(path).slice(0, 8)}`;
}

/** The bytes of evidence.json: every file, sorted by path, in canonical JSON with a final newline. */
export function evidenceIndex(files: readonly EvidenceFile[]): string {
  const sorted = [...files].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  return `${canonicalJson({ v: 1, files: sorted })}\n`;
}

/** The evidence digest, lower-case hex. */
export function evidenceDigest(indexText: string): string {
  return sha256(indexText);
}

/**
 * Reads evidence.json. It has to be canonical, byte for byte: so a key that stands twice, another order or a stray space
 * is refused, and one content has one digest. Throws exit 2.
 */
export function parseIndex(text: string): EvidenceFile[] {
  const { files } = index.parse(parseCanonical(text, INDEX_FILE));
  if (evidenceIndex(files) !== text) throw usageError("evidence.index", `${INDEX_FILE} is not sorted by path`);
  const seen = new Set(files.map((each) => each.path.toLowerCase()));
  if (seen.size !== files.length) throw usageError("evidence.index", `${INDEX_FILE} lists a path twice`);
  const clash = files.find((each) => isTaken(each.path.toLowerCase(), seen));
  if (clash !== undefined)
    throw usageError("evidence.index", `${INDEX_FILE} lists ${clash.path} in a place that is not free`);
  return files;
}

/** Below a path that is a file, or where signatures lie. */
function isTaken(path: string, files: ReadonlySet<string>): boolean {
  const parts = path.split("/");
  return parts[0] === "signatures" || parts.some((_, i) => i > 0 && files.has(parts.slice(0, i).join("/")));
}

/** Parses JSON that must be canonical (RFC 8785) with a final newline. Throws exit 2. */
export function parseCanonical(text: string, what: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw usageError("evidence.json", `${what} is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (`${canonicalJson(value)}\n` !== text)
    throw usageError(
      "evidence.canonical",
      `${what} is not in canonical form (a key twice, another order, or white space)`,
    );
  return value;
}
