import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import * as z from "zod";
import { factory, makeHome } from "../support/factory.ts";
import { chainOf, makePerson, opened, registered, signedPolicy, textOf } from "../support/line.ts";

const home = makeHome();
const variables = { ...home.variables, XDG_DATA_HOME: join(home.folder, "data") };
const project = join(home.folder, "claims-triage");
const path = join(project, ".factory", "ledger.jsonl");
const copy = join(home.folder, "copy.jsonl");
const owner = makePerson("owner@example.com");
const chain = chainOf(
  [opened(signedPolicy({ people: [owner] })), registered(1), registered(2), registered(3)].map((fact) => ({
    fact,
    by: owner,
  })),
);
const other = chainOf([opened(signedPolicy({ people: [owner] })), registered(8)].map((fact) => ({ fact, by: owner })));
const upTo = (lines: number) => textOf(chain.lines.slice(0, lines));
const run = (...args: string[]) => factory(args, { cwd: project, variables });
const document = z.object({ ok: z.boolean(), data: z.record(z.string(), z.unknown()) });
const answer = async (...args: string[]) => {
  const { status, stdout } = await run(...args, "--json");
  return { status, ...document.parse(JSON.parse(stdout)).data };
};

beforeAll(async () => {
  const made = await factory(["new", "claims-triage", "--yes", "--no-git", "--quiet"], { cwd: home.folder, variables });
  expect(made.status).toBe(0);
});
afterAll(() => home.remove());
beforeEach(() => {
  rmSync(dirname(path), { recursive: true, force: true });
  mkdirSync(dirname(path));
});
const beside = () => readdirSync(dirname(path)).sort();

test("show lists the entries from a number on, and stops at the first that does not hold", async () => {
  writeFileSync(path, chain.text);
  const shown = await run("ledger", "show", "--from", "3");
  expect(shown.status).toBe(0);
  expect(shown.stdout).toMatch(
    /^3 +2026-11-25 08:02:\d\d {2}registered {2}owner@example\.com {2}dev: claims\.triage sha256:/m,
  );
  expect(shown.stdout).not.toContain("opened");
  writeFileSync(path, chain.text.toString().replace("run2", "run9"));
  expect(await answer("ledger", "show")).toMatchObject({
    status: 3,
    entries: [
      { seq: 1, kind: "opened" },
      { seq: 2, body: { run: "run1" } },
    ],
    problems: ["entry 3 is not what it was: its hash does not cover its bytes"],
  });
});

test("verify: a whole chain, a torn one, a broken one, a copy, none", async () => {
  writeFileSync(path, chain.text);
  const head = `4:${chain.entries[3]?.hash}`;
  expect(await answer("ledger", "verify")).toMatchObject({ status: 0, entries: 4, head, problems: [], tornBytes: 0 });
  writeFileSync(path, chain.text.subarray(0, chain.text.length - 10));
  expect(await answer("ledger", "verify")).toMatchObject({ status: 0, entries: 3, problems: [] });
  expect((await run("ledger", "verify")).stdout).toContain("a last line without its end");
  writeFileSync(path, textOf(chain.lines.toSpliced(1, 1)));
  expect(await answer("ledger", "verify")).toMatchObject({ status: 3, entries: 1, problems: [{ seq: 3 }] });
  writeFileSync(copy, upTo(2));
  expect(await answer("ledger", "verify", copy)).toMatchObject({ status: 0, entries: 2, project: "claims-triage" });
  rmSync(path);
  expect(await answer("ledger", "verify")).toMatchObject({ status: 3, entries: 0 });
});

test.each<[string, Buffer | undefined, Buffer, string]>([
  ["nothing is there", undefined, chain.text, "place"],
  ["the copy goes on", upTo(2), chain.text, "extend"],
  ["the copy is whole and the last line is torn", chain.text.subarray(0, chain.text.length - 9), chain.text, "extend"],
  ["a broken chain", textOf([...chain.lines.slice(0, 3), "{}"]), chain.text, "replace"],
  ["a chain that is broken from its start", textOf(["{}"]), chain.text, "replace"],
  ["the same", chain.text, chain.text, "none"],
  ["an older copy", chain.text, upTo(3), "refuse"],
  ["an older copy, of a chain that is broken later", textOf([...chain.lines.slice(0, 3), "{}"]), upTo(2), "refuse"],
  ["another chain", upTo(2), other.text, "refuse"],
  ["a copy that does not hold", upTo(2), textOf(chain.lines.toSpliced(1, 1)), "refuse"],
  ["a copy with nothing in it", undefined, Buffer.alloc(0), "refuse"],
])("restore, %s", async (_, present, given, action) => {
  if (present !== undefined) writeFileSync(path, present);
  writeFileSync(copy, given);
  const before = beside();
  const planned = await answer("ledger", "restore", copy, "--dry-run");
  expect(planned).toMatchObject({ action, status: action === "refuse" ? 3 : 0 });
  expect(beside()).toEqual(before);
  const done = await answer("ledger", "restore", copy);
  expect(done).toMatchObject({ action, status: planned.status });
  const changed = action !== "refuse" && action !== "none";
  const now = changed ? given : present;
  expect(beside().includes("ledger.jsonl") ? readFileSync(path) : undefined).toEqual(now);
  const kept = beside().filter((name) => name.includes(".replaced-"));
  expect(kept.map((name) => readFileSync(join(dirname(path), name)))).toEqual(
    changed && present !== undefined ? [present] : [],
  );
});

test("a ledger in git needs no restore", async () => {
  writeFileSync(copy, chain.text);
  const policy = join(home.folder, "policy.yaml");
  const { text } = signedPolicy({
    people: [owner],
    ledger: `{ kind: git, url: ${home.folder}/x.git, branch: ledger }`,
  });
  writeFileSync(policy, text);
  const manifest = readFileSync(join(project, "factory.yaml"), "utf8");
  if (!/^policy:/m.test(manifest))
    writeFileSync(join(project, "factory.yaml"), `${manifest}\npolicy: ../policy.yaml\n`);
  const ran = await run("ledger", "restore", copy, "--json");
  expect([ran.status, ran.stdout]).toEqual([2, expect.stringContaining("ledger.kind")]);
});
