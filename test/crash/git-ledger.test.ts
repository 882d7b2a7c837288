import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DEEP } from "../support/sample.ts";
import { type Case, COMMANDS, keepStates } from "./commands.ts";
import { type EndState, endState, entriesOf, ungated } from "./end-state.ts";
import { type CrashWorld, crashWorld } from "./world.ts";

const cases = COMMANDS.filter((each) => DEEP || ["approve", "promote"].includes(each.name));

let world: CrashWorld;
/** Holds a program called git that does what git does, counts, and kills whoever started it when it is told to. */
let path: string;
let plan: string;
let log: string;

beforeAll(async () => {
  world = await crashWorld({ git: true });
  await keepStates(world, DEEP ? undefined : "approved");
  path = join(world.server.folder, "killing");
  plan = join(path, "plan");
  log = join(path, "log");
  mkdirSync(path);
  const git = execFileSync("sh", ["-c", "command -v git"], { encoding: "utf8" }).trim();
  // Of all settings that come first, none is a command of git.
  writeFileSync(
    join(path, "git"),
    `#!/bin/sh
what=none
skip=
for word in "$@"; do
  if [ -n "$skip" ]; then skip=; continue; fi
  case "$word" in -c) skip=1 ;; -*) ;; *) what=$word; break ;; esac
done
echo "$what" >> ${log}
wanted=$(cat ${plan} 2>/dev/null)
n=$(grep -cx "$what" ${log})
if [ "$wanted" = "before $what $n" ]; then kill -9 $PPID; exit 1; fi
${git} "$@"
status=$?
if [ "$wanted" = "after $what $n" ]; then kill -9 $PPID; fi
exit $status
`,
  );
  chmodSync(join(path, "git"), 0o755);
}, 600_000);
afterAll(() => world?.remove());

async function runAfter(each: Case, wanted: string) {
  writeFileSync(plan, wanted);
  rmSync(log, { force: true });
  return world.run(each.who, each.args, { path });
}

function called(): string[] {
  return existsSync(log) ? readFileSync(log, "utf8").trim().split("\n") : [];
}

/** Nothing is lost or doubled: neither lines of the chain nor commits that hold them. */
function commits(): number {
  const repository = join(world.server.folder, "ledger.git");
  return Number(execFileSync("git", ["-C", repository, "rev-list", "--count", "ledger"], { encoding: "utf8" }));
}

test("a lock of git that nobody holds any more is removed; one that somebody may hold is left", async () => {
  const approve = cases.find((each) => each.name === "approve");
  if (approve === undefined) throw new Error("there is nothing to run");
  await world.back(approve.from);
  expect(await world.run(approve.who, [...approve.args, "--dry-run"])).toMatchObject({ status: 0 });
  const copies = join(world.line.people[approve.who].home, "cache/factory/ledger");
  const [copy = ""] = readdirSync(copies).filter((name) => /^[0-9a-f]{32}$/.test(name));
  const lock = join(copies, copy, "refs/factory/fetched.lock");
  // The branch moves, so that the copy must follow.
  expect(await world.run("second", approve.args)).toMatchObject({ status: 0 });
  writeFileSync(lock, "");
  expect(await world.run(approve.who, approve.args)).toMatchObject({ status: 4 });
  expect(existsSync(lock)).toBe(true);
  const tenMinutesAgo = Date.now() / 1000 - 600;
  utimesSync(lock, tenMinutesAgo, tenMinutesAgo);
  expect(await world.run(approve.who, approve.args)).toMatchObject({ status: 0 });
  expect(existsSync(lock)).toBe(false);
});

describe.each(cases)("$name, with its ledger in a git repository", (each) => {
  let left: EndState;
  let made: number;
  let calls: string[];
  beforeAll(async () => {
    await world.back(each.from);
    expect(await runAfter(each, "")).toMatchObject({ status: 0 });
    calls = called();
    left = await endState(world);
    made = commits();
  }, 120_000);

  test("killed between commit and push, after a push, and at what else git is called for", async () => {
    expect(left.ledger.slice(-each.writes.length).map((entry) => entry.kind)).toEqual(each.writes);
    const counts = new Map<string, number>();
    const points = calls.flatMap((what) => {
      const nth = (counts.get(what) ?? 0) + 1;
      counts.set(what, nth);
      const all = [`before ${what} ${nth}`, `after ${what} ${nth}`];
      return DEEP || what === "push" ? all : nth === 1 && what === "update-ref" ? all.slice(1) : [];
    });
    expect(points.filter((point) => point.includes("push"))).toHaveLength(2 * each.writes.length);
    for (const point of points) {
      await world.back(each.from);
      expect((await runAfter(each, point)).status, point).toBe(null);
      expect(ungated(await world.picture(), entriesOf(world)), point).toEqual([]);
      const ended = entriesOf(world).at(-1)?.kind === each.writes.at(-1);
      const again = await world.run(each.who, each.args);
      expect.soft(ended ? [0, 3] : [0], `${point}: ${again.stdout}${again.stderr}`).toContain(again.status);
      expect.soft(await endState(world), point).toEqual(left);
      expect.soft(commits(), point).toBe(made);
    }
  }, 3_600_000);
});
