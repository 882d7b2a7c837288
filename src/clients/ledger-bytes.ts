import type { Head } from "../ledger/entry.ts";
import type { StoredChain } from "../ledger/store.ts";

const LF = 0x0a;

/** What follows the last line feed was left by a writer that died. */
export function splitTorn(bytes: Buffer): StoredChain {
  const end = bytes.lastIndexOf(LF) + 1;
  return { text: bytes.subarray(0, end), torn: bytes.subarray(end) };
}

/** Whether a chain's last line has this number and this hash; for number 0, whether there is no line. */
export function endsWith(text: Buffer, { seq, hash }: Head): boolean {
  if (text.length === 0 || seq === 0) return text.length === 0 && seq === 0;
  const start = text.length < 2 ? 0 : text.lastIndexOf(LF, text.length - 2) + 1;
  const line = text.toString("latin1", start, text.length - 1);
  return line.startsWith(`{"v":1,"seq":${seq},`) && line.endsWith(`,"hash":"${hash}"}`);
}
