import * as z from "zod";
import { canonicalJson } from "../lib/canonical-json.ts";
import { usageError } from "../lib/error.ts";
import { type EvidenceFile, parseCanonical } from "./evidence-index.ts";
import { digestSchema } from "./statement-parts.ts";

export const BUNDLE_FILE = "bundle.json";

/** The files of a bundle, in the order of bundle.json, with their media types. */
export const BUNDLE_FILES = {
  "approvals.jsonl": "application/jsonl",
  "decision.jsonl": "application/jsonl",
  "manifest.sha256": "text/plain",
  "policy.sigs.jsonl": "application/jsonl",
  "policy.yaml": "application/yaml",
} as const;
export type BundlePath = keyof typeof BUNDLE_FILES;

/** A bundle before it is written. */
export interface PlannedBundle {
  /** SHA-256 of bundle.json, hex. */
  digest: string;
  /** bundle.json is the last. */
  files: readonly { path: BundlePath | typeof BUNDLE_FILE; text: string }[];
}

const index = z.strictObject({
  v: z.literal(1),
  evidence: digestSchema,
  files: z.array(
    z.strictObject({
      path: z.string(),
      sha256: digestSchema,
      mediaType: z.string(),
      bytes: z
        .int()
        .min(0)
        .max(64 << 20),
    }),
  ),
});
export type BundleIndex = z.infer<typeof index>;

/** The text of bundle.json: canonical JSON with a final line feed. */
export function bundleIndex(evidence: string, files: readonly EvidenceFile[]): string {
  return `${canonicalJson({ v: 1, evidence, files })}\n`;
}

/** Reads bundle.json: canonical, with exactly the files that a bundle has. Throws exit 2. */
export function parseBundleIndex(text: string): BundleIndex {
  const parsed = index.safeParse(parseCanonical(text, BUNDLE_FILE));
  if (!parsed.success) {
    const issues = parsed.error.issues.slice(0, 5).map((issue) => `${issue.path.join(".")}: ${issue.message}`);
    throw usageError("bundle.form", `${BUNDLE_FILE} is not in its form: ${issues.join("; ")}`);
  }
  const has = parsed.data.files.map(({ path, mediaType }) => `${path} ${mediaType}`);
  const needs = Object.entries(BUNDLE_FILES).map(([path, mediaType]) => `${path} ${mediaType}`);
  if (has.join("\n") !== needs.join("\n"))
    throw usageError("bundle.files", `${BUNDLE_FILE} must list ${Object.keys(BUNDLE_FILES).join(", ")}, in this order`);
  return parsed.data;
}
