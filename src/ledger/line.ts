import * as z from "zod";
import { canonicalJson } from "../lib/canonical-json.ts";
import { usageError } from "../lib/error.ts";
import { sha256 } from "../lib/hash.ts";
import type { Signer } from "../lib/signing.ts";
import { BODIES, type Entry, type EntryKind, type Fact } from "./entry.ts";

/**
 * The form of an entry: one line of JSON with its keys in this order, every value in canonical JSON (RFC 8785):
 *
 *     {"v":1,"seq":…,"at":…,"kind":…,"by":…,"key":…,"body":{…},"prev":"…","sig":"…","hash":"…"}
 *
 * `sig` covers the bytes before `,"sig":`, `hash` those before `,"hash":`. All from `,"prev":` on has a fixed length, so that a
 * chain can be walked without reading the JSON.
 */
export const LINE_START = '{"v":1,"seq":';
/** `,"hash":"` 64 digits `"}` */
export const HASH_PART_BYTES = 9 + 64 + 2;
/** `,"sig":"` 88 digits `"` */
export const SIG_PART_BYTES = 8 + 88 + 1;
/** `,"prev":"` 64 digits `"` */
export const PREV_PART_BYTES = 9 + 64 + 1;
/** No line may be longer: a policy of 1 MiB and its signatures have room. */
export const MAX_LINE_BYTES = 4 << 20;

const hex = z.string().regex(/^[0-9a-f]{64}$/);

function lineOf<K extends EntryKind>(kind: K) {
  return z.strictObject({
    v: z.literal(1),
    seq: z.int().min(1),
    at: z.string().refine(isTime, "is no ISO time in UTC with milliseconds"),
    kind: z.literal(kind),
    by: z.string().min(1).max(254),
    key: hex,
    body: BODIES[kind],
    prev: hex,
    sig: z.string().regex(/^[A-Za-z0-9+/]{86}==$/),
    hash: hex,
  });
}

const lineSchema = z.discriminatedUnion("kind", [
  lineOf("opened"),
  lineOf("policy.adopted"),
  lineOf("registered"),
  lineOf("approved"),
  lineOf("approval.withdrawn"),
  lineOf("promotion.started"),
  lineOf("promoted"),
  lineOf("release.started"),
  lineOf("released"),
  lineOf("rollback.started"),
  lineOf("rolledback"),
  lineOf("abandoned"),
]);

/** Where an entry stands, and whose it is. */
export interface EntryPlace {
  seq: number;
  at: Date;
  by: string;
  /** Hash of the entry before; 64 zeros for the first. */
  prev: string;
}

/** The line of an entry, without line feed, signed. Throws a usage error (exit 2) for a fact that no reader would take. Pure. */
export function formatEntry(fact: Fact, place: EntryPlace, signer: Signer): string {
  const unsigned = beforeSignature({ ...place, ...fact, at: place.at.toISOString(), key: signer.keyId });
  const line = withHash(withSignature(unsigned, signer.sign(Buffer.from(unsigned)).toString("base64")));
  const parsed = parseLine(Buffer.from(line));
  if ("problem" in parsed)
    throw usageError("ledger.entry", `this cannot be an entry of kind ${fact.kind}: it ${parsed.problem}`);
  return line;
}

/**
 * What a line says, or what is wrong with it. Only the very bytes that `formatEntry` would write are taken: another order,
 * blanks, a key twice, an unknown key or kind could be read in two ways. `newer`: the version of a later format. Says nothing
 * about the signature or the chain. Pure.
 */
export function parseLine(line: Uint8Array): Entry | { problem: string; newer?: number } {
  if (line.length > MAX_LINE_BYTES) return { problem: `is longer than ${MAX_LINE_BYTES} bytes` };
  const bytes = Buffer.from(line.buffer, line.byteOffset, line.length);
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString("utf8"));
  } catch {
    return { problem: "is no JSON" };
  }
  const newer = laterVersion(value);
  if (newer !== undefined) return { problem: `has format ${newer}, which needs a newer factory`, newer };
  const read = lineSchema.safeParse(value);
  if (!read.success) return { problem: `is no entry that this factory knows: ${firstIssue(read.error)}` };
  const { v: _, sig, ...entry } = read.data;
  if (!isExact(bytes, entry, sig)) return { problem: "is not written in the one form that an entry has" };
  return entry;
}

/** The bytes that are signed, and the signature, of a line in its form. Pure. */
export function signedPart(line: Buffer): { signed: Buffer; sig: Buffer } {
  const end = line.length - HASH_PART_BYTES - SIG_PART_BYTES;
  return { signed: line.subarray(0, end), sig: Buffer.from(line.toString("latin1", end + 8, end + 96), "base64") };
}

function beforeSignature(entry: Omit<Entry, "hash">): string {
  const { seq, at, kind, by, key, body, prev } = entry;
  const text = canonicalJson;
  return `${LINE_START}${text(seq)},"at":${text(at)},"kind":${text(kind)},"by":${text(by)},"key":${text(key)},"body":${text(body)},"prev":${text(prev)}`;
}

function withSignature(unsigned: string, sig: string): string {
  return `${unsigned},"sig":"${sig}"`;
}

function withHash(unhashed: string): string {
  return `${unhashed},"hash":"${sha256(unhashed)}"}`;
}

/** The hash is compared with the one that the line has: whether it is right, the walk over the chain says. */
function isExact(bytes: Buffer, entry: Entry, sig: string): boolean {
  if (Buffer.from(sig, "base64").toString("base64") !== sig) return false;
  try {
    const text = `${withSignature(beforeSignature(entry), sig)},"hash":"${entry.hash}"}`;
    return Buffer.from(text).equals(bytes);
  } catch {
    // A lone surrogate has no canonical form.
    return false;
  }
}

function laterVersion(value: unknown): number | undefined {
  if (typeof value !== "object" || value === null || !("v" in value)) return undefined;
  return typeof value.v === "number" && Number.isSafeInteger(value.v) && value.v > 1 ? value.v : undefined;
}

function isTime(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/.test(text)) return false;
  const time = new Date(text);
  return !Number.isNaN(time.getTime()) && time.toISOString() === text;
}

function firstIssue(error: z.ZodError): string {
  const [issue] = error.issues;
  return issue === undefined ? "" : `${issue.path.map(String).join(".") || "the line"}: ${issue.message}`;
}
