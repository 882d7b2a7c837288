import { hash } from "node:crypto";
import { EMPTY_HEAD, type Head } from "./entry.ts";
import { HASH_PART_BYTES, LINE_START, PREV_PART_BYTES, SIG_PART_BYTES } from "./entry-line.ts";

const LF = 0x0a;
const ZERO = 0x30;
const QUOTE = 0x22;
const COLON = 0x3a;
const QUOTE_COLON = 0x223a;
const COLON_QUOTE = 0x3a22;
const QUOTE_BRACE = 0x227d;
/** Where the parts of a line's tail and their digits begin, counted from its end. */
const HASH_AT = HASH_PART_BYTES;
const SIG_AT = SIG_PART_BYTES + HASH_AT;
const PREV_AT = PREV_PART_BYTES + SIG_AT;
const PREV_DIGITS = PREV_AT - 9;
const HASH_DIGITS = HASH_AT - 9;
/** A file that is no chain has as many as it has lines; more than these help nobody. */
const MAX_PROBLEMS = 100;

/** Where the chain does not hold. */
export interface LinkProblem {
  /** Counted from 0. */
  line: number;
  /** As the line says it; undefined when it cannot be told. */
  seq: number | undefined;
  message: string;
}

export interface ChainWalk {
  lines: number;
  /** Of the last line; of the empty chain when that line cannot be read. */
  head: Head;
  /** At most the first hundred. */
  problems: readonly LinkProblem[];
}

/**
 * Walks a chain by its bytes: each entry's number is right for its place, its hash covers its bytes, and it names the hash of
 * the one before. Reads no JSON and checks no signature. Pure.
 *
 * The work per line is one hash and little else (bench/ledger.mjs): digits are compared where they stand, without texts being made
 * of them, and views on the bytes are made without the cost of a Buffer.
 */
export function walkChain(text: Buffer): ChainWalk {
  const { buffer, byteOffset, length } = text;
  const bytes = new DataView(buffer, byteOffset, length);
  const problems: LinkProblem[] = [];
  const found = (line: number, seq: number | undefined, message: string): void => {
    if (problems.length < MAX_PROBLEMS) problems.push({ line, seq, message });
  };
  /** Where the digits of the hash before stand; undefined: there is none, or what stands there is no entry. */
  let prevAt: number | undefined;
  let seq = 0;
  let line = 0;
  for (let start = 0; start < length; line++) {
    const newline = text.indexOf(LF, start);
    const end = newline < 0 ? length : newline;
    const inForm = end - start > LINE_START.length + PREV_AT && hasTail(bytes, end);
    const said = inForm ? seqAt(bytes, start, end) : undefined;
    if (said === undefined) {
      found(line, undefined, `line ${line + 1} is no entry`);
      prevAt = undefined;
      seq++;
    } else {
      const hashed = new Uint8Array(buffer, byteOffset + start, end - HASH_PART_BYTES - start);
      if (!isHexAt(bytes, end - HASH_DIGITS, hash("sha256", hashed, "binary")))
        found(line, said, `entry ${said} is not what it was: its hash does not cover its bytes`);
      else if (said !== seq + 1) found(line, said, `entry ${said} stands where entry ${seq + 1} belongs`);
      // Behind a line that is no entry there is nothing to compare with.
      else if (
        prevAt === undefined
          ? line === 0 && text.toString("latin1", end - PREV_DIGITS, end - SIG_AT - 1) !== EMPTY_HEAD.hash
          : !isSame(bytes, prevAt, end - PREV_DIGITS)
      )
        found(line, said, `entry ${said} does not follow the entry before it: it names another hash`);
      prevAt = end - HASH_DIGITS;
      seq = said;
    }
    if (newline < 0) found(line, said, `line ${line + 1} has no end`);
    start = end + 1;
  }
  const head = prevAt === undefined ? EMPTY_HEAD : { seq, hash: text.toString("latin1", prevAt, prevAt + 64) };
  return { lines: line, head, problems };
}

/** Four characters as they stand in the bytes. */
function word(text: string): number {
  return Buffer.from(text).readUInt32BE();
}

const [START_1, START_2, START_3] = [word('{"v"'), word(':1,"'), word('seq"')];
const AFTER_SEQ = word(',"at');
const [PREV_1, PREV_2] = [word(',"pr'), word('ev":')];
const [SIG_1, SIG_2] = [word('","s'), word('ig":')];
const [HASH_1, HASH_2] = [word('","h'), word('ash"')];

/** The number that a line starts with, in its one spelling; undefined when the line does not start as an entry does. */
function seqAt(bytes: DataView, start: number, end: number): number | undefined {
  if (bytes.getUint32(start) !== START_1 || bytes.getUint32(start + 4) !== START_2) return undefined;
  if (bytes.getUint32(start + 8) !== START_3 || bytes.getUint8(start + 12) !== COLON) return undefined;
  let at = start + LINE_START.length;
  let seq = 0;
  for (; at < end - PREV_AT; at++) {
    const digit = bytes.getUint8(at) - ZERO;
    if (digit < 0 || digit > 9 || (seq === 0 && digit === 0)) break;
    seq = seq * 10 + digit;
  }
  const ends = bytes.getUint32(at) === AFTER_SEQ && bytes.getUint16(at + 4) === QUOTE_COLON;
  return ends && seq > 0 && seq <= Number.MAX_SAFE_INTEGER ? seq : undefined;
}

/** `,"prev":"` … `","sig":"` … `","hash":"` … `"}`, each in its place. */
function hasTail(bytes: DataView, end: number): boolean {
  const [prev, sig, hashed] = [end - PREV_AT, end - SIG_AT - 1, end - HASH_AT - 1];
  return (
    bytes.getUint32(prev) === PREV_1 &&
    bytes.getUint32(prev + 4) === PREV_2 &&
    bytes.getUint8(prev + 8) === QUOTE &&
    bytes.getUint32(sig) === SIG_1 &&
    bytes.getUint32(sig + 4) === SIG_2 &&
    bytes.getUint8(sig + 8) === QUOTE &&
    bytes.getUint32(hashed) === HASH_1 &&
    bytes.getUint32(hashed + 4) === HASH_2 &&
    bytes.getUint16(hashed + 8) === COLON_QUOTE &&
    bytes.getUint16(end - 2) === QUOTE_BRACE
  );
}

/** The two hex digits of each byte, as they stand in a text. */
const DIGITS = Uint16Array.from({ length: 256 }, (_, byte) =>
  Buffer.from(byte.toString(16).padStart(2, "0")).readUInt16BE(),
);

/** Whether the 64 bytes at a place are the hex digits of a hash, given as one character a byte. */
function isHexAt(bytes: DataView, at: number, digest: string): boolean {
  for (let i = 0; i < 32; i++) if (bytes.getUint16(at + 2 * i) !== DIGITS[digest.charCodeAt(i)]) return false;
  return true;
}

/** Whether the same 64 bytes stand at two places. */
function isSame(bytes: DataView, a: number, b: number): boolean {
  for (let i = 0; i < 64; i += 4) if (bytes.getUint32(a + i) !== bytes.getUint32(b + i)) return false;
  return true;
}
