import type { PlaceFinding } from "../../ledger/store.ts";
import { type FactoryError, outsideError, usageError } from "../../lib/error.ts";
import { SqlError } from "../sql/sql-error.ts";

/** A chain is moved in by one statement, and a warehouse takes no longer one. */
export const MAX_BEGIN_BYTES = 10 << 20;

/** Whether a statement failed since there is no such table. */
export function absent(thrown: unknown): boolean {
  return (
    thrown instanceof SqlError &&
    (thrown.sqlState === "42P01" ||
      thrown.errorClass === "TABLE_OR_VIEW_NOT_FOUND" ||
      thrown.errorClass === "DELTA_TABLE_NOT_FOUND")
  );
}

/** What the warehouse refused, with what to do about it. Anything else is passed on. */
export function denied(thrown: unknown, place: string): unknown {
  if (!(thrown instanceof SqlError) || !thrown.answered || thrown.code !== "data.query") return thrown;
  const { sqlState = "", errorClass = "" } = thrown;
  const schema =
    sqlState === "42704" || errorClass === "SCHEMA_NOT_FOUND" || errorClass === "NO_SUCH_CATALOG_EXCEPTION";
  const right = sqlState === "42501" || /PERMISSION|PRIVILEGE/.test(errorClass);
  return outsideError(
    right ? "ledger.denied" : "ledger.table",
    `${place} could not be used: ${thrown.message}`,
    schema
      ? "make the schema first: CREATE SCHEMA in that catalog"
      : right
        ? "it takes USE CATALOG, USE SCHEMA, SELECT and MODIFY on the table, for the first entry CREATE TABLE in the schema: factory doctor"
        : undefined,
    thrown,
  );
}

export function rewritten(place: string, what: string): FactoryError {
  return outsideError(
    "ledger.rewritten",
    `the history of ${place} was rewritten: ${what}`,
    "find out who did that and put it back: DESCRIBE HISTORY says who and when, RESTORE TABLE brings an earlier version back. The cache folder " +
      "still holds what was there (ledger-delta/*.jsonl). If it was agreed on, remove that file, and factory starts from what is there now",
  );
}

export function replaced(place: string): PlaceFinding {
  return {
    verdict: "no",
    message: `${place} is another table than the one that was seen from here: that one was dropped, and one of the same name was made`,
    fix: "UNDROP TABLE brings the first one back for some days; if it was agreed on, remove ledger-delta/*.table in the cache folder",
  };
}

export function unguarded(place: string, lacks: readonly string[]): FactoryError {
  return outsideError(
    "ledger.table",
    `${place} was not made by factory: it lacks ${lacks.join(" and ")}, without which entries could be lost`,
    "name a table that does not exist, and factory makes it; or have its owner set what it lacks: docs/ledger.md",
  );
}

export function notKnown(place: string, cause: unknown): FactoryError {
  return outsideError(
    "ledger.unknown",
    `no answer from ${place}: whether the entry was written is not known`,
    "run the same command again when it can be reached: it looks first",
    cause,
  );
}

export function tooLong(place: string, bytes: number): FactoryError {
  return usageError(
    "ledger.size",
    `a chain of ${bytes} bytes cannot be moved into ${place} at once; at most ${MAX_BEGIN_BYTES} can`,
    "keep that ledger where it is",
  );
}
