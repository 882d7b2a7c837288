import { isUtf8 } from "node:buffer";
import * as z from "zod";
import { canonicalJson, parseCanonicalJson } from "../lib/canonical-json.ts";
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
const MAX_LINE_BYTES = 4 << 20;

function factOf<K extends EntryKind>(kind: K) {
  return z.strictObject({ kind: z.literal(kind), body: BODIES[kind] });
}

const factSchema = z.discriminatedUnion("kind", [
  factOf("opened"),
  factOf("policy.adopted"),
  factOf("registered"),
  factOf("approved"),
  factOf("approval.withdrawn"),
  factOf("promotion.started"),
  factOf("promoted"),
  factOf("release.started"),
  factOf("released"),
  factOf("rollback.started"),
  factOf("rolledback"),
  factOf("deploy.started"),
  factOf("deployed"),
  factOf("abandoned"),
]);

/** All before the body. A text in quotes has no quote or backslash but behind a backslash. */
const BEFORE_BODY =
  /^\{"v":1,"seq":([1-9]\d{0,15}),"at":"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z)","kind":"([a-z.]{1,40})","by":("[^"\\]*(?:\\.[^"\\]*)*"),"key":"([0-9a-f]{64})","body":/;
/** All behind it. The last digit of the signature has no unused bits set, so that it has one spelling. */
const BEHIND_BODY = /^,"prev":"([0-9a-f]{64})","sig":"[A-Za-z0-9+/]{85}[AQgw]==","hash":"([0-9a-f]{64})"\}$/;
const BEHIND_BODY_BYTES = PREV_PART_BYTES + SIG_PART_BYTES + HASH_PART_BYTES;
const MAX_BY = 254;

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
 * blanks, a key twice, an unknown key or kind could be read in two ways. Says nothing about the signature or the chain. Pure.
 */
export function parseLine(line: Uint8Array): Entry | { problem: string } {
  if (line.length > MAX_LINE_BYTES) return { problem: `is longer than ${MAX_LINE_BYTES} bytes` };
  // Bytes that are no text would be replaced by a reader, and two lines would look the same.
  if (!isUtf8(line)) return { problem: "is not UTF-8" };
  const text = Buffer.from(line.buffer, line.byteOffset, line.length).toString("utf8");
  const newer = laterVersion(text);
  if (newer !== undefined) return { problem: `has format ${newer}, which needs a newer factory` };
  const before = BEFORE_BODY.exec(text);
  const behind = BEHIND_BODY.exec(text.slice(-BEHIND_BODY_BYTES));
  if (before === null || behind === null) return { problem: NOT_IN_FORM };
  const by = parseCanonicalJson(before[4] ?? "");
  const seq = Number(before[1]);
  const at = before[2] ?? "";
  const bodyText = text.slice(before[0].length, -BEHIND_BODY_BYTES);
  if (typeof by !== "string" || by.length > MAX_BY || !Number.isSafeInteger(seq) || !isTime(at) || bodyText === "")
    return { problem: NOT_IN_FORM };
  const body = parseCanonicalJson(bodyText);
  if (body === undefined) return { problem: NOT_IN_FORM };
  const fact = factSchema.safeParse({ kind: before[3], body });
  if (!fact.success) return { problem: `is no entry that this factory knows: ${firstIssue(fact.error)}` };
  // Cheaper than a copy: a long chain is read as fast as its signatures are checked (bench/ledger.mjs).
  return Object.assign(fact.data, { seq, at, by, key: before[5] ?? "", prev: behind[1] ?? "", hash: behind[2] ?? "" });
}

const NOT_IN_FORM = "is not written in the one form that an entry has";

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

/** The number of the later format that a line has, if it has one and its hash holds: then it is no damaged line. Pure. */
export function laterFormat(line: Buffer): number | undefined {
  const end = line.length - HASH_PART_BYTES;
  const version = laterVersion(line.toString("latin1", 0, 20));
  const holds = end > 0 && line.toString("latin1", end) === `,"hash":"${sha256(line.subarray(0, end))}"}`;
  return holds ? version : undefined;
}

function laterVersion(text: string): number | undefined {
  const version = Number(/^\{"v":([1-9]\d{0,8}),/.exec(text)?.[1] ?? 1);
  return version > 1 ? version : undefined;
}

const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** Whether a text in the form of an ISO time names a day of the calendar and a time of day. */
function isTime(text: string): boolean {
  const part = (from: number, to: number): number => Number(text.slice(from, to));
  const year = part(0, 4);
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const month = part(5, 7);
  const days = month === 2 && leap ? 29 : (DAYS[month - 1] ?? 0);
  const day = part(8, 10);
  return day >= 1 && day <= days && part(11, 13) < 24 && part(14, 16) < 60 && part(17, 19) < 60;
}

function firstIssue(error: z.ZodError): string {
  const [issue] = error.issues;
  return issue === undefined ? "" : `${issue.path.map(String).join(".") || "the line"}: ${issue.message}`;
}
