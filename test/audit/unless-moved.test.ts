import { expect, test } from "vitest";
import type { Finding } from "../../src/audit/finding.ts";
import { unlessMoved } from "../../src/audit/unless-moved.ts";
import { chain, promoted, released } from "./chain.ts";

const before = chain(promoted(1, 2, 1)).view;
const after = chain([...promoted(1, 2, 1), ...released(1, "none", 5, 2)]).view;
const differs: Finding = { part: "registry", verdict: "no", environment: "prod", message: "champion is v1" };
const worth: Finding = { part: "registry", verdict: "note", message: "an old endpoint answers" };
const line = (now: typeof before) => ({
  view: before,
  ledger: { place: "", local: true, view: async () => now, append: async () => undefined },
});

test("a difference from a ledger that stands still is one", async () => {
  expect(await unlessMoved([differs, worth], line(before))).toEqual([differs, worth]);
});

test("a difference from a ledger that went on cannot be told, and is never good", async () => {
  const found = await unlessMoved([differs, worth], line(after));
  expect(found.map(({ verdict, message }) => `${verdict}: ${message}`)).toEqual([
    "cannot tell: the ledger went on from entry 4 to 6 while the registries were asked",
    "cannot tell: champion is v1",
    "note: an old endpoint answers",
  ]);
});

test("a difference elsewhere than where the ledger went on is one", async () => {
  const elsewhere: Finding = { ...differs, environment: "dev" };
  expect(await unlessMoved([elsewhere], line(after))).toEqual([elsewhere]);
});

test("where nothing differs the ledger is not asked again", async () => {
  const asked = { ...line(before).ledger, view: () => Promise.reject(new Error("asked")) };
  expect(await unlessMoved([worth], { view: before, ledger: asked })).toEqual([worth]);
});
