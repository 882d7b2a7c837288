import { hash } from "node:crypto";
import { EMPTY_HEAD, type Head } from "./entry.ts";
import { HASH_PART_BYTES, LINE_START, PREV_PART_BYTES, SIG_PART_BYTES } from "./line.ts";

const LF = 0x0a;
const ZERO = 0x30;
const START = Buffer.from(LINE_START);
const AFTER_SEQ = Buffer.from(',"at":"');
const TAIL_BYTES = PREV_PART_BYTES + SIG_PART_BYTES + HASH_PART_BYTES;
/** The texts of a tail and where each stands, counted from the end of the line. */
const TAIL: readonly (readonly [Buffer, number])[] = [
  [Buffer.from(',"prev":"'), TAIL_BYTES],
  [Buffer.from('","sig":"'), SIG_PART_BYTES + HASH_PART_BYTES + 1],
  [Buffer.from('","hash":"'), HASH_PART_BYTES + 1],
  [Buffer.from('"}'), 2],
];
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
 */
export function walkChain(text: Buffer): ChainWalk {
  const problems: LinkProblem[] = [];
  const found = (line: number, seq: number | undefined, message: string): void => {
    if (problems.length < MAX_PROBLEMS) problems.push({ line, seq, message });
  };
  let prev = EMPTY_HEAD.hash;
  let seq = 0;
  let line = 0;
  for (let start = 0; start < text.length; line++) {
    const newline = text.indexOf(LF, start);
    const end = newline < 0 ? text.length : newline;
    const said = seqAt(text, start, end);
    if (said === undefined || !hasTail(text, start, end)) {
      found(line, undefined, `line ${line + 1} is no entry`);
      // What follows can be judged only from the entry after it.
      prev = "";
    } else {
      const hashStart = end - HASH_PART_BYTES;
      const claimed = text.toString("latin1", hashStart + 9, end - 2);
      if (said !== seq + 1) found(line, said, `entry ${said} stands where entry ${seq + 1} belongs`);
      if (hash("sha256", text.subarray(start, hashStart)) !== claimed)
        found(line, said, `entry ${said} is not what it was: its hash does not cover its bytes`);
      else if (prev !== "" && text.toString("latin1", end - TAIL_BYTES + 9, end - TAIL_BYTES + 73) !== prev)
        found(line, said, `entry ${said} does not follow the entry before it: it names another hash`);
      prev = claimed;
      seq = said;
    }
    if (newline < 0) found(line, said, `line ${line + 1} has no end`);
    start = end + 1;
  }
  return { lines: line, head: prev === "" ? EMPTY_HEAD : { seq, hash: prev }, problems };
}

/** The number that a line starts with, in its one spelling; undefined when the line does not start as an entry does. */
function seqAt(text: Buffer, start: number, end: number): number | undefined {
  if (end - start < START.length + TAIL_BYTES || !isAt(text, START, start)) return undefined;
  let at = start + START.length;
  let seq = 0;
  for (; at < end; at++) {
    const digit = (text[at] ?? 0) - ZERO;
    if (digit < 0 || digit > 9 || (seq === 0 && digit === 0)) break;
    seq = seq * 10 + digit;
  }
  return seq > 0 && seq <= Number.MAX_SAFE_INTEGER && isAt(text, AFTER_SEQ, at) ? seq : undefined;
}

function hasTail(text: Buffer, start: number, end: number): boolean {
  return end - start > START.length + TAIL_BYTES && TAIL.every(([part, fromEnd]) => isAt(text, part, end - fromEnd));
}

function isAt(text: Buffer, part: Buffer, at: number): boolean {
  for (let i = 0; i < part.length; i++) if (text[at + i] !== part[i]) return false;
  return true;
}
