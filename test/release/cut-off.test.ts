import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { type MlflowServer, startMlflowServer } from "../support/mlflow-server.ts";
import type { LineAnswer, LineWish, SmallLine } from "../support/small-line.ts";
import { alias, good, LineInProd, SHORT } from "./line-in-prod.ts";

// Commands that are killed right after they moved champion, and what then becomes of it: with the ledger, without it, and when an entry in
// it is dated ahead. Run again, nothing goes one version too far.

let server: MlflowServer;
let at: LineInProd;
let line: SmallLine;
beforeAll(async () => {
  server = await startMlflowServer();
});
afterEach(() => at?.remove());
afterAll(() => server?.stop());

async function fresh(wish?: LineWish): Promise<void> {
  at = await LineInProd.make(server, wish);
  ({ line } = at);
}

/** Two candidates, both released one after the other. */
async function twoReleased(wish: LineWish = { policy: SHORT }): Promise<void> {
  await fresh(wish);
  for (const text of ["one", "two"]) await at.release(text);
  expect(await at.champion()).toBe("2");
}

const champion = () => at.champion();
const cutAtAlias = (...args: string[]) => at.cut(alias, ...args);
const done = async (answer: Promise<LineAnswer>) => (await good(answer)).data;
const rollback = ["rollback", "--env", "prod", "--reason", "escalations doubled"];

test("a release that may not be made any more is taken back", async () => {
  await fresh();
  await at.release("one");
  const number = await at.promote("two");
  await cutAtAlias("release", number, "--env", "prod");
  expect(await champion()).toBe("2");
  await good(line.run("approver", ["approve", "withdraw", number, "--to", "prod", "--reason", "a complaint"]));
  const again = await line.release(number, "prod");
  expect(again.status, JSON.stringify(again.against)).toBe(5);
  expect(again.error?.message).toContain("refused by now: approvals");
  expect(await champion()).toBe("1");
  expect(line.ledger().at(-1)?.kind).toBe("abandoned");
  expect((await line.release(number, "prod")).status).toBe(3);
});

test("a release is rolled back without the ledger, which then says so", async () => {
  await fresh();
  await at.release("one");
  await cutAtAlias("release", await at.promote("two"), "--env", "prod");
  const entries = line.ledger().length;
  at.ledgerGone();
  const back = await done(line.rollback("prod"));
  expect(back).toMatchObject({ outcome: "unrecorded", from: { version: "2" }, to: { version: "1" } });
  at.ledgerBack();
  await line.candidate({ text: "three" });
  expect(at.kinds(entries)).toEqual(["abandoned", "rollback.started", "rolledback", "registered"]);
  expect(await champion()).toBe("1");
  expect((await line.run("ci", ["verify"])).against).toEqual([]);
});

test("a rollback without the ledger is carried on, with the ledger or without it", async () => {
  await twoReleased();
  const entries = line.ledger().length;
  at.ledgerGone();
  await cutAtAlias(...rollback);
  expect(await champion()).toBe("1");
  expect(at.pending()).toHaveLength(1);
  at.ledgerBack();
  const other = await line.register();
  expect(other.status).toBe(5);
  expect(other.error?.message).toContain("was begun without the ledger");
  expect(at.pending()).toHaveLength(1);
  at.ledgerGone();
  expect(await done(line.run("ci", rollback))).toMatchObject({ outcome: "unrecorded", to: { version: "1" } });
  expect(await champion()).toBe("1");
  at.ledgerBack();
  await line.candidate({ text: "three" });
  expect(at.kinds(entries)).toEqual(["rollback.started", "rolledback", "registered"]);
  expect(at.pending()).toEqual([]);
});

test("a rollback that was begun without the ledger is ended by one with it", async () => {
  await twoReleased();
  at.ledgerGone();
  await cutAtAlias(...rollback);
  at.ledgerBack();
  expect(await done(line.run("ci", rollback))).toMatchObject({ outcome: "rolledback", to: { version: "1" } });
  expect(await champion()).toBe("1");
  await line.candidate({ text: "three" });
  expect(at.pending()).toEqual([]);
});

test("who serves since a rollback is not gone back from without the ledger, unless on purpose", async () => {
  await twoReleased();
  await good(line.run("ci", rollback));
  at.ledgerGone();
  const again = await line.rollback("prod");
  expect(again.status).toBe(3);
  expect(again.against.join()).toContain("serves since the rollback of ci@example.com");
  expect(await champion()).toBe("1");
  expect(await done(line.rollback("prod", "--further"))).toMatchObject({ outcome: "unrecorded", to: "none" });
});

test("an entry that is dated ahead is no way to go back from a rollback that is half done", async () => {
  await twoReleased({});
  await cutAtAlias(...rollback);
  expect(await champion()).toBe("1");
  const begun = at.entries().find((each) => each.kind === "promotion.started" && each.body.environment === "test");
  if (begun?.kind !== "promotion.started") throw new Error("nothing began");
  at.forge("author", { kind: begun.kind, body: begun.body }, -3_600_000);
  const again = await line.run("ci", rollback);
  expect(again.status, JSON.stringify(again.against)).toBe(4);
  expect(await champion()).toBe("1");
});
