import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { makeStyle } from "../../src/cli/style.ts";
import { command as add } from "../../src/commands/evidence-add.ts";
import { command as show } from "../../src/commands/evidence-show.ts";
import { sealEvidence } from "../../src/evidence/seal.ts";
import type { Verdict } from "../../src/gates/gate.ts";
import { GATE_NAMES } from "../../src/policy/policy.ts";
import { makeWorld, type World } from "../scaffold/world.ts";
import { factory } from "../support/factory.ts";
import { attachments, facts, gate, gates } from "./sample.ts";

let world: World;
beforeEach(() => {
  world = makeWorld();
  writeFileSync(
    join(world.cwd, "factory.yaml"),
    "factory: 1\nproject: claims-triage\nmodel: { name: claims.triage, train: python train.py }\n",
  );
  mkdirSync(join(world.cwd, "docs"));
  writeFileSync(join(world.cwd, "docs/list.md"), "- [x] done\n");
});
afterEach(() => world.remove());
const seal = () => sealEvidence(facts, gates, attachments, join(world.cwd, ".factory/evidence"));

test("without evidence both say what to run", async () => {
  await expect(show.run({}, world.context())).rejects.toMatchObject({
    code: "evidence.none",
    exit: 2,
    hint: "factory check",
  });
  await expect(add.run({ file: "docs/list.md", kind: "checklist" }, world.context())).rejects.toMatchObject({
    code: "evidence.none",
  });
});

test("show tells model, code, people, gates and files of the latest", async () => {
  const sealed = await seal();
  const { ok, data } = await show.run({}, world.context());
  expect(ok).toBe(true);
  expect(data).toMatchObject({
    digest: sealed.digest,
    run: facts.run.id,
    model: facts.model,
    champion: "first release",
    people: facts.people?.people,
    gates: [{ gate: "unit" }, { gate: "data" }, { gate: "model" }],
    against: ["failed: data", "could not tell: model"],
  });
  const text = show.render(data, makeStyle(false, 100));
  for (const part of [
    sealed.digest,
    facts.model.digest,
    "author@example.com (2)",
    "✖ fail",
    "? error",
    "junit/unit.xml",
  ])
    expect(text).toContain(part);
});

test("what somebody wrote into evidence reads on the screen as it is, and neither steers the terminal nor hides", async () => {
  const summary = "\u202edeliaf 3\u202c, 12 pass\u200bed\u001b[8m secretly\u001b[0m\u001b]0;title\u0007\u0085";
  await sealEvidence(facts, [{ ...gate("unit", "pass"), summary }], [], join(world.cwd, ".factory/evidence"));
  const { PATH = "" } = process.env;
  const seen = { cwd: world.cwd, variables: { PATH, HOME: world.cwd, FORCE_COLOR: "1" } };
  const { status, stdout } = await factory(["evidence", "show"], seen);
  expect(status).toBe(0);
  expect(stdout).toContain("<U+202E>deliaf 3<U+202C>, 12 pass<U+200B>ed secretly\n");
  const document = await factory(["evidence", "show", "--json"], seen);
  expect(document.stdout).toContain("\\u202edeliaf 3\\u202c, 12 pass\\u200bed");
  expect(JSON.parse(document.stdout).data.gates[0].summary).toBe(summary);
  const refused = await factory(["evidence", "show", "\u202e5bad\u001b[8m"], seen);
  expect(refused.status).toBe(2);
  expect(refused.stderr).toContain("<U+202E>5bad");
  const screens = stdout + document.stdout + refused.stderr;
  for (const hidden of ["\u202e", "\u202c", "\u200b", "\u0085", "\u0007", "\u001b[8m", "\u001b]"])
    expect(screens).not.toContain(hidden);
});

test("add from a subfolder: new evidence, the latest; --dry-run writes nothing", async () => {
  const sealed = await seal();
  const inDocs = { ...world.context(), cwd: join(world.cwd, "docs") };
  const before = world.snapshot();
  const planned = await add.run({ file: "list.md", kind: "checklist" }, { ...inDocs, dryRun: true });
  expect(planned.data).toEqual({ extends: sealed.digest, added: "checklist/list.md", bytes: 11 });
  expect(world.snapshot()).toEqual(before);
  const { data } = await add.run({ file: "list.md", kind: "checklist" }, inDocs);
  expect(data).toMatchObject({ extends: sealed.digest, added: "checklist/list.md" });
  expect((await show.run({}, world.context())).data).toMatchObject({
    files: expect.arrayContaining([expect.objectContaining({ path: "checklist/list.md" })]),
  });
  expect((await show.run({ digest: sealed.digest }, world.context())).data).toMatchObject({ digest: sealed.digest });
});

/** Seals what a check of all gates, or of one, found in this minute. */
async function checked(minute: number, verdict: Verdict, only?: string): Promise<string> {
  const of = (name: string) => gate(name, only === undefined || only === name ? verdict : "not-evaluated");
  const found = { ...facts, finished: `2026-11-25T10:${minute}:00.000Z` };
  return (await sealEvidence(found, GATE_NAMES.map(of), attachments, join(world.cwd, ".factory/evidence"))).digest;
}

test("what is extended is the newest of all gates, unless a newer one of some found something against it", async () => {
  const whole = await checked(10, "pass");
  await checked(11, "pass", "docs");
  const { data } = await add.run({ file: "docs/list.md", kind: "checklist" }, world.context());
  expect(data).toMatchObject({ extends: whole });
  await checked(12, "fail", "docs");
  const before = world.snapshot();
  await expect(add.run({ file: "docs/list.md", kind: "report" }, world.context())).rejects.toMatchObject({
    exit: 2,
    code: "evidence.against",
    message: expect.stringContaining("docs: failed"),
  });
  expect(world.snapshot()).toEqual(before);
});

test("a kind that only check may write cannot be added", async () => {
  await seal();
  await expect(add.run({ file: "docs/list.md", kind: "junit" }, world.context())).rejects.toThrow(
    /expected one of .*checklist/,
  );
});
