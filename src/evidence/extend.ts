import { lstat, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { canonicalJson } from "../lib/canonical-json.ts";
import { usageError } from "../lib/error.ts";
import { sha256 } from "../lib/hash.ts";
import { mediaTypeOf } from "./media-type.ts";
import type { Evidence } from "./read-evidence.ts";
import { type AttachmentKind, attachmentPath, type Content, type SealedEvidence, writeSealed } from "./seal.ts";

const MAX_ATTACHMENT_BYTES = 64 << 20;

export interface Extended extends SealedEvidence {
  /** Digest of the evidence that this one extends. */
  extends: string;
  added: string;
}

/** The bytes of a file to attach, and a plain name for it. Throws exit 2 when it is no plain file or too large. */
export async function readAttachment(
  path: string,
  named: string | undefined,
): Promise<{ name: string; content: Buffer }> {
  const stat = await lstat(path).catch(() => undefined);
  if (stat === undefined) throw usageError("evidence.file", `${path} does not exist`);
  if (!stat.isFile()) throw usageError("evidence.file", `${path} is not a plain file`);
  if (stat.size > MAX_ATTACHMENT_BYTES)
    throw usageError(
      "evidence.size",
      `${path} is larger than ${MAX_ATTACHMENT_BYTES >> 20} MiB`,
      "attach a report about it, with its SHA-256",
    );
  const name =
    named ??
    basename(path)
      .replace(/[^A-Za-z0-9_.-]+/g, "-")
      .replace(/^[.-]+/, "");
  return { name, content: await readFile(path) };
}

/**
 * New evidence: all of the sealed one, the attachment, and a record of what it extends. Sealed evidence itself never changes,
 * so the digest is another one; approvals of the earlier digest do not cover it.
 */
export async function extendEvidence(
  evidence: Evidence,
  attachment: { kind: AttachmentKind; name: string; content: Uint8Array },
  evidenceRoot: string,
  at: Date,
): Promise<Extended> {
  const path = attachmentPath(attachment);
  if (evidence.files.some((file) => file.path.toLowerCase() === path.toLowerCase())) {
    throw usageError("evidence.twice", `the evidence already holds ${path}`, "give the file another name: --name");
  }
  const kept: Content[] = [];
  for (const file of evidence.files) {
    const content = await readFile(join(evidence.folder, file.path));
    if (sha256(content) !== file.sha256)
      throw usageError("evidence.changed", `${file.path} in ${evidence.folder} changed while it was read`);
    kept.push({ path: file.path, content, mediaType: file.mediaType });
  }
  const number = evidence.files.filter((file) => file.path.startsWith("extends/")).length + 1;
  const record = {
    v: 1,
    extends: evidence.digest,
    added: path,
    sha256: sha256(attachment.content),
    at: at.toISOString(),
  };
  const contents: Content[] = [
    ...kept,
    { path, content: attachment.content, mediaType: mediaTypeOf(path) },
    { path: `extends/${number}.json`, content: `${canonicalJson(record)}\n`, mediaType: "application/json" },
  ];
  const sealed = await writeSealed(contents, evidenceRoot);
  return { ...sealed, extends: evidence.digest, added: path };
}
