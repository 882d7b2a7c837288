import { createHash } from "node:crypto";

/** All cases, in the place of what CI takes of them. */
export const DEEP = process.env.FACTORY_TEST_DEEP === "1";
/** Says which part CI takes: another one each hour; FACTORY_TEST_SEED repeats one. */
export const SEED = process.env.FACTORY_TEST_SEED ?? new Date().toISOString().slice(0, 13);

export function hashOf(text: string): number {
  return createHash("sha256").update(`${SEED} ${text}`).digest().readUInt32BE();
}

/** Whether the seed takes this one too, of which it takes one in `share`. */
export function drawn(what: string, share: number): boolean {
  return hashOf(what) % share === 0;
}

/**
 * The part of a table that is run: all of it in the exhaustive run, else of each group one row that the seed says, and of all rows one in
 * `share`.
 */
export function covering<T>(
  rows: readonly T[],
  share: number,
  nameOf: (row: T) => string,
  groupOf: (row: T) => string = () => "",
): readonly T[] {
  if (DEEP) return rows;
  const first = new Map<string, T>();
  for (const row of rows) {
    const before = first.get(groupOf(row));
    if (before === undefined || hashOf(nameOf(row)) < hashOf(nameOf(before))) first.set(groupOf(row), row);
  }
  return rows.filter((row) => first.get(groupOf(row)) === row || drawn(nameOf(row), share));
}
