import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { momentOfDecision } from "../../src/line/clock.ts";
import { decide } from "../../src/rules/decide.ts";
import { known } from "../../src/rules/facts.ts";
import { type ShiftingProxy, shiftingProxy } from "../fakes/shifting-proxy.ts";
import { approvalOf, everything, forge, startOf } from "../promotion/front-door.ts";
import { goodFacts } from "../rules/good-facts.ts";
import { type MlflowServer, startMlflowServer } from "../support/mlflow-server.ts";
import { makeLine, type SmallLine } from "../support/small-line.ts";

const MINUTE_MS = 60_000;
const NOW = Date.parse("2026-11-25T12:00:00.000Z");
const server = (offMs: number) => ({ serverMs: NOW + offMs, localMs: NOW });
const last = (offMs: number) => ({ seq: 9, at: new Date(NOW + offMs).toISOString() });

describe("the moment of a decision", () => {
  type Row = [
    name: string,
    local: number,
    server: ReturnType<typeof server> | undefined,
    last: ReturnType<typeof last> | undefined,
    why?: RegExp,
  ];
  const rows: Row[] = [
    ["all agree", NOW, server(0), last(-MINUTE_MS)],
    ["an empty ledger", NOW, server(0), undefined],
    ["the server 5 minutes ahead", NOW, server(5 * MINUTE_MS), last(-MINUTE_MS)],
    ["the server 5 minutes behind", NOW, server(-5 * MINUTE_MS), last(-MINUTE_MS)],
    ["the last entry 5 minutes ahead", NOW, server(0), last(5 * MINUTE_MS)],
    ["a millisecond more: server ahead", NOW, server(5 * MINUTE_MS + 1), last(-MINUTE_MS), /one of the two clocks/],
    [
      "a millisecond more: server behind",
      NOW,
      server(-5 * MINUTE_MS - 1),
      last(-20 * MINUTE_MS),
      /one of the two clocks/,
    ],
    [
      "a millisecond more: ledger ahead",
      NOW,
      server(0),
      last(5 * MINUTE_MS + 1),
      /entry 9 .* clock of this machine is wrong, or that of its signer/,
    ],
    [
      "10 minutes behind, and the ledger says so",
      NOW,
      server(10 * MINUTE_MS),
      last(9 * MINUTE_MS),
      /the clock of this machine is wrong/,
    ],
    [
      "the server 10 minutes behind, and the ledger says so",
      NOW,
      server(-10 * MINUTE_MS),
      last(-MINUTE_MS),
      /the clock of the registry's server is wrong/,
    ],
    ["both behind the ledger, and apart", NOW, server(-10 * MINUTE_MS), last(20 * MINUTE_MS), /one of the two clocks/],
    ["a server without a clock", NOW, undefined, last(0), /does not say what time it is/],
    ["a server with a time that is none", NOW, { serverMs: Number.NaN, localMs: NOW }, last(0), /no time/],
    ["a local time that is none", Number.NaN, { serverMs: NOW, localMs: Number.NaN }, last(0), /no time/],
    ["a server in the year 300000", NOW, server(9e15), last(0), /no time/],
    ["an entry with a time that is none", NOW, server(0), { seq: 9, at: "soon" }, /clock/],
  ];
  it.each(rows)("%s", (_, local, serverClock, lastEntry, why) => {
    const moment = momentOfDecision(local, serverClock, lastEntry);
    if (why === undefined) expect(moment).toEqual(known(new Date(local)));
    else {
      expect(moment).toMatchObject({ known: false, why: expect.stringMatching(why) });
      // No rule that needs the time says yes then.
      const unsure = decide(goodFacts({ facts: { now: moment } }));
      for (const rule of ["freeze", "evidence age", "approvals", "ticket"])
        expect(unsure).toContainEqual(expect.objectContaining({ rule, verdict: "cannot tell" }));
    }
  });
});

describe("days of a freeze", () => {
  const verdict = (timezone: string, at: string) =>
    decide(
      goodFacts({
        policy: (policy) => {
          policy.timezone = timezone;
          for (const each of policy.environments) each.freeze = ["2026-03-29/2026-03-29"];
        },
        facts: { now: known(new Date(at)) },
      }),
    ).find((each) => each.rule === "freeze")?.verdict;

  // The day on which clocks in Europe go forward has 23 hours.
  it.each([
    ["Europe/Zurich", "2026-03-28T22:59:59.999Z", "yes"],
    ["Europe/Zurich", "2026-03-28T23:00:00.000Z", "no"],
    ["Europe/Zurich", "2026-03-29T21:59:59.999Z", "no"],
    ["Europe/Zurich", "2026-03-29T22:00:00.000Z", "yes"],
    ["America/New_York", "2026-03-29T03:59:59.999Z", "yes"],
    ["America/New_York", "2026-03-29T04:00:00.000Z", "no"],
    ["America/New_York", "2026-03-30T03:59:59.999Z", "no"],
    ["Australia/Lord_Howe", "2026-03-28T12:59:59.999Z", "yes"],
    ["Australia/Lord_Howe", "2026-03-28T13:00:00.000Z", "no"],
  ])("%s at %s: %s", (zone, at, expected) => expect(verdict(zone, at)).toBe(expected));
});

/** From the first to the last that there are, with half and three-quarter hours, and with and without summer time. */
const ZONES = [
  "Pacific/Pago_Pago",
  "Pacific/Honolulu",
  "Pacific/Marquesas",
  "America/Anchorage",
  "America/Los_Angeles",
  "America/New_York",
  "America/St_Johns",
  "America/Sao_Paulo",
  "Atlantic/Azores",
  "UTC",
  "Europe/Zurich",
  "Africa/Cairo",
  "Asia/Tehran",
  "Asia/Kathmandu",
  "Asia/Kolkata",
  "Asia/Tokyo",
  "Australia/Lord_Howe",
  "Pacific/Auckland",
  "Pacific/Chatham",
  "Pacific/Kiritimati",
];

describe("through the front door", () => {
  let real: MlflowServer;
  let proxy: ShiftingProxy;
  let line: SmallLine;
  let number: string;
  beforeAll(async () => {
    real = await startMlflowServer();
    proxy = await shiftingProxy(real.uri);
    line = makeLine(real, {
      through: proxy.uri,
      policy: (policy) => {
        policy.timezone = "Asia/Kathmandu";
        for (const each of policy.environments) each.freeze = ["2026-01-01/2026-01-02"];
      },
    });
    number = await line.candidate();
  });
  afterAll(async () => {
    line?.remove();
    await proxy?.stop();
    await real?.stop();
  });

  it.each([10, -10])("a server %i minutes off: exit 4, and nothing is written", async (minutes) => {
    const before = await everything(real, line);
    proxy.shift(minutes * MINUTE_MS);
    const said = await line.promote(number, "test");
    const registered = await line.register();
    proxy.shift(0);
    expect(said).toMatchObject({ status: 4, error: { code: "rules.cannot-tell" } });
    expect(said.against.join("\n")).toMatch(/this machine says .*, the registry's server .* clock/);
    expect(registered).toMatchObject({ status: 4, error: { code: "clock.wrong" } });
    expect(await everything(real, line)).toEqual(before);
    // Behind the last entry of the ledger: then it is known whose clock is wrong.
    if (minutes < 0) expect(said.against.join("\n")).toMatch(/the clock of the registry's server is wrong/);
  });

  it("a server that does not say what time it is", async () => {
    proxy.shift(undefined);
    const said = await line.promote(number, "test");
    proxy.shift(0);
    expect(said).toMatchObject({ status: 4 });
    expect(said.against.join("\n")).toMatch(/does not say what time it is/);
  });

  it("says the same in 20 time zones", { timeout: 240_000 }, async () => {
    const verdicts = new Set<string>();
    for (const TZ of ZONES) {
      const variables = { ...line.people.ci.variables, TZ };
      const said = await line.run("ci", ["promote", number, "--to", "test", "--dry-run"], { variables });
      expect({ TZ, status: said.status, against: said.against }).toEqual({ TZ, status: 0, against: [] });
      // Ages are told in minutes and may go on meanwhile.
      verdicts.add(JSON.stringify(said.verdicts.map(({ rule, verdict }) => ({ rule, verdict }))));
    }
    expect(ZONES).toHaveLength(20);
    expect(verdicts.size).toBe(1);
  });

  it("what is taken back is never dated by a clock that a server denies, and needs no server that answers", {
    timeout: 180_000,
  }, async () => {
    const own = await shiftingProxy(real.uri);
    const other = makeLine(real, { through: own.uri });
    try {
      other.tickets({ "CHG-1": { state: "approved" } });
      const candidate = await other.candidate();
      const envelope = await approvalOf(other, candidate, other.people.approver);
      await forge(other, "approver", { kind: "approved", body: { envelope } });
      await forge(other, "ci", { kind: "promotion.started", body: await startOf(other, candidate) });
      const why = ["--reason", "a complaint came in"];
      const withdraw = (...more: string[]) =>
        other.run("approver", ["approve", "withdraw", candidate, "--to", "prod", ...why, ...more]);
      const abandon = (...more: string[]) =>
        other.run("ci", ["promote", "--to", "test", "--abandon", ...why, "--yes", ...more]);
      const before = other.ledger();
      for (const minutes of [-10, 10]) {
        own.shift(minutes * MINUTE_MS);
        for (const act of [withdraw, abandon])
          for (const more of [[], ["--dry-run"]])
            expect(await act(...more)).toMatchObject({ status: 4, error: { code: "clock.wrong" } });
      }
      own.shift(undefined);
      expect(await withdraw("--dry-run")).toMatchObject({ status: 0 });
      expect(await abandon("--dry-run")).toMatchObject({ status: 0 });
      expect(other.ledger()).toEqual(before);
      await own.stop();
      expect(await withdraw()).toMatchObject({ status: 0, data: { outcome: "withdrawn" } });
      expect(await abandon()).toMatchObject({ status: 0, data: { outcome: "abandoned" } });
      expect(other.ledger().map((each) => each.kind)).toEqual([
        ...before.map((each) => each.kind),
        "approval.withdrawn",
        "abandoned",
      ]);
    } finally {
      other.remove();
      await own.stop();
    }
  });

  it("a ledger 10 minutes ahead of this machine", async () => {
    await forge(
      line,
      "owner",
      {
        kind: "approval.withdrawn",
        body: { approval: "0".repeat(64), reason: "dated by a clock that was wrong" },
      },
      new Date(Date.now() + 10 * MINUTE_MS),
    );
    const said = await line.promote(number, "test");
    expect(said.status).not.toBe(0);
    expect(JSON.stringify([said.verdicts, said.against])).toMatch(
      /entry 3 of the ledger was signed at .*: the clock of this machine is wrong, or that of its signer was/,
    );
    expect(await line.register()).toMatchObject({ status: 4, error: { code: "clock.wrong" } });
  });
});
