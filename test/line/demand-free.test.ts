import { expect, test } from "vitest";
import type { Started } from "../../src/ledger/line-state.ts";
import type { Ledger } from "../../src/ledger/open-ledger.ts";
import { outsideError } from "../../src/lib/error.ts";
import { demandFree } from "../../src/line/demand-free.ts";
import { abandon } from "../../src/promotion/abandon.ts";
import { chain, ci, minutes, promoted, released, rolledback } from "../audit/chain.ts";

/** Where a promotion is half done, and what served before is being rolled back. */
const { view, state } = chain([
  ...promoted(1, 2, 0),
  ...released(1, "none", 5, 1),
  ...promoted(2, 7, 2).slice(0, 2),
  ...rolledback(1, "none", 9, 6, 3).slice(0, 1),
]);
const { open } = state.environment("prod");
const [promotion, rollback] = open;
const demand = <K extends Started["kind"]>(kind: K, starts: readonly (Started | undefined)[], digest = "") =>
  demandFree(
    starts.flatMap((each) => each ?? []),
    { kind, digest, key: ci.signer.keyId, cutOff: () => true },
    minutes(4),
  );

test("a start is carried on when nothing else is open", () => {
  expect(open.map((each) => each.kind)).toEqual(["promotion.started", "rollback.started"]);
  expect(demand("promotion.started", [promotion], promotion?.body.digest)).toBe(promotion);
  expect(demand("promotion.started", [])).toBeUndefined();
});

test("whatever else is open is a lock, before or after one's own", () => {
  for (const starts of [open, [rollback, promotion]])
    expect(() => demand("promotion.started", starts, promotion?.body.digest)).toThrow(
      /prod is held by entry 9 \(rollback\.started/,
    );
});

test("a rollback does not wait for what others began after it", () => {
  if (rollback?.kind !== "rollback.started") throw new Error("nobody goes back");
  const later = { ...rollback, body: { ...rollback.body, digest: "0".repeat(64) } };
  expect(demand("rollback.started", [rollback, later], rollback.body.digest)).toBe(rollback);
  expect(() => demand("rollback.started", [later, rollback], rollback.body.digest)).toThrow(/is held by/);
});

test("nothing is abandoned in an environment that there is not", async () => {
  if (view.policy === undefined) throw new Error("no policy");
  const ledger: Ledger = { place: "ledger", local: true, view: async () => view, append: async () => undefined };
  const policy = { known: true as const, value: { inForce: view.policy, problem: undefined, fix: undefined } };
  const line = { project: "claims-triage", model: "claims.triage", ledger, view, state, policy, first: undefined };
  const never = () => Promise.reject(outsideError("http.down", "nothing answers"));
  const world = { registry: never, takeReleaseBack: never, report: () => {} };
  const inPlace = (environment: string) =>
    abandon(line, environment, "the runner died", ci.signer, () => minutes(4), true, world);
  await expect(inPlace("prd")).rejects.toMatchObject({
    code: "environment.unknown",
    exit: 2,
    hint: expect.stringContaining("prod"),
  });
  expect(await inPlace("dev")).toEqual({ refused: "nothing is started in dev" });
  expect(await inPlace("prod")).toEqual({ abandoned: [8, 9] });
});
