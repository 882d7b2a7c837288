import { lstat, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Envelope, envelopeLine } from "../lib/dsse.ts";
import { usageError } from "../lib/error.ts";
import { sha256 } from "../lib/hash.ts";
import { parsePolicy } from "../policy/parse-policy.ts";
import type { Policy } from "../policy/policy.ts";
import type { PolicyRecord } from "../policy/policy-record.ts";
import {
  BUNDLE_FILE,
  BUNDLE_FILES,
  type BundlePath,
  bundleIndex,
  type PlannedBundle,
  parseBundleIndex,
} from "./bundle-index.ts";
import { parseEnvelopes } from "./signed-statement.ts";

const MAX_BYTES = 64 << 20;

/** What belongs to one promotion, release or rollback. */
export interface Bundle {
  /** SHA-256 of bundle.json, hex. */
  digest: string;
  /** Evidence digest, hex. */
  evidence: string;
  /** Text of the model manifest. */
  manifest: string;
  approvals: readonly Envelope[];
  decision: Envelope;
  /** The policy in force at the decision, as text and as parsed, and who signed it. */
  policyText: string;
  policy: Policy;
  policySignatures: readonly Envelope[];
}

/** A bundle, ready to be written. The order of approvals is kept. Pure. */
export function planBundle(parts: {
  evidence: string;
  manifest: string;
  approvals: readonly Envelope[];
  decision: Envelope;
  policy: PolicyRecord;
}): PlannedBundle {
  const lines = (envelopes: readonly Envelope[]) => envelopes.map(envelopeLine).join("");
  const texts: Record<BundlePath, string> = {
    "approvals.jsonl": lines(parts.approvals),
    "decision.jsonl": envelopeLine(parts.decision),
    "manifest.sha256": parts.manifest,
    "policy.sigs.jsonl": lines(parts.policy.signatures),
    "policy.yaml": parts.policy.text,
  };
  const files = PATHS.map((path) => ({
    path,
    text: texts[path],
    sha256: sha256(texts[path]),
    mediaType: BUNDLE_FILES[path],
    bytes: Buffer.byteLength(texts[path]),
  }));
  const index = bundleIndex(
    parts.evidence,
    files.map(({ text: _, ...file }) => file),
  );
  return {
    digest: sha256(index),
    files: [...files.map(({ path, text }) => ({ path, text })), { path: BUNDLE_FILE, text: index }],
  };
}

const PATHS = ["approvals.jsonl", "decision.jsonl", "manifest.sha256", "policy.sigs.jsonl", "policy.yaml"] as const;

/**
 * Reads a bundle from a folder that holds its files and nothing else. Verifies digests and forms; whether its signatures and
 * subjects hold is for `verifyBundle`. Throws exit 2 with what is wrong.
 */
export async function readBundle(folder: string, digest: string): Promise<Bundle> {
  const known = new Set<string>([BUNDLE_FILE, ...PATHS]);
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  if (entries.length === 0) throw usageError("bundle.missing", `no bundle in ${folder}`);
  for (const entry of entries) {
    if (!known.has(entry.name))
      throw usageError("bundle.extra", `${entry.name} in ${folder} does not belong to a bundle`);
    if (!entry.isFile()) throw usageError("bundle.file", `${entry.name} in ${folder} is a link or a special file`);
  }
  const contents = new Map<string, Buffer>();
  for (const { name } of entries) {
    if ((await lstat(join(folder, name))).size > MAX_BYTES)
      throw usageError("bundle.size", `${name} in ${folder} is too large`);
    contents.set(name, await readFile(join(folder, name)));
  }
  return parseBundle(contents, digest, folder);
}

/** Like `readBundle`, given the bytes of the files. `where` is for messages. Pure. */
export function parseBundle(contents: ReadonlyMap<string, Buffer>, digest: string, where: string): Bundle {
  const index = contents.get(BUNDLE_FILE);
  if (index === undefined) throw usageError("bundle.missing", `no ${BUNDLE_FILE} in ${where}`);
  if (sha256(index) !== digest)
    throw usageError("bundle.digest", `the bundle in ${where} has digest ${sha256(index)}, not ${digest}`);
  const { evidence, files } = parseBundleIndex(index.toString("utf8"));
  const texts = new Map<string, string>();
  for (const file of files) {
    const bytes = contents.get(file.path);
    if (bytes === undefined) throw usageError("bundle.lost", `${file.path} is missing in ${where}`);
    if (bytes.length !== file.bytes || sha256(bytes) !== file.sha256)
      throw usageError("bundle.changed", `${file.path} in ${where} is not what ${BUNDLE_FILE} says`);
    const text = bytes.toString("utf8");
    if (!Buffer.from(text).equals(bytes)) throw usageError("bundle.text", `${file.path} in ${where} is not UTF-8`);
    texts.set(file.path, text);
  }
  const text = (path: BundlePath) => texts.get(path) ?? "";
  const envelopes = (path: BundlePath) => {
    const parsed = parseEnvelopes(text(path), `${path} in ${where}`);
    if (parsed.flaws[0] !== undefined) throw usageError(parsed.flaws[0].code, parsed.flaws[0].message);
    return parsed.envelopes;
  };
  const [decision, ...more] = envelopes("decision.jsonl");
  if (decision === undefined || more.length > 0)
    throw usageError("bundle.decision", `decision.jsonl in ${where} must hold exactly one envelope`);
  const policyText = text("policy.yaml");
  return {
    digest,
    evidence,
    manifest: text("manifest.sha256"),
    approvals: envelopes("approvals.jsonl"),
    decision,
    policyText,
    policy: parsePolicy(policyText, `policy.yaml in ${where}`),
    policySignatures: envelopes("policy.sigs.jsonl"),
  };
}
