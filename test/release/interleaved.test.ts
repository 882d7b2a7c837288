import { cpSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { factory } from "../support/factory.ts";
import { type MlflowServer, startMlflowServer } from "../support/mlflow-server.ts";
import type { LineWish, SmallLine } from "../support/small-line.ts";
import { alias, create, good, LineInProd, type Match, noAlias, SHORT, tag } from "./line-in-prod.ts";

// Two at once, and commands that are killed: whoever comes to an end leaves aliases and tags as the ledger has them, so that the next
// candidate can go its way.

let server: MlflowServer;
let at: LineInProd;
beforeAll(async () => {
  server = await startMlflowServer();
});
afterEach(() => at?.remove());
afterAll(() => server?.stop());

async function fresh(wish?: LineWish) {
  at = await LineInProd.make(server, wish);
  return at.line;
}

/** Evidence that is written once the next thing is begun. */
function evidence(line: SmallLine): Match {
  const before = line.ledger().length;
  return (method, url) => url.includes("artifacts") && method !== "GET" && line.ledger().length > before;
}

const WITHDRAW = ["--to", "prod", "--reason", "a complaint came in", "--yes"];
const ABANDON = ["promote", "--abandon", "--reason", "the runner died", "--yes"];

test("a promotion that somebody ends while it sets its alias takes the alias back", async () => {
  const line = await fresh();
  const [one, two] = [await at.candidate("one"), await at.candidate("two")];
  at.between("before", alias, () => good(at.line.run("owner", [...ABANDON, "--to", "test"])));
  expect(await line.promote(one, "test")).toMatchObject({ status: 5, error: { code: "ledger.ended" } });
  expect((await at.model("test")).aliases).toEqual({});
  await good(line.promote(two, "test"));
  await at.verified();
});

test("a promotion that was ended while its bytes arrived moves no alias", async () => {
  const line = await fresh();
  const one = await at.candidate("one");
  at.between("after", create, () => good(at.line.run("owner", [...ABANDON, "--to", "test"])));
  expect(await line.promote(one, "test")).toMatchObject({ status: 5, error: { code: "ledger.ended" } });
  expect((await at.model("test")).aliases).toEqual({});
});

test("a release that gave challenger up and was killed, or was rolled back at that moment, gives it back", async () => {
  const line = await fresh({ policy: SHORT });
  await at.release("one");
  const two = await at.promote("two");
  await at.cut(noAlias, "release", two, "--env", "prod");
  expect((await at.model()).aliases).toEqual({ champion: "2" });
  await good(line.rollback("prod"));
  expect((await at.model()).aliases).toEqual({ champion: "1", challenger: "2" });
  at.between("before", noAlias, () =>
    good(at.line.run("owner", ["rollback", "--env", "prod", "--reason", "it is bad", "--yes"])),
  );
  expect(await line.release(two, "prod")).toMatchObject({ status: 5, error: { code: "ledger.ended" } });
  expect((await at.model()).aliases).toEqual({ champion: "1", challenger: "2" });
  await at.verified();
});

test("taking a release back is carried on after each of its aliases", async () => {
  const line = await fresh();
  await at.release("one");
  const two = await at.promote("two");
  await at.cut(noAlias, "release", two, "--env", "prod");
  await good(at.line.run("approver", ["approve", "withdraw", two, ...WITHDRAW]));
  await at.cut(alias, "release", two, "--env", "prod");
  expect((await at.model()).aliases).toEqual({ champion: "1" });
  expect((await line.release(two, "prod")).status).toBe(5);
  expect((await at.model()).aliases).toEqual({ champion: "1", challenger: "2" });
  expect(at.kinds().at(-1)).toBe("abandoned");
  await at.verified();
});

test("two who register at once agree where challenger stands", async () => {
  const line = await fresh();
  await at.candidate("zero");
  const [first, second] = [await line.check(await line.train("aaa")), await line.check(await line.train("bbb"))];
  at.between("after", alias, () => good(line.register("owner", "--evidence", second.digest)));
  await good(line.register("ci", "--evidence", first.digest));
  expect(line.ledger().at(-1)).toMatchObject({ kind: "registered", by: "ci@example.com" });
  expect((await at.model("dev")).aliases.challenger).toBe("2");
  for (const number of ["2", "3"]) await good(line.promote(number, "test"));
  await at.verified();
});

test("a version that serves again is no challenger any more", async () => {
  const line = await fresh({ policy: SHORT });
  const run = await line.train("one");
  await line.check(run);
  const one = String((await good(line.register())).data?.version);
  await good(line.promote(one, "prod"));
  await good(line.release(one, "prod"));
  await at.release("two");
  const serving = await at.registry.version(`prod.${line.model}`, "2");
  const digest = serving?.tags["factory.digest"] ?? "";
  const champion = { environment: "prod", version: "2", digest, commit: line.commit() };
  const again = await line.check(run, { facts: { champion } });
  await good(line.register("ci", "--evidence", again.digest));
  await at.cut(alias, "promote", one, "--to", "prod");
  await good(line.rollback("prod"));
  await line.promote(one, "prod");
  await at.verified();
});

test("a policy that is put in force while a release is at work is heard before champion moves", async () => {
  const line = await fresh();
  const one = await at.promote("one");
  at.between("before", evidence(line), async () => {
    line.writePolicy((policy) => {
      policy.version = 2;
      policy.roles = { ...policy.roles, "model-risk": ["second@example.com"] };
    });
    // Whatever writes first puts it in force: here a candidate that is registered.
    await at.candidate("two");
  });
  expect(await line.release(one, "prod")).toMatchObject({ status: 5, error: { code: "policy.overtaken" } });
  expect((await at.model()).aliases).toEqual({ challenger: one });
  // Decided anew, the approval is of somebody who may not give it any more.
  expect((await line.release(one, "prod")).status).toBe(5);
  const again = await line.release(one, "prod");
  expect([again.status, again.against.join()]).toEqual([
    3,
    expect.stringContaining("does not have the role model-risk"),
  ]);
});

test("an approval that is withdrawn while a release is at work is heard before champion moves", async () => {
  const line = await fresh();
  const one = await at.promote("one");
  at.between("before", evidence(line), () => good(at.line.run("approver", ["approve", "withdraw", one, ...WITHDRAW])));
  const refused = await line.release(one, "prod");
  expect(refused).toMatchObject({ status: 5, error: { code: "approval.taken" } });
  expect((await at.model()).aliases).toEqual({ challenger: "1" });
  expect((await line.release(one, "prod")).status).toBe(5);
  expect((await line.release(one, "prod")).status).toBe(3);
  await at.verified();
});

test("the way back without the ledger is that of who serves, after a release that was given up too", async () => {
  await fresh({ policy: SHORT });
  for (const text of ["one", "two"]) await at.release(text);
  const before = (await at.model()).tags["factory.rollback"];
  expect(before).toContain('"of":"2"');
  const three = await at.promote("three");
  await at.cut(tag, "release", three, "--env", "prod");
  expect((await at.model()).tags["factory.rollback"]).toContain('"of":"3"');
  await good(at.line.run("ci", [...ABANDON, "--to", "prod"]));
  expect((await at.model()).tags["factory.rollback"]).toBe(before);
});

test("what was promoted is promoted again with a new ticket", async () => {
  const line = await fresh({
    policy: (policy) => {
      const prod = policy.riskTiers?.medium?.prod;
      if (prod !== undefined) {
        prod.ticket = "required";
        delete prod.approvals;
      }
    },
  });
  const ticket = (until?: string) => ({ state: "approved", project: "claims-triage", ...(until && { until }) });
  line.tickets({ "CHG-1": ticket(), "CHG-2": ticket() });
  const one = await at.candidate("one");
  await good(line.promote(one, "test"));
  await at.cut(create, "promote", one, "--to", "prod", "--ticket", "CHG-1");
  expect(await line.promote(one, "prod", "--ticket", "CHG-2")).toMatchObject({
    status: 2,
    error: { code: "promotion.ticket", message: expect.stringContaining("for ticket CHG-1, not for CHG-2") },
  });
  await good(line.promote(one, "prod"));
  const entries = line.ledger().length;
  await good(line.promote(one, "prod", "--ticket", "CHG-1"));
  expect(at.kinds(entries)).toEqual([]);
  line.tickets({ "CHG-1": ticket("2026-01-01T00:00:00Z"), "CHG-2": ticket() });
  expect((await line.release(one, "prod")).status).toBe(3);
  expect((await good(line.promote(one, "prod", "--ticket", "CHG-2"))).data).toMatchObject({ to: { version: "1" } });
  expect(at.kinds(entries)).toEqual(["promotion.started", "promoted"]);
  await good(line.release(one, "prod"));
  await at.verified();
});

test("a dry run says that what was begun would be given up", async () => {
  const line = await fresh();
  const one = await at.candidate("one");
  await good(line.promote(one, "test"));
  await good(line.approve(one, "prod"));
  await at.cut(create, "promote", one, "--to", "prod");
  await good(line.approve(one, "prod", "second"));
  const entries = line.ledger().length;
  expect(await line.promote(one, "prod", "--dry-run")).toMatchObject({
    status: 5,
    error: { code: "begun.stale", message: expect.stringContaining("would be abandoned") },
  });
  expect(at.kinds(entries)).toEqual([]);
  expect((await line.promote(one, "prod")).status).toBe(5);
  expect(at.kinds(entries)).toEqual(["abandoned"]);
});

test("a job that was killed while it planned takes nothing over from another machine with its key", async () => {
  const line = await fresh();
  const one = await at.candidate("one");
  const { variables, home } = line.people.ci;
  const elsewhere = { ...variables, XDG_CACHE_HOME: join(home, "elsewhere") };
  await at.cutElsewhere((_, url) => url.includes("test.claims"), elsewhere, "promote", one, "--to", "test");
  expect(at.kinds()).not.toContain("promotion.started");
  let other: { status: number | null } | undefined;
  at.between("before", create, async () => {
    const args = ["promote", one, "--to", "test", "--yes", "--json"];
    other = await factory(args, { cwd: line.folder, variables: elsewhere });
  });
  await good(line.promote(one, "test"));
  expect(other?.status).toBe(5);
  expect(await at.registry.versions(`test.${line.model}`)).toHaveLength(1);
  await at.verified();
});

test("a promotion that was taken over leaves no second version of its bytes", async () => {
  const line = await fresh();
  const one = await at.candidate("one");
  const { variables, home } = line.people.ci;
  const elsewhere = { ...variables, XDG_CACHE_HOME: join(home, "elsewhere") };
  at.between("before", create, async () => {
    // Another machine that takes the first one for dead.
    const begun =
      readdirSync(home, { recursive: true, encoding: "utf8" }).find((path) => path.endsWith(".begun")) ?? "";
    cpSync(join(home, begun), join(home, "elsewhere", "factory", "turns", basename(begun)));
    const args = ["promote", one, "--to", "test", "--yes", "--json"];
    const other = await factory(args, { cwd: line.folder, variables: elsewhere });
    expect(other.status, other.stdout).toBe(0);
  });
  expect(await line.promote(one, "test")).toMatchObject({ status: 5, error: { code: "ledger.ended" } });
  expect((await at.registry.versions(`test.${line.model}`)).map((each) => each.version)).toEqual(["1"]);
  expect((await at.model("test")).aliases).toEqual({ challenger: "1" });
  await at.verified();
});
