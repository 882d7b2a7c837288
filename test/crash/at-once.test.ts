import { writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { formatEntry } from "../../src/ledger/entry-line.ts";
import { demandFree } from "../../src/line/demand-free.ts";
import type { Passed } from "../fakes/losing-proxy.ts";
import { DEEP } from "../support/sample.ts";
import type { Name } from "../support/small-line.ts";
import { keepStates } from "./commands.ts";
import { entriesOf, leftOvers, ungated } from "./end-state.ts";
import { type CrashWorld, crashWorld } from "./world.ts";

const ROUNDS = DEEP ? [1, 2, 3, 4, 5] : [1, 2];
const PROMOTE = ["promote", "1", "--to", "prod", "--ticket", "CHG-1", "--yes", "--json"];
const APPROVE = ["approve", "1", "--to", "prod", "--ticket", "CHG-1", "--yes", "--json"];
/** Longer than another command takes, on a busy machine too. */
const HELD_MS = 15_000;
/** The first request of a promotion that changes something at the target. */
const BEGUN = { at: { kind: "POST experiments/create", nth: 1 }, when: "after" } as const;

let world: CrashWorld;

beforeAll(async () => {
  world = await crashWorld();
  await keepStates(world, "promoted");
}, 600_000);
afterAll(() => world?.remove());

function kindsAfter(before: number): string[] {
  return entriesOf(world)
    .slice(before)
    .map((entry) => entry.kind);
}

/** Puts the last entry of the ledger so many milliseconds earlier, as if its command had died then. */
function signEarlier(ms: number): void {
  const last = entriesOf(world).at(-1);
  if (last === undefined) throw new Error("the ledger is empty");
  const { seq, by, prev } = last;
  const place = { seq, by, prev, at: new Date(Date.parse(last.at) - ms) };
  const lines = world.ledger().trimEnd().split("\n").slice(0, -1);
  const line = formatEntry(last, place, world.line.people.ci.signer);
  writeFileSync(world.line.ledgerPath, [...lines, line, ""].join("\n"));
}

test.each(ROUNDS)(
  "two promote at once, round %i: one does it, the other is told that the world has changed",
  async (round) => {
    await world.back("approved");
    const before = entriesOf(world).length;
    // Two jobs of one service in one home, or two people with homes and keys of their own.
    const other: Name = round % 2 === 0 ? "ci" : "owner";
    const both = await Promise.all([world.run("ci", PROMOTE), world.run(other, PROMOTE)]);
    const said = both.map((ran) => `${ran.status}: ${ran.stdout}${ran.stderr}`).join("\n");
    expect(both.map((ran) => ran.status).sort(), said).toEqual([0, 5]);
    expect(kindsAfter(before), said).toEqual(["promotion.started", "promoted"]);
    const picture = await world.picture();
    expect(ungated(picture, entriesOf(world))).toEqual([]);
    expect(picture.models[`prod.${world.line.model}`]?.versions).toHaveLength(1);
    expect(leftOvers(world)).toEqual([]);
  },
);

test.each(ROUNDS)("two approve at once, round %i: both stand in the ledger, one after the other", async () => {
  await world.back("tested");
  const before = entriesOf(world).length;
  const both = await Promise.all([world.run("approver", APPROVE), world.run("second", APPROVE)]);
  expect(
    both.map((ran) => ran.status),
    both.map((ran) => ran.stderr).join("\n"),
  ).toEqual([0, 0]);
  expect(kindsAfter(before)).toEqual(["approved", "approved"]);
  expect(
    entriesOf(world)
      .slice(before)
      .map((entry) => entry.by)
      .sort(),
  ).toEqual(["approver@example.com", "second@example.com"]);
  expect(leftOvers(world)).toEqual([]);
});

test("what another key began is its own for two minutes", async () => {
  await world.back("approved");
  expect((await world.run("ci", PROMOTE, { killing: BEGUN })).status).toBe(null);
  const begun = entriesOf(world).at(-1);
  const early = await world.run("owner", PROMOTE);
  expect(early.status, early.stderr).toBe(5);
  expect(early.stdout).toContain("environment.locked");
  expect(entriesOf(world).at(-1)).toEqual(begun);
  // The same key, but on another machine: nobody there can know that the first one died.
  const { variables } = world.line.people.ci;
  world.line.people.ci.variables = { ...variables, XDG_CACHE_HOME: `${variables.XDG_CACHE_HOME}-of-another-machine` };
  const elsewhere = await world.run("ci", PROMOTE);
  world.line.people.ci.variables = variables;
  expect(elsewhere.status, elsewhere.stderr).toBe(5);
  expect(await world.run("ci", PROMOTE)).toMatchObject({ status: 0 });
  expect(
    entriesOf(world)
      .map((entry) => entry.kind)
      .slice(-2),
  ).toEqual(["promotion.started", "promoted"]);
});

test("who may carry on what was begun, by key, age and whether its command was cut off", async () => {
  await world.back("approved");
  await world.run("ci", PROMOTE, { killing: BEGUN });
  const begun = entriesOf(world).at(-1);
  if (begun?.kind !== "promotion.started") throw new Error("nothing was begun");
  const { digest } = begun.body;
  const kind = "promotion.started" as const;
  const later = (seconds: number) => new Date(Date.parse(begun.at) + seconds * 1000);
  const mine = { kind, digest, key: begun.key, cutOff: () => true };
  const carriedOn = (asking: Parameters<typeof demandFree<typeof kind>>[1], seconds: number) =>
    demandFree([begun], asking, later(seconds));
  expect(carriedOn(mine, 1)).toBe(begun);
  for (const other of [
    { ...mine, cutOff: () => false },
    { ...mine, key: "other" },
  ]) {
    expect(() => carriedOn(other, 0)).toThrow(/is held by entry \d+ \(promotion\.started/);
    expect(() => carriedOn(other, 119)).toThrow(/since 1 min/);
    expect(carriedOn(other, 120)).toBe(begun);
  }
  // A clock that is behind makes nothing older.
  expect(() => carriedOn({ ...mine, key: "other" }, -600)).toThrow(/since 0 s/);
  expect(() => carriedOn({ ...mine, digest: "0".repeat(64) }, 86_400)).toThrow(/is held by/);
  expect(demandFree([], mine, later(0))).toBeUndefined();
});

test("another key takes over after two minutes, in the name of its own", async () => {
  await world.back("approved");
  await world.run("ci", PROMOTE, { killing: BEGUN });
  signEarlier(120_000);
  expect(await world.run("owner", PROMOTE)).toMatchObject({ status: 0 });
  const [started, promoted] = entriesOf(world).slice(-2);
  expect([started?.kind, started?.by]).toEqual(["promotion.started", "ci@example.com"]);
  expect([promoted?.kind, promoted?.by]).toEqual(["promoted", "owner@example.com"]);
  expect(ungated(await world.picture(), entriesOf(world))).toEqual([]);
});

test.each([
  { cut: "its version was made", at: { kind: "POST model-versions/create", nth: 1 } },
  { cut: "its alias was set", at: { kind: "POST registered-models/alias", nth: 1 } },
])(
  "a promotion that was cut off when $cut, and abandoned: what it made is taken up, not made again",
  async ({ at }) => {
    await world.back("approved");
    expect((await world.run("ci", PROMOTE, { killing: { at, when: "after" } })).status).toBe(null);
    const abandon = ["promote", "--to", "prod", "--abandon", "--reason", "the runner died", "--yes", "--json"];
    expect(await world.run("owner", abandon)).toMatchObject({ status: 0 });
    // What was given up does not stand there as the next one.
    expect((await world.picture()).models[`prod.${world.line.model}`]?.aliases).toEqual({});
    const again = await world.run("ci", PROMOTE);
    expect(again.status, again.stdout).toBe(0);
    expect(
      entriesOf(world)
        .map((entry) => entry.kind)
        .slice(-4),
    ).toEqual(["promotion.started", "abandoned", "promotion.started", "promoted"]);
    const picture = await world.picture();
    expect(ungated(picture, entriesOf(world))).toEqual([]);
    expect(picture.models[`prod.${world.line.model}`]).toMatchObject({
      versions: [{ version: "1" }],
      aliases: { challenger: "1" },
    });
    expect(leftOvers(world)).toEqual([]);
  },
);

test("a promotion that was cut off when its alias was set, and is refused by now: the alias is taken back", async () => {
  await world.back("approved");
  const at = { kind: "POST registered-models/alias", nth: 1 };
  expect((await world.run("ci", PROMOTE, { killing: { at, when: "after" } })).status).toBe(null);
  const prod = async () => (await world.picture()).models[`prod.${world.line.model}`]?.aliases;
  expect(await prod()).toEqual({ challenger: "1" });
  const withdraw = [
    "approve",
    "withdraw",
    `${world.line.model}/1`,
    "--to",
    "prod",
    "--reason",
    "second thoughts",
    "--yes",
  ];
  const withdrawn = await world.run("approver", [...withdraw, "--json"]);
  expect(withdrawn.status, withdrawn.stdout).toBe(0);
  const again = await world.run("ci", PROMOTE);
  expect(again.status, again.stdout).toBe(5);
  expect(again.stdout).toContain("begun.stale");
  expect(await prod()).toEqual({});
  expect(entriesOf(world).at(-1)?.kind).toBe("abandoned");
});

test("a release that is abandoned in the moment in which its alias moves: the alias goes back", async () => {
  await world.back("promoted");
  const alias = (request: Passed) => request.kind === "POST registered-models/alias";
  let asked = () => {};
  const held = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const hold = (request: Passed) => {
    if (!alias(request)) return 0;
    asked();
    return HELD_MS;
  };
  const releasing = world.run("ci", ["release", "1", "--env", "prod", "--yes", "--json"], { hold });
  await held;
  const abandon = ["promote", "--to", "prod", "--abandon", "--reason", "it hangs", "--yes", "--json"];
  const abandoned = await world.run("owner", abandon);
  expect(abandoned.status, abandoned.stdout).toBe(0);
  const released = await releasing;
  expect(released.status, released.stdout).toBe(5);
  expect(released.stdout).toContain("ledger.ended");
  expect(entriesOf(world).at(-1)?.kind).toBe("abandoned");
  const picture = await world.picture();
  expect(picture.models[`prod.${world.line.model}`]?.aliases).toEqual({ challenger: "1" });
  expect(ungated(picture, entriesOf(world))).toEqual([]);
});
