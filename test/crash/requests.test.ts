import { afterAll, beforeAll, expect, test } from "vitest";
import type { Passed } from "../fakes/losing-proxy.ts";
import { COMMANDS, keepStates, MORE } from "./commands.ts";
import { entriesOf } from "./end-state.ts";
import { type CrashWorld, crashWorld } from "./world.ts";

/** Each request of a registry is held back so long that those which do not wait for each other are under way together. */
const HOLD_MS = 500;
const MOST_REQUESTS = 14;
const MOST_ROUNDS = 7;

let world: CrashWorld;

beforeAll(async () => {
  world = await crashWorld();
  await keepStates(world, "second approved");
}, 600_000);
afterAll(() => world?.remove());

test.each([...COMMANDS, ...MORE].filter((each) => each.args[0] === "promote"))(
  "$name: few requests in few rounds, nothing read or written twice",
  async (each) => {
    await world.back(each.from);
    const before = entriesOf(world).length;
    const hold = (request: Passed) => (isOfRegistry(request) ? HOLD_MS : 0);
    expect(await world.run(each.who, each.args, { hold })).toMatchObject({ status: 0 });
    const asked = world.asked().filter(isOfRegistry);
    const said = asked.map(({ kind }) => kind).join("\n");
    expect(asked.length, said).toBeLessThanOrEqual(MOST_REQUESTS);
    expect(rounds(asked.map(({ n }) => world.times().get(n))), said).toBeLessThanOrEqual(MOST_ROUNDS);
    expect(entriesOf(world).length - before).toBe(2);
    for (const what of [/\/models\/m-[0-9a-f]+\/artifacts\/(.*)/, /\/factory-evidence\/([0-9a-f]{64}\/.*)/]) {
      const read = transfers("GET", what);
      const written = transfers("PUT", what);
      // Once from where it was, once to where it goes, and once back from there.
      const fetched = read.filter((one) => !written.some((other) => other.url === one.url));
      const readBack = read.filter((one) => written.some((other) => other.url === one.url));
      expect(written.length).toBeGreaterThan(1);
      expect(new Set(fetched.map((one) => one.path)).size).toBe(fetched.length);
      expect(new Set(written.map((one) => one.path)).size).toBe(written.length);
      expect(readBack.map((one) => one.url).sort()).toEqual(written.map((one) => one.url).sort());
      // Of what is written only the decision is new.
      const made = written.filter((one) => !fetched.some((other) => other.path === one.path));
      expect(new Set(made.map((one) => one.path.split("/")[0])).size).toBeLessThanOrEqual(1);
      expect(fetched.length).toBe(written.length - made.length);
    }
  },
);

/** Registry and tracking. Runs and experiments are those in which factory keeps evidence, and artifacts are bytes. */
function isOfRegistry({ kind }: Passed): boolean {
  return /^\S+ (?:registered-models|model-versions|logged-models)\b/.test(kind);
}

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

function transfers(method: string, what: RegExp): { url: string; path: string }[] {
  return world.asked().flatMap(({ kind, url }) => {
    const path = what.exec(url)?.[1];
    return kind !== `${method} artifact` || path === undefined ? [] : [{ url, path }];
  });
}
