import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Fact } from "../../src/ledger/entry.ts";
import { type MlflowServer, startMlflowServer } from "../support/mlflow-server.ts";
import { alias, good, LineInProd, tag } from "./line-in-prod.ts";

// The same rollback again: when champion was moved by hand meanwhile, on purpose one version further, carried on in other words, beside what
// others began; and what a dry run says of each.

let server: MlflowServer;
let of: LineInProd;
beforeAll(async () => {
  server = await startMlflowServer();
}, 300_000);
afterEach(() => of?.remove());
afterAll(() => server?.stop());

const TIME = { timeout: 300_000 };
const byHand = (version: string) => of.registry.setAlias(`prod.${of.line.model}`, "champion", version);
const told = (reason: string, ...more: string[]) => ["rollback", "--env", "prod", "--reason", reason, "--yes", ...more];
const entries = () => of.entries();

test("champion that was moved by hand after a rollback is put back, and that is said", TIME, async () => {
  of = await LineInProd.released(server, "one", "two", "three");
  const { line } = of;
  await good(line.rollback("prod"));
  const before = line.ledger().length;
  await byHand("3");
  const planned = await good(line.rollback("prod", "--dry-run"));
  expect(planned.data).toMatchObject({ outcome: "planned", again: true, to: { version: "2" } });
  expect(planned.verdicts.map((each) => each.verdict)).not.toContain("no");
  expect(planned.verdicts[0]?.why).toContain("champion was put on v3 by hand");
  expect(await of.champion()).toBe("3");
  const back = await good(line.rollback("prod"));
  expect(back.data).toMatchObject({ outcome: "rolledback", resumed: true, to: { version: "2" } });
  expect(back.ran.stderr).toContain("champion was put on v3 by hand");
  expect(await of.champion()).toBe("2");
  // By whoever is on call.
  await byHand("3");
  const second = await good(line.run("owner", told("it is down")));
  expect(second.data).toMatchObject({ reason: "escalations doubled", to: { version: "2" } });
  expect(second.ran.stderr).toContain("is not recorded");
  expect(await of.champion()).toBe("2");
  // A step further back that somebody made by hand is not undone.
  await byHand("1");
  expect((await line.run("owner", told("it is down"))).status).toBe(3);
  expect((await line.rollback("prod")).status).toBe(3);
  expect(await of.champion()).toBe("1");
  expect(line.ledger()).toHaveLength(before);
});

test(
  "--further goes one version further whatever the reason, and one that was cut off no further than that",
  TIME,
  async () => {
    of = await LineInProd.released(server, "one", "two", "three");
    const { line } = of;
    await good(line.rollback("prod"));
    expect((await good(line.rollback("prod", "--dry-run"))).verdicts).toMatchObject([
      { rule: "serving", verdict: "yes" },
    ]);
    // Killed after its last entry, before the anchor.
    let sets = 0;
    const anchor = (method: string, url: string) => tag(method, url) && ++sets === 2;
    await of.cutBefore(anchor, ...told("escalations doubled", "--further"));
    expect(entries().at(-1)).toMatchObject({ kind: "rolledback", body: { to: { version: "1" } } });
    const again = await good(line.rollback("prod", "--further"));
    expect(again.data).toMatchObject({ outcome: "rolledback", to: { version: "1" }, resumed: true });
    expect(await of.champion()).toBe("1");
    const further = await good(line.rollback("prod", "--further"));
    expect(further.data).toMatchObject({ outcome: "rolledback", to: "none", resumed: false });
    expect(await of.champion()).toBeUndefined();
  },
);

test("a rollback that is carried on in other words reports those that it has", TIME, async () => {
  of = await LineInProd.released(server, "one", "two");
  await of.cut(alias, ...told("first words"));
  const others = told("other words", "--incident", "INC-77", "--detected-at", "2026-01-01T00:00:00Z");
  const planned = await good(of.line.run("ci", [...others, "--dry-run"]));
  expect(planned.data).toMatchObject({ reason: "first words" });
  const back = await good(of.line.run("ci", others));
  expect(back.data).toMatchObject({ reason: "first words", resumed: true });
  for (const key of ["incident", "detectedAt", "detectedToRestoredMs"]) expect(back.data).not.toHaveProperty(key);
  expect(back.ran.stderr).toContain("the reason, incident or time given now is not recorded");
  expect(entries().at(-1)?.body).toMatchObject({ reason: "first words" });
});

test("a start that does not fit is abandoned by a run, and a dry run says so", TIME, async () => {
  of = await LineInProd.released(server, "one", "two", "three");
  const { line } = of;
  await good(line.rollback("prod"));
  // As a rollback that was begun on a chain which had moved by then.
  const begun = of.last("rollback.started");
  const fact: Fact = { kind: begun.kind, body: { ...begun.body, reason: "it came late" } };
  of.forge("ci", fact, 0);
  const planned = await line.rollback("prod", "--dry-run");
  expect(planned.status).toBe(3);
  expect(planned.against.join()).toContain("which did not serve): a run abandons it, and ends with exit 5");
  expect(entries().at(-1)?.kind).toBe("rollback.started");
  expect((await line.rollback("prod")).status).toBe(5);
  expect(entries().at(-1)?.kind).toBe("abandoned");
  expect(await of.champion()).toBe("2");
});

test("beside a release that was begun: both ways on are named, and what moved champion is undone", TIME, async () => {
  of = await LineInProd.released(server, "one", "two");
  const { line } = of;
  const three = await of.promote("three");
  await of.cut(tag, "release", three, "--env", "prod");
  const refused = await line.rollback("prod");
  expect(refused.status).toBe(3);
  expect(refused.ran.stdout).toContain("end that release: factory promote --to prod --abandon");
  expect(refused.ran.stdout).toContain("to go back from v2, then run this rollback again");
  await good(line.run("ci", ["promote", "--to", "prod", "--abandon", "--reason", "the runner died", "--yes"]));
  await good(line.rollback("prod"));
  expect(await of.champion()).toBe("1");
  // What serves by a release that was cut off does not serve since that rollback.
  const four = await of.promote("four");
  await of.cut(alias, "release", four, "--env", "prod");
  expect(await of.champion()).toBe("4");
  const planned = await good(line.run("ci", told("four is bad", "--dry-run")));
  expect(planned.verdicts.map((each) => each.why).join()).toMatch(
    /the release of v4 that entry \d+ began is abandoned/,
  );
  expect((await good(line.run("ci", told("four is bad")))).data).toMatchObject({ to: { version: "1" } });
  expect(await of.champion()).toBe("1");
});
