import { afterAll, beforeAll, expect, test } from "vitest";
import { contract, judge, makeFolder, verdictOf } from "./harness.ts";

let folder: ReturnType<typeof makeFolder>;
beforeAll(() => {
  folder = makeFolder();
});
afterAll(() => folder.remove());

/** Numbers that are the same in every run (a linear congruential generator). */
function seeded(seed: number): (below: number) => number {
  let state = seed * 2654435761 + 1;
  return (below) => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return Math.floor((state / 2147483648) * below);
  };
}

const POOL = [
  "",
  "0",
  "-0",
  "1",
  "1.0",
  "01",
  "1.0004",
  "0.5",
  "-3",
  "nan",
  "inf",
  "1e3",
  "abc",
  "N/A",
  " 1",
  "7",
  "7.0",
  "0x1F",
  "1_000",
];
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

const RULES = contract(`properties:
  - { name: x, logicalType: number, required: true, unique: true, enum: [0, 0.5, 1, N/A], logicalTypeOptions: { minimum: 0, maximum: 1, pattern: "^[0-9.]+$", maxLength: 3 } }
  - { name: s, logicalType: string, unique: true }
quality:
  - { metric: duplicateValues, arguments: { properties: [x, s] }, mustBe: 0 }`);

function duplicates(keys: readonly (string | undefined)[]): [involved: number, surplus: number] {
  const groups = new Map<string, number>();
  for (const key of keys) if (key !== undefined) groups.set(key, (groups.get(key) ?? 0) + 1);
  const sizes = [...groups.values()].filter((size) => size > 1);
  return [sizes.reduce((sum, size) => sum + size, 0), sizes.reduce((sum, size) => sum + size - 1, 0)];
}

test.each(Array.from({ length: 60 }, (_, seed) => seed + 1))(
  "table %i: the same counts as a plain loop gives",
  async (seed) => {
    const pick = seeded(seed);
    const rows = Array.from({ length: 1 + pick(40) }, () => ({
      x: POOL[pick(POOL.length)] ?? "",
      s: POOL[pick(POOL.length)] ?? "",
    }));
    const report = await judge(
      RULES,
      folder.write("t.csv", `x,s\n${rows.map(({ x, s }) => `"${x}","${s}"`).join("\n")}\n`),
    );
    const filled = rows.map(({ x }) => x).filter((x) => x !== "");
    const number = (x: string) => (NUMBER.test(x) ? Number(x) : undefined);
    const wrong = (good: (x: string, n: number | undefined) => boolean) =>
      filled.filter((x) => !good(x, number(x))).length;
    const key = (x: string) => (number(x) === undefined ? undefined : String((number(x) ?? 0) + 0));
    const pair = ({ x, s }: { x: string; s: string }) =>
      key(x) === undefined && s === "" ? undefined : JSON.stringify([key(x) ?? null, s]);
    const expected: Record<string, number> = {
      "t.x.logicalType": wrong((_, n) => n !== undefined),
      "t.x.required": rows.length - filled.length,
      "t.x.enum": wrong((x, n) => x === "N/A" || n === 0 || n === 0.5 || n === 1),
      "t.x.minimum": wrong((_, n) => n !== undefined && n >= 0 && n <= 1),
      "t.x.pattern": wrong((x) => /^[0-9.]+$/.test(x)),
      "t.x.maxLength": wrong((x) => x.length <= 3),
    };
    for (const [id, failedRows] of Object.entries(expected)) {
      const verdict = filled.length === 0 && failedRows === 0 ? "not-evaluated" : failedRows > 0 ? "fail" : "pass";
      expect(verdictOf(report, id)).toMatchObject({ id, failedRows, totalRows: rows.length, verdict });
    }
    const unique: Record<string, [number, number]> = {
      "t.x.unique": duplicates(rows.map(({ x }) => key(x))),
      "t.s.unique": duplicates(rows.map(({ s }) => (s === "" ? undefined : s))),
      "t.quality[0]": duplicates(rows.map(pair)),
    };
    for (const [id, [failedRows, surplusRows]] of Object.entries(unique))
      expect(verdictOf(report, id)).toMatchObject({ id, failedRows, surplusRows });
  },
);
