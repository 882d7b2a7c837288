import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DEEP, drawn, hashOf, SEED } from "../support/sample.ts";
import { type Case, COMMANDS, keepStates, MORE } from "./commands.ts";
import { type EndState, endState, entriesOf, ungated } from "./end-state.ts";
import { type CrashWorld, crashWorld, type Killing, type Point } from "./world.ts";

/** Of what is not chosen by its kind, one in this many runs in each case; another one with each seed. */
const SHARE = 60;
const cases = DEEP ? [...COMMANDS, ...MORE] : COMMANDS;

let world: CrashWorld;
const count = { "killed at a request": 0, "killed after a step on the disk": 0, "reply lost": 0 };
/** What an undisturbed run asks, does on the disk, and leaves. */
const undisturbed = new Map<string, { points: Point[]; steps: string[]; left: EndState }>();

beforeAll(async () => {
  world = await crashWorld();
  await keepStates(world);
  for (const each of cases) {
    const log = join(world.temporary, "..", "steps.log");
    await world.back(each.from);
    rmSync(log, { force: true });
    expect(await world.run(each.who, each.args, { log })).toMatchObject({ status: 0 });
    const counts = new Map<string, number>();
    const points = world.asked().map(({ kind }) => {
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
      return { kind, nth: counts.get(kind) ?? 0 };
    });
    undisturbed.set(each.name, {
      points,
      steps: readFileSync(log, "utf8").trim().split("\n"),
      left: await endState(world),
    });
  }
}, 600_000);
afterAll(async () => {
  // Which part was drawn, and how much it was: FACTORY_TEST_SEED repeats it.
  console.log(`seed ${SEED}: ${JSON.stringify(count)}`);
  await world?.remove();
});

function expected(name: string) {
  const found = undisturbed.get(name);
  if (found === undefined) throw new Error(`${name} was not run`);
  return found;
}

/** The rest of a case that was cut off: what must hold right now, the same command again, the same end. */
async function carriedOn(each: Case, where: string): Promise<void> {
  const before = entriesOf(world);
  expect.soft(ungated(await world.picture(), before), where).toEqual([]);
  const ended = before.at(-1)?.kind === each.writes.at(-1);
  const again = await world.run(each.who, each.args);
  // Run once more after it was done, a command may say that nothing is left to do.
  expect.soft(ended ? [0, 3] : [0], `${where}: ${again.stdout}${again.stderr}`).toContain(again.status);
  expect.soft(await endState(world), where).toEqual(expected(each.name).left);
}

describe.each(cases)("$name", (each) => {
  test("undisturbed it writes what it says, and leaves nothing ungated or behind", async () => {
    const { left } = expected(each.name);
    expect(left.left).toEqual([]);
    await world.back(each.from);
    const before = entriesOf(world).length;
    expect(await world.run(each.who, each.args)).toMatchObject({ status: 0 });
    const entries = entriesOf(world);
    expect(entries.slice(before).map((entry) => entry.kind)).toEqual(each.writes);
    expect(ungated(await world.picture(), entries)).toEqual([]);
    expect(await endState(world)).toEqual(left);
  });

  test("killed at a request", async () => {
    const { points } = expected(each.name);
    const chosen = chosenKillings(each, points);
    count["killed at a request"] += chosen.length;
    for (const killing of chosen) {
      const where = `${each.name}, killed ${killing.when} ${killing.at.kind} (${killing.at.nth}), seed ${SEED}`;
      await world.back(each.from);
      expect((await world.run(each.who, each.args, { killing })).status, where).toBe(null);
      await carriedOn(each, where);
    }
  }, 3_600_000);

  test("killed right after a step on the disk", async () => {
    const { steps } = expected(each.name);
    const chosen = chosenSteps(each, steps);
    count["killed after a step on the disk"] += chosen.length;
    for (const step of chosen) {
      const where = `${each.name}, killed after step ${step} on the disk: ${steps[step - 1]}, seed ${SEED}`;
      await world.back(each.from);
      expect((await world.run(each.who, each.args, { step })).status, where).toBe(null);
      await carriedOn(each, where);
    }
    expect(chosen.some((step) => steps[step - 1]?.includes("ledger.jsonl"))).toBe(true);
  }, 3_600_000);
});

test("at every kind of request a command is killed", () => {
  const all = cases.flatMap(({ name }) => expected(name).points.map(({ kind }) => kind));
  const chosen = cases.flatMap((each) => chosenKillings(each, expected(each.name).points));
  expect(new Set(chosen.map(({ at }) => at.kind))).toEqual(new Set(all));
});

test("of the requests that change something, every kind has its reply lost", () => {
  expect(new Set(chosenLosses().map(({ point }) => point.kind)).size).toBeGreaterThan(10);
});

test.each(cases)(
  "a reply of $name is lost after the effect",
  async (of) => {
    const losses = chosenLosses().filter(({ each }) => each === of);
    count["reply lost"] += losses.length;
    for (const { each, point, what } of losses) {
      const where = `${each.name}, ${what} instead of the reply to ${point.kind} (${point.nth}), seed ${SEED}`;
      await world.back(each.from);
      world.proxy.heal();
      world.proxy.break(point.kind, { when: "after", what }, point.nth);
      const { status, stderr } = await world.run(each.who, each.args);
      expect(world.proxy.spent(), where).toBe(true);
      world.proxy.heal();
      expect.soft([0, 4], `${where}: ${stderr}`).toContain(status);
      if (status === 0) expect.soft(await endState(world), where).toEqual(expected(each.name).left);
      else await carriedOn(each, where);
    }
  },
  3_600_000,
);

/** Requests that change nothing may be met at one moment only. */
function changes({ kind }: Point): boolean {
  return !/^(?:GET|LIST) |search$/.test(kind);
}

/**
 * Of each kind of request the first of one command: which one, the seed says. What changes something is killed after its effect, the
 * others before, when the server stands as after the change before.
 */
function chosenKillings(each: Case, points: readonly Point[]): Killing[] {
  return points.flatMap((at) =>
    (["before", "after"] as const)
      .map((when) => ({ at, when }))
      .filter(
        ({ when }) =>
          DEEP ||
          (at.nth === 1 && when === (changes(at) ? "after" : "before") && each === killedAt(at.kind)) ||
          drawn(`${each.name} ${at.kind} ${at.nth} ${when}`, SHARE),
      ),
  );
}

/** The command that is killed at a request of this kind. */
function killedAt(kind: string): Case | undefined {
  const asking = cases.filter(({ name }) => expected(name).points.some((point) => point.kind === kind));
  return asking[hashOf(kind) % asking.length];
}

/** A step without digests, random names and the numbers of processes. */
function kindOfStep(step: string): string {
  return step
    .replace(/(?<=_)\d+(?=_)/g, "*")
    .replace(/[0-9a-f]{12,64}|-[A-Za-z0-9]{6}\//g, "*")
    .replace(/(?:statements|metrics|model|project|data)\/(?!\.factory).*|evidence\.json/, "file")
    .replace(/^(\S+) .*\/([^/]+\/[^/]+)$/, "$1 $2");
}

/** Of steps of the same kind the first of one command, which the seed says; of those on the ledger the first of each command. */
function chosenSteps(each: Case, steps: readonly string[]): number[] {
  const kinds = steps.map(kindOfStep);
  return kinds.flatMap((kind, i) =>
    DEEP ||
    (kinds.indexOf(kind) === i && (kind.includes("ledger") || each === cutOffAt(kind))) ||
    drawn(`${each.name} step ${i}`, SHARE)
      ? [i + 1]
      : [],
  );
}

/** The command that is killed after a step of this kind. */
function cutOffAt(kind: string): Case | undefined {
  const doing = cases.filter(({ name }) => expected(name).steps.some((step) => kindOfStep(step) === kind));
  return doing[hashOf(kind) % doing.length];
}

const LOST = ["reset", 500, 502, 503, 504] as const;

/** Of requests of the same kind one of all commands, with one of the ways to lose its reply: which one, the seed says. */
function chosenLosses() {
  const all = cases.flatMap((each) =>
    expected(each.name)
      .points.filter(changes)
      .map((point) => ({ each, point })),
  );
  return all.flatMap(({ each, point }) => {
    const alike = all.filter((one) => one.point.kind === point.kind);
    const turn = hashOf(point.kind);
    const chosen = alike[turn % alike.length];
    return LOST.filter(
      (_, i) =>
        DEEP ||
        (chosen?.each === each && chosen.point === point && i === turn % LOST.length) ||
        drawn(`${each.name} ${point.kind} ${point.nth} ${i}`, SHARE),
    ).map((what) => ({ each, point, what }));
  });
}
