import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DEEP } from "../../support/sample.ts";
import { type CatalogWorld, catalogWorld, type Killing } from "./crash-world.ts";
import { CASES, type Case, Story } from "./story.ts";

const MOST_REQUESTS = 14;
const MOST_ROUNDS = 7;
const HOLD_MS = 300;

const KILLED: readonly Case[] = [
  CASES.register,
  CASES["promote to test"],
  CASES.promote,
  CASES.release,
  CASES.rollback,
];

let world: CatalogWorld;
let story: Story;

beforeAll(async () => {
  world = await catalogWorld();
  story = new Story(world);
}, 300_000);
afterAll(() => world?.remove());

test("a promotion takes few requests in few rounds, the first one and one beside a champion", {
  timeout: 1_800_000,
}, async () => {
  for (const each of [CASES["promote to test"], CASES.promote, CASES["promote beside a champion"]]) {
    await story.back(each, { latencyMs: HOLD_MS });
    const ran = await world.run("ci", each.args);
    expect(ran.status, ran.stderr).toBe(0);
    const counted = ofRegistry();
    const said = `${each.name}\n${counted.map(({ point }) => point).join("\n")}`;
    expect.soft(counted.length, said).toBeLessThanOrEqual(MOST_REQUESTS);
    expect.soft(rounds(counted.map(({ n }) => world.times().get(n))), said).toBeLessThanOrEqual(MOST_ROUNDS);
  }
});

test("a rollback moves the alias and reads it back in few rounds", { timeout: 1_800_000 }, async () => {
  await story.back(CASES.rollback, { latencyMs: HOLD_MS });
  const ran = await world.run("ci", CASES.rollback.args);
  expect(ran.status, ran.stderr).toBe(0);
  const counted = ofRegistry();
  const said = counted.map(({ point }) => point).join("\n");
  const moved = counted.findIndex(({ point }) => point.startsWith("PUT unity-catalog/models/*/aliases"));
  // The tag with the way back and the anchor come after it.
  const first = counted.filter(({ point }, i) => i <= moved || point.startsWith("GET "));
  expect(rounds(first.map(({ n }) => world.times().get(n))), said).toBe(4);
  expect(rounds(counted.map(({ n }) => world.times().get(n))), said).toBeLessThanOrEqual(6);
});

/** What the last run asked of the registry, besides bytes. */
function ofRegistry() {
  const asked = world.asked().filter(({ point }) => / (?:mlflow\/unity-catalog|unity-catalog\/models)\//.test(point));
  // Whose a model is belongs to the rights, which MLflow does not know.
  return asked.filter(({ point }) => !point.includes("artifact") && point !== "GET unity-catalog/models/*");
}

describe.each(KILLED)("$name", (each) => {
  test("undisturbed", { timeout: 1_800_000 }, async () => {
    const { points } = await story.undisturbed(each);
    // Where bytes are fixed a release reads one file, to compare signatures, and writes none.
    const models = points.filter(({ kind }) => kind.endsWith("fs/files/Models"));
    if (each.name === "release") expect(models.map(({ kind }) => kind)).toEqual(Array(2).fill("GET fs/files/Models"));
  });

  test("killed at a request, and run again", { timeout: 3_600_000 }, async () => {
    const { points, end } = await story.undisturbed(each);
    const chosen = points.flatMap((at): Killing[] =>
      (["before", "after"] as const)
        .map((when) => ({ at, when }))
        .filter(({ when }) => DEEP || (at.nth === 1 && (when === "after") === !at.kind.startsWith("GET "))),
    );
    expect(chosen.length).toBeGreaterThan(8);
    for (const killing of chosen) {
      const where = `${each.name}, killed ${killing.when} ${killing.at.kind} (${killing.at.nth})`;
      await story.back(each);
      expect((await world.run(each.who, each.args, killing)).status, where).toBe(null);
      const again = await world.run(each.who, each.args);
      expect.soft(again.status, `${where}: ${again.stdout}${again.stderr}`).toBe(0);
      expect.soft(world.end(), where).toEqual(end);
    }
    console.log(`${each.name}: killed at ${chosen.length} of ${2 * points.length} moments`);
  });
});

/** The longest chain of requests of which each came after the one before was answered. */
function rounds(times: readonly ({ from: number; to: number } | undefined)[]): number {
  let end = Number.NEGATIVE_INFINITY;
  let count = 0;
  for (const each of times.flatMap((time) => time ?? []).sort((a, b) => a.to - b.to)) {
    if (each.from < end) continue;
    count++;
    end = each.to;
  }
  return count;
}
