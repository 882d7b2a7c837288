import { existsSync, readFileSync } from "node:fs";
import { lstat, readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import * as z from "zod";
import { FactoryError, messageOf, usageError } from "../lib/error.ts";
import { sha256, sha256File } from "../lib/hash.ts";
import { STATEMENT_TYPE } from "../lib/in-toto.ts";
import { type EvidenceFile, evidenceDigest, INDEX_FILE, parseCanonical, parseIndex } from "./evidence-index.ts";
import { type EvidenceFacts, evidenceFacts, type GateFact, gateFact } from "./facts.ts";
import { STATEMENT_MEDIA_TYPE } from "./media-type.ts";
import { SIGNATURE_PATH } from "./signature-path.ts";
import { PROVENANCE_TYPE, TEST_RESULT_TYPE } from "./statements.ts";

export interface Evidence {
  /** Hex. */
  digest: string;
  folder: string;
  files: readonly EvidenceFile[];
  facts: EvidenceFacts;
  gates: readonly GateFact[];
}

/** Where `check` puts the model's manifest; its SHA-256 is the model digest. */
export const MANIFEST_PATH = "model/manifest.sha256";
const MAX_INDEX_BYTES = 16 << 20;
const MAX_STATEMENT_BYTES = 32 << 20;

const statement = z.object({
  _type: z.literal(STATEMENT_TYPE),
  subject: z.array(z.object({ name: z.string(), digest: z.object({ sha256: z.string() }) })).min(1),
  predicateType: z.enum([TEST_RESULT_TYPE, PROVENANCE_TYPE]),
  predicate: z.object({
    result: z.string().optional(),
    annotations: z.object({ factory: z.object({ facts: evidenceFacts, gate: gateFact.optional() }) }),
  }),
});

/**
 * Reads a sealed evidence folder and believes nothing: every listed file must be there with its digest and length, nothing
 * else may be, and all statements must tell of the same facts. Throws exit 2 with what is wrong.
 */
export async function readEvidence(
  folder: string,
  expectedDigest?: string,
  /** `signatures`: files of signatures may lie beside the sealed ones. They are not verified here. */
  { signatures = false }: { signatures?: boolean } = {},
): Promise<Evidence> {
  if (!existsSync(join(folder, INDEX_FILE)))
    throw usageError(
      "evidence.missing",
      `no ${INDEX_FILE} in ${folder}`,
      "give the folder that factory check sealed: .factory/evidence/<digest>",
    );
  const indexStat = await lstat(join(folder, INDEX_FILE));
  if (!indexStat.isFile() || indexStat.size > MAX_INDEX_BYTES)
    throw usageError("evidence.index", `${INDEX_FILE} in ${folder} is not a plain file of reasonable size`);
  const text = await readFile(join(folder, INDEX_FILE), "utf8");
  const digest = evidenceDigest(text);
  const expected = expectedDigest ?? (/^[0-9a-f]{64}$/.test(basename(folder)) ? basename(folder) : digest);
  if (digest !== expected)
    throw usageError(
      "evidence.digest",
      `the evidence in ${folder} has digest ${digest}, not ${expected}`,
      "it was changed after it was sealed: run factory check again",
    );
  const files = understood(INDEX_FILE, () => parseIndex(text));
  await demandFiles(folder, files, signatures);
  const statements = await Promise.all(
    files.filter((file) => file.mediaType === STATEMENT_MEDIA_TYPE).map((file) => readStatement(folder, file)),
  );
  const first = statements[0]?.facts;
  const provenances = statements.filter((each) => each.gate === undefined);
  if (first === undefined || provenances.length !== 1)
    throw usageError("evidence.statements", `${folder} must hold exactly one provenance statement`);
  for (const each of statements) {
    if (
      JSON.stringify(each.facts) !== JSON.stringify(first) ||
      JSON.stringify(each.subject) !== JSON.stringify(statements[0]?.subject)
    ) {
      throw usageError("evidence.statements", `the statements in ${folder} do not speak of the same run`);
    }
  }
  const manifest = files.find((file) => file.path === MANIFEST_PATH);
  if (manifest !== undefined && manifest.sha256 !== first.model.digest)
    throw usageError("evidence.manifest", `${MANIFEST_PATH} in ${folder} is the manifest of another model`);
  return {
    digest,
    folder,
    files,
    facts: first,
    gates: statements.flatMap((each) => (each.gate === undefined ? [] : [each.gate])),
  };
}

/** The evidence that was sealed last in a project; undefined when there is none. */
export async function latestEvidence(evidenceRoot: string): Promise<Evidence | undefined> {
  const pointer = join(evidenceRoot, "latest");
  if (!existsSync(pointer)) return undefined;
  const digest = readFileSync(pointer, "utf8").trim();
  if (!/^[0-9a-f]{64}$/.test(digest))
    throw usageError("evidence.latest", `${pointer} does not hold a digest`, "run factory check again");
  return readEvidence(join(evidenceRoot, digest), digest);
}

async function demandFiles(folder: string, files: readonly EvidenceFile[], signatures: boolean): Promise<void> {
  const listed = new Map(files.map((file) => [file.path, file]));
  const walk = async (below: string): Promise<void> => {
    for (const entry of await readdir(join(folder, below), { withFileTypes: true })) {
      const path = below === "" ? entry.name : `${below}/${entry.name}`;
      if (entry.isDirectory()) await walk(path);
      else if (!entry.isFile()) throw usageError("evidence.file", `${path} in ${folder} is a link or a special file`);
      else if (path !== INDEX_FILE && !listed.has(path) && !(signatures && SIGNATURE_PATH.test(path)))
        throw usageError("evidence.extra", `${path} in ${folder} is not listed in ${INDEX_FILE}`);
    }
  };
  await walk("");
  for (const file of files) {
    const path = join(folder, file.path);
    if (!existsSync(path))
      throw usageError("evidence.lost", `${file.path} is listed in ${INDEX_FILE} and missing in ${folder}`);
    const { size } = await lstat(path);
    if (size !== file.bytes || (await sha256File(path)) !== file.sha256)
      throw usageError(
        "evidence.changed",
        `${file.path} in ${folder} is not what ${INDEX_FILE} says`,
        "it was changed after it was sealed: run factory check again",
      );
  }
}

/** The bytes of one of its files, which must still be those that were verified: whoever wrote the folder may change it meanwhile. */
export async function readFileOf(
  { folder }: Pick<Evidence, "folder">,
  file: Pick<EvidenceFile, "path" | "sha256">,
): Promise<Buffer> {
  const bytes = await readFile(join(folder, file.path));
  if (sha256(bytes) !== file.sha256)
    throw usageError("evidence.changed", `${file.path} in ${folder} changed while it was read`);
  return bytes;
}

async function readStatement(folder: string, file: EvidenceFile) {
  if (file.bytes > MAX_STATEMENT_BYTES) throw usageError("evidence.size", `${file.path} in ${folder} is too large`);
  const bytes = await readFileOf({ folder }, file);
  return understood(file.path, () => {
    const { predicateType, predicate, subject } = statement.parse(parseCanonical(bytes.toString("utf8"), file.path));
    const { facts, gate } = predicate.annotations.factory;
    if ((predicateType === TEST_RESULT_TYPE) !== (gate !== undefined))
      throw usageError("evidence.statement", `${file.path} is a test result without a gate, or the reverse`);
    if (gate !== undefined && (gate.verdict === "pass") !== (predicate.result === "PASSED"))
      throw usageError("evidence.statement", `${file.path} contradicts itself about the result`);
    if (subject[0]?.digest.sha256 !== facts.model.digest)
      throw usageError("evidence.statement", `${file.path} is about another model than its facts`);
    return { facts, gate, subject };
  });
}

function understood<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof FactoryError) throw error;
    throw usageError(
      "evidence.form",
      `${what} is not in the form that evidence has: ${messageOf(error).slice(0, 500)}`,
    );
  }
}
