import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type CatalogWorld, catalogWorld, type End, type Killing, type Point } from "./crash-world.ts";
import { twoVersions } from "./two-versions.ts";

const DEEP = process.env.FACTORY_TEST_DEEP === "1";
/** The first to an environment as in MLflow; a later one asks for each of two aliases there, which MLflow tells with the model. */
const MOST_REQUESTS = { first: 14, later: 15 };
const MOST_ROUNDS = 7;
const HOLD_MS = 300;

const CASES = [
  { name: "promote", from: "approved", args: ["promote", "1", "--to", "prod", "--ticket", "CHG-1"] },
  { name: "release", from: "second", args: ["release", "2", "--env", "prod"] },
];

let world: CatalogWorld;
const undisturbed = new Map<string, { points: Point[]; end: End | undefined }>();

beforeAll(async () => {
  world = await catalogWorld();
  await twoVersions(world);
}, 900_000);
afterAll(() => world?.remove());

describe.each(CASES)("$name", ({ name, from, args }) => {
  test("undisturbed", { timeout: 300_000 }, async () => {
    await world.back(from);
    const ran = await world.run("ci", args);
    expect(ran.status, ran.stdout + ran.stderr).toBe(0);
    const counts = new Map<string, number>();
    const points = world.asked().map(({ point }) => {
      counts.set(point, (counts.get(point) ?? 0) + 1);
      return { kind: point, nth: counts.get(point) ?? 0 };
    });
    undisturbed.set(name, { points, end: world.end() });
    // Where bytes are fixed a release reads one file, to compare signatures, and writes none.
    const models = points.filter(({ kind }) => kind.endsWith("fs/files/Models"));
    if (name === "release") expect(models.map(({ kind }) => kind)).toEqual(Array(2).fill("GET fs/files/Models"));
  });

  test("killed at a request, and run again", { timeout: 3_600_000 }, async () => {
    const { points, end } = undisturbed.get(name) ?? { points: [], end: undefined };
    const chosen = points.flatMap((at): Killing[] =>
      (["before", "after"] as const)
        .map((when) => ({ at, when }))
        .filter(({ when }) => DEEP || (at.nth === 1 && (when === "after") === !at.kind.startsWith("GET "))),
    );
    expect(chosen.length).toBeGreaterThan(8);
    for (const killing of chosen) {
      const where = `${name}, killed ${killing.when} ${killing.at.kind} (${killing.at.nth})`;
      await world.back(from);
      expect((await world.run("ci", args, killing)).status, where).toBe(null);
      const again = await world.run("ci", args);
      expect.soft(again.status, `${where}: ${again.stdout}${again.stderr}`).toBe(0);
      expect.soft(world.end(), where).toEqual(end);
    }
  });
});

test("a promotion takes few requests in few rounds", { timeout: 300_000 }, async () => {
  for (const [from, number] of [
    ["approved", "1"],
    ["second approved", "2"],
  ] as const) {
    await world.back(from, { latencyMs: HOLD_MS });
    const ran = await world.run("ci", ["promote", number, "--to", "prod", "--ticket", `CHG-${number}`]);
    expect(ran.status, ran.stderr).toBe(0);
    const asked = world.asked().filter(({ point }) => / (?:mlflow\/unity-catalog|unity-catalog\/models)\//.test(point));
    // Whose a model is belongs to the rights, which MLflow does not know.
    const counted = asked.filter(({ point }) => !point.includes("artifact") && point !== "GET unity-catalog/models/*");
    const said = counted.map(({ point }) => point).join("\n");
    expect(counted.length, said).toBeLessThanOrEqual(number === "1" ? MOST_REQUESTS.first : MOST_REQUESTS.later);
    expect(rounds(counted.map(({ n }) => world.times().get(n))), said).toBeLessThanOrEqual(MOST_ROUNDS);
  }
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
