import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Head } from "../../ledger/entry.ts";
import type { ChainWalk } from "../../ledger/verify-chain.ts";
import { writeFileAtomic } from "../../lib/files.ts";
import { sha256 } from "../../lib/hash.ts";

/** What this machine saw of a chain in a table: its lines, and which table it was. A memory, never a witness for others. */
export interface Seen {
  /** Whole lines; empty when nothing was seen, or when the memory does not hold by itself. */
  text: Buffer;
  head: Head;
}

export interface SeenChain {
  load(): Seen;
  save(text: Buffer): void;
  /** The id that the table had when it was first seen. */
  tableId(): string | undefined;
  noteTableId(id: string): void;
}

/** The memory of one chain: two files in a folder of the cache, named by the digest of the address. */
export function seenChain(
  cache: string,
  address: readonly string[],
  walkChain: (text: Buffer) => ChainWalk,
): SeenChain {
  const name = sha256(JSON.stringify(address)).slice(0, 32);
  const lines = join(cache, `${name}.jsonl`);
  const table = join(cache, `${name}.table`);
  const read = (path: string): Buffer => (existsSync(path) ? readFileSync(path) : Buffer.alloc(0));
  return {
    load() {
      const text = read(lines);
      const { head, problems } = walkChain(text);
      // A memory that somebody changed, or that was cut, is none: all is read again.
      return problems.length > 0 ? { text: Buffer.alloc(0), head: walkChain(Buffer.alloc(0)).head } : { text, head };
    },
    save: (text) => writeFileAtomic(lines, text, 0o600),
    tableId: () => read(table).toString("utf8").trim() || undefined,
    noteTableId: (id) => writeFileAtomic(table, `${id}\n`, 0o600),
  };
}

/** The digest that the table makes of the same lines: of the digests of all lines, one after the other. */
export function digestOfLines(text: Buffer): string {
  const sums: string[] = [];
  for (let start = 0; start < text.length; ) {
    const end = text.indexOf(0x0a, start);
    sums.push(sha256(text.subarray(start, end)));
    start = end + 1;
  }
  return sha256(sums.join(""));
}
