import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { canonicalJson } from "../lib/canonical-json.ts";
import { type Envelope, envelopeLine, signEnvelope } from "../lib/dsse.ts";
import { usageError } from "../lib/error.ts";
import { sha256 } from "../lib/hash.ts";
import { STATEMENT_TYPE, type Statement } from "../lib/in-toto.ts";
import type { Signer } from "../lib/signing.ts";
import { INDEX_FILE } from "./evidence-index.ts";
import type { Flaw } from "./flaw.ts";
import { STATEMENT_MEDIA_TYPE } from "./media-type.ts";
import type { Evidence } from "./read-evidence.ts";
import { MAX_SIGNATURE_FILES, SIGNATURE_PATH, type SignedFile } from "./signature-path.ts";
import { type KeyOf, openSigned, parseEnvelopes } from "./signed-statement.ts";

const EVIDENCE_TYPE = "urn:pilot-to-production:evidence/v1";

/** The bytes of one statement file. */
export interface StatementBytes {
  path: string;
  bytes: Buffer;
}

/** What the last envelope of a signature file says: which files together are the evidence of which model. Pure. */
export function evidenceStatement({ digest, files, facts }: Pick<Evidence, "digest" | "files" | "facts">): Statement {
  return {
    _type: STATEMENT_TYPE,
    subject: [
      { name: facts.model.name, digest: { sha256: facts.model.digest } },
      { name: INDEX_FILE, digest: { sha256: digest } },
    ],
    predicateType: EVIDENCE_TYPE,
    predicate: { files: files.length, project: facts.project, run: facts.run.id, commit: facts.commit },
  };
}

/** Signs every statement of an evidence and the evidence as a whole. Writes nothing. Throws exit 2 when a file changed. */
export async function signEvidence(evidence: Evidence, signer: Signer): Promise<SignedFile[]> {
  return [signStatements(evidence, await readStatements(evidence), signer)];
}

/** The signature file of one signer. Pure. */
export function signStatements(evidence: Evidence, statements: readonly StatementBytes[], signer: Signer): SignedFile {
  const text = [...statements.map(({ bytes }) => bytes), Buffer.from(canonicalJson(evidenceStatement(evidence)))]
    .map((payload) => envelopeLine(signEnvelope(payload, signer)))
    .join("");
  return { path: `signatures/${signer.keyId}.jsonl`, text };
}

/** The statement files of an evidence in the order of their paths, each with the digest that the index lists. Throws exit 2. */
export async function readStatements(evidence: Evidence): Promise<StatementBytes[]> {
  const listed = evidence.files.filter((file) => file.mediaType === STATEMENT_MEDIA_TYPE);
  return Promise.all(
    listed.map(async ({ path, sha256: digest }) => {
      const bytes = await readFile(join(evidence.folder, path));
      if (sha256(bytes) !== digest)
        throw usageError("evidence.changed", `${path} in ${evidence.folder} changed while it was read`);
      return { path, bytes };
    }),
  );
}

export interface VerifiedSignatures {
  /** Ids of the keys that count and whose whole set of envelopes holds. */
  signedBy: string[];
  /** What is wrong with the others; a flawed file takes nothing from a good one. */
  flaws: Flaw[];
}

/** Who signed an evidence that was read and verified. Throws exit 2 when a statement changed meanwhile. */
export async function verifySignedEvidence(
  evidence: Evidence,
  signatures: readonly SignedFile[],
  keyOf: KeyOf,
): Promise<VerifiedSignatures> {
  return verifySignatures(evidence, await readStatements(evidence), signatures, keyOf);
}

/** Like `verifySignedEvidence`, given the bytes of the statements. Pure. */
export function verifySignatures(
  evidence: Evidence,
  statements: readonly StatementBytes[],
  signatures: readonly SignedFile[],
  keyOf: KeyOf,
): VerifiedSignatures {
  const signedBy: string[] = [];
  const flaws: Flaw[] = [];
  if (signatures.length > MAX_SIGNATURE_FILES)
    return {
      signedBy,
      flaws: [{ code: "signature.many", message: `more than ${MAX_SIGNATURE_FILES} signature files` }],
    };
  for (const file of signatures) {
    const keyId = SIGNATURE_PATH.exec(file.path)?.[1];
    const flaw =
      keyId === undefined
        ? { code: "signature.path", message: `${file.path} is no place for signatures` }
        : flawOf(evidence, statements, file, keyId, keyOf);
    if (flaw !== undefined) flaws.push(flaw);
    else if (keyId !== undefined) signedBy.push(keyId);
  }
  return { signedBy, flaws };
}

function flawOf(
  evidence: Evidence,
  statements: readonly StatementBytes[],
  { path, text }: SignedFile,
  keyId: string,
  keyOf: KeyOf,
): Flaw | undefined {
  const { envelopes, flaws } = parseEnvelopes(text, path);
  if (flaws[0] !== undefined) return flaws[0];
  const whole = Buffer.from(canonicalJson(evidenceStatement(evidence)));
  const expected = [...statements, { path: INDEX_FILE, bytes: whole }];
  if (envelopes.length !== expected.length)
    return {
      code: "signature.number",
      message: `${path} holds ${envelopes.length} envelopes; this evidence needs ${expected.length}, one for each statement and one for the whole`,
    };
  for (const [i, envelope] of envelopes.entries()) {
    const about = expected[i];
    if (about === undefined) return undefined;
    const flaw = envelopeFlaw(envelope, about, expected, keyId, keyOf, `${path} line ${i + 1} (${about.path})`);
    if (flaw !== undefined) return flaw;
  }
  return undefined;
}

function envelopeFlaw(
  envelope: Envelope,
  about: StatementBytes,
  all: readonly StatementBytes[],
  keyId: string,
  keyOf: KeyOf,
  what: string,
): Flaw | undefined {
  const opened = openSigned(envelope, keyOf, what);
  if ("flaw" in opened) return opened.flaw;
  if (opened.keyId !== keyId)
    return {
      code: "signature.signer",
      message: `${what} is signed with key ${opened.keyId.slice(0, 12)}…, not with the one in the file's name`,
    };
  if (opened.payload.equals(about.bytes)) return undefined;
  const other = all.find((each) => each.bytes.equals(opened.payload));
  if (other !== undefined) return { code: "signature.order", message: `${what} is the envelope of ${other.path}` };
  return about.path === INDEX_FILE
    ? {
        code: "signature.other",
        message: `${what} speaks of another evidence: ${difference(opened.payload, about.bytes)}`,
      }
    : { code: "signature.payload", message: `${what} carries other bytes than the file` };
}

/** Which part of the statement on the whole is another one. */
function difference(payload: Buffer, expected: Buffer): string {
  const [found, wanted] = [payload, expected].map((bytes) => parts(bytes));
  const keys = Object.keys(wanted ?? {}).filter((key) => found?.[key] !== wanted?.[key]);
  return keys.length === 0 ? "its form" : keys.join(", ");
}

function parts(bytes: Buffer): Record<string, string> {
  try {
    const value: unknown = JSON.parse(bytes.toString("utf8"));
    if (typeof value !== "object" || value === null) return {};
    return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, canonicalJson(part)]));
  } catch {
    return {};
  }
}
