import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Ledger } from "../../src/ledger/open-ledger.ts";
import { changedError, FactoryError } from "../../src/lib/error.ts";
import { giveUp } from "../../src/line/resume.ts";
import { inTurn, takeTurn } from "../../src/line/turn.ts";
import { chain, ci, promoted } from "../audit/chain.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "factory-turn-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A promotion is open, and somebody else is always faster. */
const { view, state } = chain(promoted(1, 2, 0).slice(0, 2));
const ledger: Ledger = { place: "ledger", local: true, view: async () => view, append: async () => undefined };
const line = { project: "claims-triage", model: "claims.triage", ledger, view, state, first: undefined };
const unjudged = { ...line, policy: { known: false as const, why: "not asked" } };
const take = (dryRun = false) =>
  takeTurn(line, "prod", { cacheFolder: folder, signal: new AbortController().signal }, dryRun);
const [begun] = state.environment("prod").open;
if (begun === undefined) throw new Error("nothing is open");
const lockFile = () => join(folder, "turns", (readdirSync(join(folder, "turns"))[0] ?? "").replace(".begun", ""));
/** A command of this user that is cut off after it began something. */
async function cutOff(): Promise<void> {
  const turn = await take();
  turn.begin((begun?.seq ?? 0) - 1);
  turn.end(false);
}

test("a lock of another machine names the file that holds it", async () => {
  await cutOff();
  writeFileSync(lockFile(), "4711\n0\nanother-machine\nabcd\n");
  const refused = await take().catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: "environment.busy", exit: 5 });
  expect(refused instanceof FactoryError && refused.hint).toContain(`remove ${lockFile()}`);
});

test.each(["ledger.moved", "begun.stale"])("after %s nothing is open", async (code) => {
  await cutOff();
  await expect(
    inTurn(await take(), () => {
      throw changedError(code, "said");
    }),
  ).rejects.toMatchObject({ code });
  expect((await take(true)).cutOff(begun)).toBe(false);
});

test("what could not be ended stays open for the next command", async () => {
  await cutOff();
  const turn = await take();
  expect(turn.cutOff(begun)).toBe(true);
  await expect(
    inTurn(turn, () => giveUp(begun, "it is stale", unjudged, { by: ci.address, signer: ci.signer }, new Date())),
  ).rejects.toMatchObject({ exit: 5, message: expect.stringContaining("was not ended") });
  expect((await take(true)).cutOff(begun)).toBe(true);
});

test("a command that was killed before it began anything leaves what others began with its key alone", async () => {
  await take();
  // Killed: the lock stays, of a process that is none any more.
  writeFileSync(lockFile(), "0\n");
  expect((await take(true)).cutOff(begun)).toBe(false);
  expect((await take()).cutOff(begun)).toBe(false);
});

test("only what follows the head on which it was begun is carried on", async () => {
  await cutOff();
  const turn = await take();
  const after = [0, 1, 2].map((more) => turn.cutOff({ seq: begun.seq + more }));
  expect(after).toEqual([true, true, false]);
  expect(turn.cutOff({ seq: begun.seq - 1 })).toBe(false);
});

test("a dry run carries nothing on while the command is at work", async () => {
  const turn = await take();
  turn.begin((begun?.seq ?? 0) - 1);
  expect((await take(true)).cutOff(begun)).toBe(false);
  turn.end(false);
  expect((await take(true)).cutOff(begun)).toBe(true);
});
