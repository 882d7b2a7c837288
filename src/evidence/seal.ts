import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { canonicalJson } from "../lib/canonical-json.ts";
import { errnoOf, usageError } from "../lib/error.ts";
import { syncFolder, writeFileAtomic } from "../lib/files.ts";
import { sha256 } from "../lib/hash.ts";
import type { Statement } from "../lib/in-toto.ts";
import { type EvidenceFile, evidenceDigest, evidenceIndex, INDEX_FILE, isPlainPath } from "./evidence-index.ts";
import { type EvidenceFacts, evidenceFacts, type GateFact, gateFact } from "./facts.ts";
import { mediaTypeOf, STATEMENT_MEDIA_TYPE } from "./media-type.ts";
import { readEvidence } from "./read-evidence.ts";
import { provenanceStatement, subjectsOf, testResultStatement } from "./statements.ts";

const ATTACHMENT_KINDS = [
  "junit",
  "metrics",
  "model",
  "model-card",
  "contract",
  "project",
  "bundle",
  "wheel",
  "checklist",
  "report",
  "other",
] as const;
export type AttachmentKind = (typeof ATTACHMENT_KINDS)[number];

export interface Attachment {
  kind: AttachmentKind;
  /** Plain relative path: letters, digits, `_ . -` and `/`. It becomes `<kind>/<name>` in the evidence. */
  name: string;
  content: Uint8Array | string;
  /** The gate that it belongs to; its statement then names it. */
  gate?: string;
}

export interface SealedEvidence {
  /** Hex, without prefix. */
  digest: string;
  folder: string;
  files: readonly EvidenceFile[];
}

export interface Content {
  path: string;
  content: Uint8Array | string;
  mediaType: string;
}

/** Everything that one check leaves, before it is written: one statement per gate, the provenance, the attachments. Pure. */
export function planEvidence(
  facts: EvidenceFacts,
  gates: readonly GateFact[],
  attachments: readonly Attachment[],
): Content[] {
  const checked = evidenceFacts.parse(facts);
  const attached = attachments.map((each) => ({ ...each, path: attachmentPath(each), sha256: sha256(each.content) }));
  const subjects = subjectsOf(
    checked,
    attached.filter((each) => each.kind === "wheel" || each.kind === "bundle"),
  );
  const statement = (name: string, value: Statement): Content => ({
    path: `statements/${name}.json`,
    content: `${canonicalJson(value)}\n`,
    mediaType: STATEMENT_MEDIA_TYPE,
  });
  return [
    ...gates
      .map((gate) => gateFact.parse(gate))
      .map((gate) =>
        statement(
          gate.gate,
          testResultStatement(
            checked,
            gate,
            subjects,
            attached.filter((each) => each.gate === gate.gate),
          ),
        ),
      ),
    statement("provenance", provenanceStatement(checked, subjects)),
    ...attached.map(({ path, content }) => ({ path, content, mediaType: mediaTypeOf(path) })),
  ];
}

/** The path of an attachment inside the evidence. Throws exit 2 when its name is not plain. */
export function attachmentPath(attachment: Pick<Attachment, "kind" | "name">): string {
  const path = `${attachment.kind}/${attachment.name}`;
  if (!isPlainPath(path)) {
    throw usageError(
      "evidence.name",
      `${JSON.stringify(attachment.name)} cannot be a file's name in evidence`,
      "use letters, digits, _ . - and /, none beginning with a dot",
    );
  }
  return path;
}

/**
 * Seals what one check found: writes `<evidenceRoot>/<digest>/` whole or not at all, read-only, and points `latest` to it.
 * Returns the evidence digest. Sealing the same content again changes nothing.
 */
export async function sealEvidence(
  facts: EvidenceFacts,
  gates: readonly GateFact[],
  attachments: readonly Attachment[],
  evidenceRoot: string,
): Promise<SealedEvidence> {
  return writeSealed(planEvidence(facts, gates, attachments), evidenceRoot);
}

/** Writes a sealed evidence folder from its contents; see `sealEvidence`. */
export async function writeSealed(contents: readonly Content[], evidenceRoot: string): Promise<SealedEvidence> {
  const seen = new Set<string>();
  const files = contents.map(({ path, content, mediaType }) => {
    if (seen.has(path.toLowerCase()))
      throw usageError(
        "evidence.twice",
        `${path} would stand twice in the evidence`,
        "give the attachment another name",
      );
    seen.add(path.toLowerCase());
    return {
      path,
      sha256: sha256(content),
      mediaType,
      bytes: typeof content === "string" ? Buffer.byteLength(content) : content.byteLength,
    };
  });
  const index = evidenceIndex(files);
  const digest = evidenceDigest(index);
  const folder = join(evidenceRoot, digest);
  if (!existsSync(folder)) {
    mkdirSync(evidenceRoot, { recursive: true });
    const temporary = join(evidenceRoot, `.${randomBytes(6).toString("hex")}.tmp`);
    try {
      for (const { path, content } of [...contents, { path: INDEX_FILE, content: index }]) {
        writeFileAtomic(join(temporary, path), content);
        chmodSync(join(temporary, path), 0o444);
      }
      renameInto(temporary, folder);
      syncFolder(evidenceRoot);
    } finally {
      rmSync(temporary, { recursive: true, force: true });
    }
  }
  await readEvidence(folder, digest);
  writeFileAtomic(join(evidenceRoot, LATEST_FILE), `${digest}\n`);
  return { digest, folder, files };
}

/** Names the evidence that was sealed last. */
const LATEST_FILE = "latest";

function renameInto(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    // Another check sealed the same content at the same moment: it is there, and is verified next.
    if (!["ENOTEMPTY", "EEXIST"].includes(errnoOf(error) ?? "")) throw error;
  }
}
