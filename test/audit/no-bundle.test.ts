import { expect, test } from "vitest";
import { auditBundles } from "../../src/audit/audit-bundles.ts";
import { objectSource } from "../../src/audit/object-source.ts";
import { chain, minutes, promoted, released, rolledback } from "./chain.ts";

const story = [...promoted(1, 2, 1), ...released(1, "none", 5, 2)];
const notes = async (more: { effectiveAt?: string }) => {
  const { view } = chain([...story, ...rolledback(1, "none", 7, 6, 5, more)]);
  const { findings } = await auditBundles(view, objectSource("/nowhere", undefined), new Set());
  return findings.filter((each) => each.verdict === "note").map((each) => each.message);
};

test("a rollback without a bundle: only what its entry tells is said", async () => {
  expect(await notes({})).toEqual(["entry 8 (rolledback) has no bundle; the ledger has the decision"]);
  const effectiveAt = minutes(4).toISOString();
  expect(await notes({ effectiveAt })).toEqual([
    `entry 8 (rolledback) has no bundle: the rollback was made without the ledger, at ${effectiveAt}, and recorded later; the ledger has the decision`,
  ]);
});
