import { appendFileSync, chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { extendEvidence } from "../../src/evidence/extend.ts";
import type { GateFact } from "../../src/evidence/facts.ts";
import { evidenceAt, evidenceOfRun } from "../../src/evidence/find-evidence.ts";
import { readEvidence } from "../../src/evidence/read-evidence.ts";
import { sealEvidence } from "../../src/evidence/seal.ts";
import type { TaskEvent } from "../../src/lib/progress.ts";
import { attachments, facts, gate } from "./sample.ts";

const REQUIRED = ["unit", "docs"];
const RUN = facts.run.id;

let root = "";
let notes: TaskEvent[] = [];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "factory-pick-"));
  notes = [];
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

type Verdict = GateFact["verdict"];
/** Seals what a check at this minute found. */
async function check(minute: number, unit: Verdict, docs: Verdict, run = RUN): Promise<string> {
  const finished = `2026-11-25T10:${String(minute).padStart(2, "0")}:00.000Z`;
  const found = { ...facts, run: { id: run }, finished };
  return (await sealEvidence(found, [gate("unit", unit), gate("docs", docs)], attachments, root)).digest;
}
const pick = (run?: string) => evidenceOfRun(root, run, REQUIRED, (event) => notes.push(event));

describe("which evidence counts for a run", () => {
  it("the newest complete one, not a newer one of some gates, which is named", async () => {
    await check(10, "pass", "pass");
    const whole = await check(11, "pass", "pass");
    const partial = await check(12, "not-evaluated", "pass");
    for (const run of [undefined, RUN])
      expect(await pick(run)).toMatchObject({ evidence: { digest: whole }, against: [], newer: { digest: partial } });
  });
  it.each<Verdict>(["fail", "error"])(
    "a newer complete one with a gate that says %s is not passed over",
    async (bad) => {
      await check(10, "pass", "pass");
      const newest = await check(11, bad, "pass");
      await check(12, "not-evaluated", "pass");
      expect(await pick()).toMatchObject({ evidence: { digest: newest } });
    },
  );
  it.each<[Verdict, RegExp]>([
    ["fail", /says of docs: failed$/],
    ["error", /says of docs: could not tell$/],
  ])("a gate that says %s in a newer one of some gates stands, until all are checked again", async (bad, why) => {
    await check(10, "pass", "pass");
    await check(11, "not-evaluated", bad);
    await check(12, "not-evaluated", "pass");
    expect((await pick()).against.join("\n")).toMatch(why);
    const again = await check(13, "pass", "pass");
    expect(await pick()).toMatchObject({ evidence: { digest: again }, against: [], newer: undefined });
  });
  it("only some gates ever: the newest; a gate that nobody requires is not missed", async () => {
    await check(10, "pass", "not-evaluated");
    const newest = await check(11, "not-evaluated", "pass");
    expect(await pick()).toMatchObject({ evidence: { digest: newest }, newer: undefined });
    expect((await evidenceOfRun(root, RUN, ["docs"], () => {})).evidence.digest).toBe(newest);
  });
  it("what was sealed last is the newest, though the clock was set back", async () => {
    await check(20, "pass", "pass");
    const last = await check(10, "fail", "pass");
    expect((await pick()).evidence.digest).toBe(last);
  });
  it("of one check the one with more attached", async () => {
    const sealed = await readEvidence(join(root, await check(10, "pass", "pass")));
    const more = await extendEvidence(
      sealed,
      { kind: "report", name: "a.txt", content: Buffer.from("a") },
      root,
      new Date(),
    );
    await check(9, "pass", "pass", "other".repeat(6));
    expect((await pick(RUN)).evidence.digest).toBe(more.digest);
  });
  it("a run by its first 8 characters, as the screen prints them too; not by fewer, nor when two begin so", async () => {
    const own = await check(10, "pass", "pass");
    await check(11, "pass", "pass", "a".repeat(32));
    await check(11, "pass", "pass", `${"a".repeat(31)}b`);
    for (const named of [RUN.slice(0, 8), `${RUN.slice(0, 8)}…`]) expect((await pick(named)).evidence.digest).toBe(own);
    await expect(pick(RUN.slice(0, 7))).rejects.toMatchObject({ code: "evidence.run", exit: 2 });
    await expect(pick("aaaaaaaa")).rejects.toThrow("2 runs begin with aaaaaaaa");
    expect((await pick("a".repeat(32))).evidence.facts.run.id).toBe("a".repeat(32));
  });
  it("one that was damaged is left out and named; a damaged latest is an error", async () => {
    const damaged = await check(10, "pass", "pass");
    const latest = await check(11, "pass", "pass");
    const spoil = (digest: string) => {
      chmodSync(join(root, digest, "model/manifest.sha256"), 0o644);
      appendFileSync(join(root, digest, "model/manifest.sha256"), "x");
    };
    spoil(damaged);
    expect((await pick()).evidence.digest).toBe(latest);
    expect(notes).toMatchObject([{ type: "note", tone: "warning", text: expect.stringContaining(damaged) }]);
    spoil(latest);
    await expect(pick()).rejects.toMatchObject({ code: "evidence.changed" });
  });
});

describe("evidence by the folder or the digits that the screen prints", () => {
  it("all of them are the same", async () => {
    const digest = await check(10, "pass", "pass");
    const digits = digest.slice(0, 12);
    for (const named of [
      join(root, digest),
      digest,
      digits,
      `${digits}…`,
      `sha256:${digits}…`,
      join(root, `${digits}…`),
      `./${digits}`,
    ])
      expect((await evidenceAt(root, root, named)).digest).toBe(digest);
  });
  it("what is not there, or is no digits, is said", async () => {
    await check(10, "pass", "pass");
    await expect(evidenceAt(root, root, "00000000")).rejects.toMatchObject({ code: "evidence.unknown", exit: 2 });
    await expect(evidenceAt(root, root, "elsewhere")).rejects.toMatchObject({ code: "evidence.missing", exit: 2 });
    await expect(evidenceAt(root, root, "00000000/evidence")).rejects.toMatchObject({ code: "evidence.missing" });
  });
});
