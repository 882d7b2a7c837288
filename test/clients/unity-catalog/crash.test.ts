import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type CatalogWorld, catalogWorld, type Killing, type Point } from "./crash-world.ts";

const DEEP = process.env.FACTORY_TEST_DEEP === "1";
const MOST_REQUESTS = 14;
const MOST_ROUNDS = 7;
const HOLD_MS = 300;

const CASES = [
  { name: "promote", from: "approved", args: ["promote", "1", "--to", "prod", "--ticket", "CHG-1"] },
  { name: "release", from: "second", args: ["release", "2", "--env", "prod"] },
];

let world: CatalogWorld;
const undisturbed = new Map<string, { points: Point[]; end: unknown }>();

beforeAll(async () => {
  world = await catalogWorld();
  const { line } = world;
  line.tickets({ "CHG-1": { state: "approved" }, "CHG-2": { state: "approved" } });
  const step = async (who: "ci" | "approver", ...args: string[]): Promise<void> => {
    const ran = await world.run(who, args);
    if (ran.status !== 0) throw new Error(`${args.join(" ")} ended with ${ran.status}:\n${ran.stdout}${ran.stderr}`);
  };
  const first = await line.train("first");
  await line.check(first);
  await step("ci", "register");
  await step("ci", "promote", "1", "--to", "test");
  await step("approver", "approve", "1", "--to", "prod", "--ticket", "CHG-1");
  world.keep("approved");
  await step("ci", "promote", "1", "--to", "prod", "--ticket", "CHG-1");
  await step("ci", "release", "1", "--env", "prod");
  const champion = { environment: "prod", version: "1", digest: first.digest, commit: line.commit() };
  await line.check(await line.train("second"), { facts: { champion } });
  await step("ci", "register");
  await step("ci", "promote", "2", "--to", "test");
  await step("approver", "approve", "2", "--to", "prod", "--ticket", "CHG-2");
  world.keep("second approved");
  await step("ci", "promote", "2", "--to", "prod", "--ticket", "CHG-2");
  world.keep("second");
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
    const counted = asked.filter(({ point }) => !point.includes("artifact"));
    const said = counted.map(({ point }) => point).join("\n");
    expect(counted.length, said).toBeLessThanOrEqual(MOST_REQUESTS);
    // The first one makes the registered model too, and no version can be made before it.
    const most = number === "1" ? MOST_ROUNDS + 1 : MOST_ROUNDS;
    expect(rounds(counted.map(({ n }) => world.times().get(n))), said).toBeLessThanOrEqual(most);
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
