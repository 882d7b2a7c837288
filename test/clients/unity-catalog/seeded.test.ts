import { afterAll, beforeAll, expect, test } from "vitest";
import { type Fault, isRoute, seeded } from "../../fakes/workspace/faults.ts";
import type { LogEntry } from "../../fakes/workspace/log.ts";
import { DEEP, hashOf, SEED } from "../../support/sample.ts";
import { type CatalogWorld, catalogWorld, type End } from "./crash-world.ts";
import { CASES, type Case, Story, type Undisturbed } from "./story.ts";

// Commands that move a model in catalogs, each with some faults of the workspace in its way: what it says is true, and run again when all
// is well it ends where an undisturbed one ends.

const RUNS = 100;
const IN_CI = 5;

/** Tries of one request: the client's own, and those of MLflow's client. */
const TRIES = 5;
/** How often a version, or a file that came otherwise than it should, is begun anew. */
const ANEW = 4;
/** What three faults may cost beyond an undisturbed run, MLflow's client begun anew included, which is most of the time of one. */
const LONGEST = { times: 4, moreMs: 60_000 };
const RETRY_AFTER_S = 1;

type Random = () => number;
const pick = <T>(random: Random, list: readonly [T, ...T[]]): T => list[Math.floor(random() * list.length)] ?? list[0];

/** What can happen to a reply, once. `writes`: only of requests that change something. */
const KINDS: readonly [Kind, ...Kind[]] = [
  { name: "reply lost after the effect", writes: true, of: (random) => ({ ...lost(random), when: "after" }) },
  { name: "reply lost after the effect", writes: true, of: (random) => ({ ...lost(random), when: "after" }) },
  { name: "refused before the effect", of: (random) => ({ ...lost(random), when: "before" }) },
  { name: "throttled", of: () => ({ kind: "status", status: 429, retryAfter: RETRY_AFTER_S }) },
  { name: "token expired", of: () => ({ kind: "expire" }) },
  { name: "reads behind", writes: true, of: (random) => ({ kind: "stale", reads: 1 + Math.floor(random() * 4) }) },
  { name: "a page instead", of: (random) => ({ kind: "html", when: pick(random, ["before", "after"]) }) },
  { name: "cut in half", of: (random) => ({ kind: "truncate", cut: pick(random, ["body", "connection"]) }) },
  { name: "slow", of: () => ({ kind: "slow", delayMs: 100, pieces: 5 }) },
  { name: "down for longer than it is tried", of: (random) => ({ ...down(random), times: 8 }) },
];

interface Kind {
  name: string;
  writes?: true;
  of(random: Random): Fault;
}

function lost(random: Random): Fault {
  const status = pick(random, [500, 502, 503, 504, undefined]);
  return status === undefined ? { kind: "reset" } : { kind: "status", status };
}

function down(random: Random): Fault {
  return pick<Fault>(random, [
    { kind: "status", status: 503 },
    { kind: "html" },
    { kind: "truncate", cut: "body" },
    { kind: "truncate", cut: "connection" },
  ]);
}

let world: CatalogWorld;
let story: Story;
const met = new Map<string, number>();
const ended = new Map<string, number>();
const count = (counts: Map<string, number>, what: string): void => void counts.set(what, (counts.get(what) ?? 0) + 1);

beforeAll(async () => {
  world = await catalogWorld();
  world.signInByOauth();
  story = new Story(world);
}, 300_000);
afterAll(async () => {
  console.log(
    `seed ${SEED}: faults met ${JSON.stringify(Object.fromEntries(met))}, first runs ${JSON.stringify(Object.fromEntries(ended))}`,
  );
  await world?.remove();
});

const chosen = Array.from({ length: RUNS }, (_, i) => i)
  .sort((a, b) => hashOf(`order ${a}`) - hashOf(`order ${b}`))
  .slice(0, DEEP ? RUNS : IN_CI)
  .sort((a, b) => a - b);

test.each(chosen)("run %i", { timeout: 1_800_000 }, async (n) => {
  const random = seeded(hashOf(`run ${n}`));
  const each: Case = pick(random, [CASES.register, ...Object.values(CASES).slice(1)]);
  const usual = await story.undisturbed(each);
  const faults = Array.from({ length: 1 + Math.floor(random() * 3) }, () => draw(random, usual));
  const where = `seed ${SEED}, run ${n}: ${each.name}, ${faults.map(({ name, fault }) => `${name} ${JSON.stringify(fault)}`).join("; ")}`;
  await story.back(each, { seed: n });
  const handles = faults.map(({ fault }) => world.fault(fault));
  const started = performance.now();
  const first = await world.run(each.who, each.args);
  const ms = performance.now() - started;
  for (const [i, { struck }] of handles.entries()) if (struck > 0) count(met, faults[i]?.name ?? "");
  count(ended, String(first.status));
  const said = `${where}\n${first.stdout}${first.stderr}`;
  // What a fault left unknown is exit 4: never a refusal, a wrong usage or a lost race.
  expect.soft([0, 4], said).toContain(first.status);
  expect.soft(ms, said).toBeLessThan(usual.ms * LONGEST.times + LONGEST.moreMs);
  expect.soft(tooOften(world.log(), usual), said).toEqual([]);
  expect.soft(tooSoon(world.log(), usual), said).toEqual([]);
  expect.soft(doubled(world.end()), said).toEqual([]);
  if (first.status === 0) expect.soft(kept(world.end(), first), said).toEqual(kept(usual.end, first));
  await world.calm();
  if (first.status !== 0) {
    const again = await world.run(each.who, each.args);
    expect.soft(again.status, `${said}\nagain: ${again.stdout}${again.stderr}`).toBe(0);
    expect.soft(doubled(world.end()), said).toEqual([]);
    expect.soft(world.end(), said).toEqual(usual.end);
  }
});

/** Faults that look like something else: evidence that is broken, bytes that were changed, somebody who moves an alias. */
const ALIKE: { each: Case; fault: Fault; ends: number }[] = [
  { each: CASES.promote, fault: { kind: "html", path: "/Volumes/", method: "GET", times: 0 }, ends: 4 },
  { each: CASES.promote, fault: { kind: "truncate", cut: "body", path: "/signatures/", method: "GET" }, ends: 0 },
  { each: CASES["first release"], fault: { kind: "truncate", cut: "body", path: "/MLmodel", times: 2 }, ends: 0 },
  { each: CASES["first release"], fault: { kind: "truncate", cut: "body", path: "/MLmodel", times: 0 }, ends: 4 },
  { each: CASES["first release"], fault: { kind: "stale", method: "PUT", path: "/aliases/", reads: 3 }, ends: 0 },
];
test.each(DEEP ? ALIKE : [])(
  "$each.name, $fault.kind $fault.path $fault.times: exit $ends",
  {
    timeout: 1_800_000,
  },
  async ({ each, fault, ends }) => {
    const usual = await story.undisturbed(each);
    await story.back(each);
    const handle = world.fault(fault);
    const first = await world.run(each.who, each.args);
    expect(first.status, first.stdout + first.stderr).toBe(ends);
    expect(handle.struck).toBeGreaterThan(0);
    await world.calm();
    if (ends !== 0) expect(await world.run(each.who, each.args)).toMatchObject({ status: 0 });
    expect(world.end()).toEqual(usual.end);
  },
);

test("a promotion that was begun is not given up for evidence that cannot be read", {
  timeout: 1_800_000,
}, async () => {
  const each = CASES.promote;
  const usual = await story.undisturbed(each);
  await story.back(each);
  world.fault({ kind: "status", status: 503, route: "PUT /api/2.0/fs/files", times: 0 });
  expect(await world.run(each.who, each.args)).toMatchObject({ status: 4 });
  await world.calm();
  const begun = world.end().entries;
  expect(begun.at(-1)).toBe("promotion.started");
  world.fault({ kind: "html", path: "/Volumes/", method: "GET", times: 0 });
  const blind = await world.run(each.who, each.args);
  expect(blind.status, blind.stdout + blind.stderr).toBe(4);
  expect(world.end().entries).toEqual(begun);
  await world.calm();
  expect(await world.run(each.who, each.args)).toMatchObject({ status: 0 });
  expect(world.end()).toEqual(usual.end);
});

test("every kind of fault was met", () => {
  if (DEEP) expect([...met.keys()].sort()).toEqual([...new Set(KINDS.map(({ name }) => name))].sort());
  else expect(met.size).toBeGreaterThan(0);
});

/** A store that is down holds up no rollback: the command says so, and its decision is in the ledger alone. */
function kept(end: End, { stderr }: { stderr: string }): Partial<End> {
  const { objects: _, ...rest } = end;
  return stderr.includes("the decision could not be put into the evidence store") ? rest : end;
}

/** One fault at one of the requests that an undisturbed run makes. */
function draw(random: Random, { routes }: Undisturbed): { name: string; fault: Fault } {
  const kind = pick(random, KINDS);
  const able = routes.flatMap((route, at) => (kind.writes === true && route.startsWith("GET ") ? [] : [{ route, at }]));
  const target = able[Math.floor(random() * able.length)] ?? { route: routes[0] ?? "", at: 0 };
  const nth = routes.slice(0, target.at + 1).filter((each) => isRoute(each, target.route)).length;
  return { name: kind.name, fault: { ...kind.of(random), route: target.route, nth } };
}

/** Addresses that were asked more often than the tries allow. */
function tooOften(log: readonly LogEntry[], { addresses }: Undisturbed): string[] {
  const counts = new Map<string, number>();
  for (const { method, url } of log) count(counts, plain(`${method} ${url}`));
  return [...counts].flatMap(([address, times]) => {
    const usual = Math.max(1, addresses.filter((each) => plain(each) === address).length);
    return times > usual * TRIES * ANEW ? [`${address}: ${times} times, usually ${usual}`] : [];
  });
}

/** Requests that came again before the time that Retry-After asked for; only of those that are usually asked once. */
function tooSoon(log: readonly LogEntry[], { addresses }: Undisturbed): string[] {
  return log.flatMap(({ method, url, status, at }, i) => {
    if (status !== 429 || addresses.filter((each) => each === `${method} ${url}`).length !== 1) return [];
    const next = log.slice(i + 1).find((each) => each.method === method && each.url === url);
    return next !== undefined && next.at - at < RETRY_AFTER_S * 1000 - 20
      ? [`${method} ${url}: again after ${next.at - at} ms`]
      : [];
  });
}

/** Digests that more than one version of a model carries. */
function doubled({ models }: End): string[] {
  return models.flatMap(({ full, versions }) => {
    const digests = versions.map(([, digest]) => digest);
    return digests.filter((digest, i) => digests.indexOf(digest) !== i).map((digest) => `${full}: ${digest}`);
  });
}

/** An address without what is new in each run. */
function plain(address: string): string {
  return address.replaceAll(/[0-9a-f]{16,64}/g, "*");
}
