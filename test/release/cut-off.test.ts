import { appendFileSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { openMlflow } from "../../src/clients/mlflow/open-mlflow.ts";
import type { Fact } from "../../src/ledger/entry.ts";
import { formatEntry } from "../../src/ledger/line.ts";
import { type Hooks, type LosingProxy, losingProxy } from "../fakes/losing-proxy.ts";
import { factory } from "../support/factory.ts";
import { entriesIn } from "../support/line.ts";
import { type MlflowServer, startMlflowServer } from "../support/mlflow-server.ts";
import { type LineAnswer, makeLine, type SmallLine } from "../support/small-line.ts";

// Commands that are killed right after they moved champion, and what then becomes of it: with the ledger, without it, and when an entry in
// it is dated ahead. Run again, nothing goes one version too far.

let server: MlflowServer;
let proxy: LosingProxy;
const hooks: Hooks = {};
let line: SmallLine;
beforeAll(async () => {
  server = await startMlflowServer();
  proxy = await losingProxy(server.uri, hooks);
});
afterEach(() => line?.remove());
afterAll(async () => {
  await proxy?.stop();
  await server?.stop();
});

const champion = async () =>
  (await openMlflow(server.uri, { variables: {} }).registry.model(`prod.${line.model}`))?.aliases.champion;

async function good(answer: Promise<LineAnswer>) {
  const given = await answer;
  expect(given.status, JSON.stringify(given.against)).toBe(0);
  return given.data ?? {};
}

/** A candidate in prod, which was compared with who serves there. */
async function promoted(text: string): Promise<string> {
  const serves = await champion();
  const found =
    serves === undefined
      ? undefined
      : await openMlflow(server.uri, { variables: {} }).registry.version(`prod.${line.model}`, serves);
  const digest = found?.tags["factory.digest"] ?? "";
  const compared = serves && { champion: { environment: "prod", version: serves, digest, commit: line.commit() } };
  const number = await line.candidate({ text, ...(compared && { facts: compared }) });
  await good(line.promote(number, "test"));
  await good(line.approve(number, "prod"));
  await good(line.promote(number, "prod"));
  return number;
}

/** Two candidates, both released one after the other. */
async function twoReleased(): Promise<void> {
  line = makeLine(server, { through: proxy.uri });
  for (const text of ["one", "two"]) await good(line.release(await promoted(text), "prod"));
  expect(await champion()).toBe("2");
}

/** CI's command, killed right after the registry moved an alias for it. */
async function cutAtAlias(...args: string[]): Promise<void> {
  let kill = (): void => {};
  hooks.afterReply = (_, { method, url }) => {
    if (method === "POST" && url.endsWith("registered-models/alias")) kill();
  };
  const cut = await factory([...args, "--yes", "--json"], {
    cwd: line.folder,
    variables: line.people.ci.variables,
    started: (child) => {
      kill = () => child.kill("SIGKILL");
    },
  });
  delete hooks.afterReply;
  expect(cut.status).toBeNull();
}

const rollback = ["rollback", "--env", "prod", "--reason", "escalations doubled"];
const pending = () => readdirSync(join(line.folder, ".factory", "pending"));
const ledgerGone = () => renameSync(line.ledgerPath, `${line.ledgerPath}.kept`);
const ledgerBack = () => renameSync(`${line.ledgerPath}.kept`, line.ledgerPath);
const kindsAfter = (seq: number) =>
  line
    .ledger()
    .slice(seq)
    .map((each) => each.kind);

test("a release that may not be made any more is taken back", async () => {
  line = makeLine(server, { through: proxy.uri });
  await good(line.release(await promoted("one"), "prod"));
  const number = await promoted("two");
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
  line = makeLine(server, { through: proxy.uri });
  await good(line.release(await promoted("one"), "prod"));
  await cutAtAlias("release", await promoted("two"), "--env", "prod");
  const entries = line.ledger().length;
  ledgerGone();
  const back = await good(line.rollback("prod"));
  expect(back).toMatchObject({ outcome: "unrecorded", from: { version: "2" }, to: { version: "1" } });
  ledgerBack();
  await line.candidate({ text: "three" });
  expect(kindsAfter(entries)).toEqual(["abandoned", "rollback.started", "rolledback", "registered"]);
  expect(await champion()).toBe("1");
  expect((await line.run("ci", ["verify"])).against).toEqual([]);
});

test("a rollback without the ledger is carried on, with the ledger or without it", async () => {
  await twoReleased();
  const entries = line.ledger().length;
  ledgerGone();
  await cutAtAlias(...rollback);
  expect(await champion()).toBe("1");
  expect(pending()).toHaveLength(1);
  ledgerBack();
  const other = await line.register();
  expect(other.status).toBe(5);
  expect(other.error?.message).toContain("was begun without the ledger");
  expect(pending()).toHaveLength(1);
  ledgerGone();
  expect(await good(line.run("ci", rollback))).toMatchObject({ outcome: "unrecorded", to: { version: "1" } });
  expect(await champion()).toBe("1");
  ledgerBack();
  await line.candidate({ text: "three" });
  expect(kindsAfter(entries)).toEqual(["rollback.started", "rolledback", "registered"]);
  expect(pending()).toEqual([]);
});

test("a rollback that was begun without the ledger is ended by one with it", async () => {
  await twoReleased();
  ledgerGone();
  await cutAtAlias(...rollback);
  ledgerBack();
  expect(await good(line.run("ci", rollback))).toMatchObject({ outcome: "rolledback", to: { version: "1" } });
  expect(await champion()).toBe("1");
  await line.candidate({ text: "three" });
  expect(pending()).toEqual([]);
});

test("who serves since a rollback is not gone back from without the ledger, unless on purpose", async () => {
  await twoReleased();
  await good(line.run("ci", rollback));
  ledgerGone();
  const again = await line.rollback("prod");
  expect(again.status).toBe(3);
  expect(again.against.join()).toContain("serves since the rollback of ci@example.com");
  expect(await champion()).toBe("1");
  expect(await good(line.rollback("prod", "--further"))).toMatchObject({ outcome: "unrecorded", to: "none" });
});

test("an entry that is dated ahead is no way to go back from a rollback that is half done", async () => {
  await twoReleased();
  await cutAtAlias(...rollback);
  expect(await champion()).toBe("1");
  const entries = entriesIn(readFileSync(line.ledgerPath, "utf8"));
  const begun = entries.find((each) => each.kind === "promotion.started" && each.body.environment === "test");
  const last = entries.at(-1);
  if (begun?.kind !== "promotion.started" || last === undefined) throw new Error("nothing began");
  const fact: Fact = { kind: begun.kind, body: begun.body };
  const { address, signer } = line.people.author;
  const ahead = { seq: last.seq + 1, at: new Date(Date.now() + 3_600_000), by: address, prev: last.hash };
  appendFileSync(line.ledgerPath, `${formatEntry(fact, ahead, signer)}\n`);
  const again = await line.run("ci", rollback);
  expect(again.status, JSON.stringify(again.against)).toBe(4);
  expect(await champion()).toBe("1");
});
