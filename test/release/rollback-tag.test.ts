import { expect, test } from "vitest";
import type { RollbackTarget } from "../../src/ledger/entry.ts";
import { parseRollbackTag, rollbackTagAfter } from "../../src/release/rollback-tag.ts";

const target = (version: number): RollbackTarget => ({
  version: `${version}`,
  digest: "f".repeat(64),
  createdAt: 1_790_000_000_000,
  signature: "not compatible",
});
const moved = (from: number, to: RollbackTarget, at = "2026-11-30T10:00:00.000Z") => ({
  from: `${from}`,
  to,
  at,
  by: "a.long.name.of.somebody@department.example.com",
});

test("the tag goes one step on, and fits where 1000 characters do", () => {
  const further = [7, 6, 5, 4, 3, 2].map(target);
  const text = rollbackTagAfter({ of: "9", to: target(8), further: [target(7), ...further] }, moved(9, target(8)));
  expect(text.length).toBeLessThan(1000);
  const tag = parseRollbackTag(text);
  expect(tag).toMatchObject({ of: "8", to: target(7), since: { by: moved(9, target(8)).by } });
  expect(tag?.further?.slice(0, 2)).toEqual(further.slice(0, 2));
  expect(tag?.further?.length).toBeLessThan(further.length);
});

test("written again by the same rollback it stays; one that knows no more says so, one of another version nothing", () => {
  const once = rollbackTagAfter({ of: "3", to: target(2), further: ["none"] }, moved(3, target(2)));
  expect(parseRollbackTag(once)).toMatchObject({ of: "2", to: "none" });
  expect(rollbackTagAfter(parseRollbackTag(once), moved(3, target(2)))).toBe(once);
  const withoutSteps = rollbackTagAfter({ of: "3", to: target(2) }, moved(3, target(2)));
  const ofAnother = rollbackTagAfter({ of: "4", to: target(3), further: [target(2)] }, moved(3, target(2)));
  for (const text of [withoutSteps, ofAnother, rollbackTagAfter(undefined, moved(3, target(2)))]) {
    expect(parseRollbackTag(text)).toMatchObject({ of: "2" });
    expect(parseRollbackTag(text)).not.toHaveProperty("to");
  }
  expect(rollbackTagAfter({ of: "1", to: "none" }, moved(1, "none"))).toBe("");
});

test.each(["", "{", "[]", '{"of":1}', '{"of":"1","to":{"version":"2"}}'])("%j is no tag", (text) => {
  expect(parseRollbackTag(text)).toBeUndefined();
});
