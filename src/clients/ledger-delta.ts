import { randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Head } from "../ledger/entry.ts";
import type { LedgerStore, PlaceFinding } from "../ledger/store.ts";
import type { ChainWalk } from "../ledger/verify-chain.ts";
import { outsideError } from "../lib/error.ts";
import { historyFindings } from "./ledger-delta/history.ts";
import { digestOfLines, seenChain } from "./ledger-delta/seen.ts";
import {
  appendLines,
  createTable,
  type DeltaTable,
  describeDetail,
  describeHistory,
  GUARDS,
  HASH_DIGITS,
  NO_ENTRY,
  optimize,
  readAfter,
  readHead,
  showProperties,
} from "./ledger-delta/statements.ts";
import {
  absent,
  denied,
  MAX_BEGIN_BYTES,
  notKnown,
  replaced,
  rewritten,
  tooLong,
  unguarded,
} from "./ledger-delta/troubles.ts";
import { SqlError } from "./sql/sql-error.ts";
import type { SqlRow, SqlWarehouse } from "./sql/warehouse.ts";

/** How often an append starts again since others write to the same table. */
const TRIES = 50;
/** How often in a row no answer may come. */
const LOST = 3;
const FIRST_PAUSE_MS = 250;
const MAX_PAUSE_MS = 8000;
/** Each append is a file of its own, and reading slows with their number. */
const OPTIMIZE_EVERY = 100;
/** Another writer was faster; nothing was written. */
const CONFLICT = "2D521";

export interface DeltaLedgerRequest {
  warehouse: SqlWarehouse;
  /** catalog.schema.table */
  table: string;
  project: string;
  /** Of the workspace, for the memory of what was seen. */
  host: string;
  /** A folder for that memory. */
  cache: string;
  /** `walkChain` of the ledger: whether lines hold by themselves. */
  walk: (text: Buffer) => ChainWalk;
  signal?: AbortSignal | undefined;
}

export interface DeltaLedger extends LedgerStore {
  /** As `append`, with several lines: all of them or none. */
  appendAll(lines: readonly string[], expected: Head): Promise<boolean>;
  begin(text: Buffer): Promise<boolean>;
  inspect(): Promise<readonly PlaceFinding[]>;
}

/**
 * The chain of a project in a Delta table that holds the chains of all projects. An append is one MERGE that writes if and only if the
 * chain still ends as expected; the table's own isolation lets one of two writers win. What this machine saw of a chain must be there
 * for ever; what it saw is not fetched again, the table proves by a digest that it still holds it.
 */
export function openLedgerDelta(request: DeltaLedgerRequest): DeltaLedger {
  const { warehouse, project, signal } = request;
  const table: DeltaTable = { name: request.table, project };
  const place = `table ${request.table} (${warehouse.label}), project ${project}`;
  const seen = seenChain(request.cache, [request.host, request.table, project], request.walk);
  let ready = false;

  const read = async (): Promise<Buffer> => {
    const before = seen.load();
    const answer = await rowsOf(warehouse, readAfter(table, before.head.seq)).catch((thrown: unknown) => {
      if (!absent(thrown)) throw denied(thrown, place);
      return [];
    });
    const after = [...answer].sort((a, b) => Number(a.seq) - Number(b.seq));
    if (before.head.seq > 0) {
      const kept = after.shift();
      if (kept === undefined) throw rewritten(place, "the table is not there any more");
      if (kept.seq !== "0" || Number(kept.entry) !== before.head.seq || kept.hash !== digestOfLines(before.text))
        throw rewritten(
          place,
          before.head.seq === 1
            ? "the entry that was seen from here is not in it as it was"
            : `the ${before.head.seq} entries that were seen from here are not in it as they were`,
        );
    }
    const text = Buffer.concat([before.text, ...after.map(({ entry }) => Buffer.from(`${entry}\n`))]);
    // Only what holds by itself is remembered: the rest is for the reader to complain of, each time anew.
    if (after.length > 0 && request.walk(text).problems.length === 0) seen.save(text);
    return text;
  };

  /** Makes the table if there is none, and looks whether it is one that can be trusted with a chain. */
  const prepare = async (): Promise<void> => {
    for (let attempt = 0; !ready; attempt++) {
      try {
        let rows = await rowsOf(warehouse, showProperties(table)).catch((thrown: unknown) => {
          if (!absent(thrown)) throw thrown;
          return undefined;
        });
        if (rows === undefined) {
          await warehouse.run(createTable(table));
          rows = await rowsOf(warehouse, showProperties(table));
        }
        const found = new Map(rows.map(({ key, value }) => [String(key), String(value)]));
        const lacks = Object.keys(GUARDS).filter((key) => found.get(key)?.toLowerCase() !== GUARDS[key]?.toLowerCase());
        if (lacks.length > 0) throw unguarded(place, lacks);
        ready = true;
      } catch (thrown) {
        // Two who make the same table at once: one of them may be told so in many ways, and finds it made when it looks again.
        if (!(thrown instanceof SqlError) || attempt >= LOST) throw denied(thrown, place);
        await pauseBefore(attempt, signal);
      }
    }
  };

  const write = async (lines: readonly string[], expected: Head): Promise<boolean> => {
    await prepare();
    const own = lines.at(-1)?.slice(-HASH_DIGITS, -2) ?? "";
    const statement = appendLines(table, lines, expected);
    let lost = 0;
    for (let attempt = 0; attempt < TRIES; attempt++) {
      try {
        const { rows } = await warehouse.run(statement, { counts: true });
        if (Number(rows[0]?.num_inserted_rows) === lines.length) return true;
        lost = 0;
      } catch (thrown) {
        if (signal?.aborted || !(thrown instanceof SqlError)) throw thrown;
        if (thrown.answered && thrown.sqlState !== CONFLICT) throw denied(thrown, place);
        lost = thrown.answered ? 0 : lost + 1;
        if (lost >= LOST) throw notKnown(place, thrown);
        await pauseBefore(attempt, signal);
      }
      // An answer may have been lost after the entry was written; others may have written after it.
      const head = await rowsOf(warehouse, readHead(table, own, expected)).catch((thrown: unknown) => {
        if (lost > 0) throw notKnown(place, thrown);
        throw denied(thrown, place);
      });
      if (head[0]?.own === true) return true;
      if (head[0]?.hash !== expected.hash) return false;
      // Not written, though the end is as expected: somebody's MERGE was under way.
    }
    throw outsideError("ledger.busy", `${place} moved ${TRIES} times in a row`, "run it again");
  };

  const appendAll = async (lines: readonly string[], expected: Head): Promise<boolean> => {
    const done = await write(lines, expected);
    const before = seen.load();
    if (done && before.head.hash === expected.hash)
      seen.save(Buffer.concat([before.text, Buffer.from(`${lines.join("\n")}\n`)]));
    return done;
  };

  return {
    place,
    local: false,
    read: async () => ({ text: await read(), torn: Buffer.alloc(0) }),
    appendAll,
    async append(line, expected) {
      const done = await appendAll([line], expected);
      // Upkeep: that it did not succeed says nothing about the entry.
      if (done && (expected.seq + 1) % OPTIMIZE_EVERY === 0) await warehouse.run(optimize(table)).catch(() => {});
      return done;
    },
    async begin(text) {
      if (text.length > MAX_BEGIN_BYTES) throw tooLong(place, text.length);
      return appendAll(text.toString("utf8").split("\n").slice(0, -1), NO_ENTRY);
    },
    async inspect() {
      try {
        const history = await warehouse.run(describeHistory(table), {
          counts: true,
          only: ["version", "operation", "userName"],
        });
        const detail = await warehouse.run(describeDetail(table), { only: ["id"] });
        const id = String(detail.rows[0]?.id ?? "");
        const known = seen.tableId();
        if (known === undefined && id !== "") seen.noteTableId(id);
        return [
          ...historyFindings(history.rows, place),
          ...(known !== undefined && known !== id ? [replaced(place)] : []),
        ];
      } catch (thrown) {
        if (absent(thrown) && seen.tableId() === undefined && seen.load().head.seq === 0) return [];
        throw absent(thrown) ? rewritten(place, "the table is not there any more") : denied(thrown, place);
      }
    },
  };
}

async function rowsOf(warehouse: SqlWarehouse, sql: string): Promise<readonly SqlRow[]> {
  return (await warehouse.run(sql)).rows;
}

/** The longer others are at work, the longer: without it eight writers tread on each other's feet. */
async function pauseBefore(attempt: number, signal: AbortSignal | undefined): Promise<void> {
  const most = Math.min(FIRST_PAUSE_MS * 2 ** attempt, MAX_PAUSE_MS);
  await sleep(randomInt(most), undefined, signal === undefined ? {} : { signal });
}
