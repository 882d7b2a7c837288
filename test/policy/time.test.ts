import { describe, expect, test } from "vitest";
import { durationMs } from "../../src/policy/durations.ts";
import { frozenBy } from "../../src/policy/freeze.ts";
import { isDate, localDate, momentOf } from "../../src/policy/local-time.ts";

const HOUR = 3_600_000;
const clocks = new Map<string, Intl.DateTimeFormat>();

test.each([
  ["PT1M", 60_000],
  ["PT90M", 90 * 60_000],
  ["PT1H", HOUR],
  ["P1D", 24 * HOUR],
  ["P7D", 168 * HOUR],
  ["P2W", 336 * HOUR],
  ["P1DT1H1M", 25 * HOUR + 60_000],
])("%s lasts %d ms", (text, ms) => expect(durationMs(text)).toBe(ms));

test.each(["", "P", "PT", "P1M", "P1Y", "P1WT1H", "P1D1H", "7D", "P-1D", "P1.5D", "PT1S", "p7d", " P7D", "P99999D"])(
  "%j is no duration",
  (text) => expect(() => durationMs(text)).toThrow(RangeError),
);

describe("a freeze holds on both of its days, by the calendar of the zone", () => {
  const environment = { freeze: ["2026-12-20/2027-01-04", "2027-03-28/2027-03-28"] };
  test.each([
    ["2026-12-19T22:59:59Z", "Europe/Zurich", undefined],
    ["2026-12-19T23:00:00Z", "Europe/Zurich", "2026-12-20/2027-01-04"],
    ["2027-01-04T22:59:59Z", "Europe/Zurich", "2026-12-20/2027-01-04"],
    ["2027-01-04T23:00:00Z", "Europe/Zurich", undefined],
    ["2026-12-19T23:30:00Z", "UTC", undefined],
    ["2026-12-20T04:59:00Z", "America/New_York", undefined],
    ["2026-12-20T05:00:00Z", "America/New_York", "2026-12-20/2027-01-04"],
    ["2026-12-19T10:00:00Z", "Pacific/Kiritimati", "2026-12-20/2027-01-04"],
    ["2027-01-05T11:00:00Z", "Pacific/Pago_Pago", undefined],
    ["2027-01-05T10:59:59Z", "Pacific/Pago_Pago", "2026-12-20/2027-01-04"],
    // A day of 23 hours.
    ["2027-03-27T23:00:00Z", "Europe/Zurich", "2027-03-28/2027-03-28"],
    ["2027-03-28T21:59:59Z", "Europe/Zurich", "2027-03-28/2027-03-28"],
    ["2027-03-28T22:00:00Z", "Europe/Zurich", undefined],
  ])("%s in %s", (at, zone, range) => expect(frozenBy(environment, new Date(at), zone)).toBe(range));
  test("no freeze, none", () => expect(frozenBy({}, new Date(), "UTC")).toBeUndefined());
});

describe("momentOf", () => {
  test.each([
    ["2026-11-21 14:00", "UTC", "2026-11-21T14:00:00.000Z"],
    ["2026-11-21T14:00:30", "Europe/Zurich", "2026-11-21T13:00:30.000Z"],
    ["2026-07-21 14:00", "Europe/Zurich", "2026-07-21T12:00:00.000Z"],
    ["2026-11-21", "Europe/Zurich", "2026-11-20T23:00:00.000Z"],
    ["2026-11-21", "Asia/Kolkata", "2026-11-20T18:30:00.000Z"],
    ["2026-11-21T14:00:00Z", "Asia/Tokyo", "2026-11-21T14:00:00.000Z"],
    ["2026-11-21 14:00+09:00", "Europe/Zurich", "2026-11-21T05:00:00.000Z"],
    ["2026-11-21T14:00:00.250Z", "UTC", "2026-11-21T14:00:00.250Z"],
    [" 2026-11-21 14:00 ", "UTC", "2026-11-21T14:00:00.000Z"],
    // Shown twice when clocks go back: the earlier one.
    ["2026-10-25 02:30", "Europe/Zurich", "2026-10-25T00:30:00.000Z"],
    ["2026-10-25 03:00", "Europe/Zurich", "2026-10-25T02:00:00.000Z"],
    ["2026-11-01 01:30", "America/New_York", "2026-11-01T05:30:00.000Z"],
    ["2026-04-05 01:45", "Australia/Lord_Howe", "2026-04-04T14:45:00.000Z"],
    // The first moment after a gap, and the last before.
    ["2026-03-29 01:59:59", "Europe/Zurich", "2026-03-29T00:59:59.000Z"],
    ["2026-03-29 03:00", "Europe/Zurich", "2026-03-29T01:00:00.000Z"],
    // A day whose midnight is skipped begins with its first moment.
    ["2018-11-04", "America/Sao_Paulo", "2018-11-04T03:00:00.000Z"],
    ["2024-02-29", "UTC", "2024-02-29T00:00:00.000Z"],
  ])("%j in %s", (text, zone, expected) => expect(momentOf(text, zone).toISOString()).toBe(expected));

  test.each([
    ["2026-03-29 02:30", "Europe/Zurich", "time.skipped"],
    ["2026-03-08 02:00", "America/New_York", "time.skipped"],
    ["2026-10-04 02:15", "Australia/Lord_Howe", "time.skipped"],
    // A whole day that the calendar of the place left out.
    ["2011-12-30", "Pacific/Apia", "time.skipped"],
    ["2026-02-29", "UTC", "time.date"],
    ["2026-13-01 10:00", "UTC", "time.date"],
    ["2026-02-30T10:00:00Z", "UTC", "time.date"],
    ["2026-11-21 24:00", "UTC", "time.invalid"],
    ["2026-11-21 14:60", "UTC", "time.invalid"],
    ["2026-11-21 14:00:60", "UTC", "time.invalid"],
    ["2026-11-21 14:00+15:00", "UTC", "time.invalid"],
    ["2026-11-21 14", "UTC", "time.invalid"],
    ["21.11.2026", "UTC", "time.invalid"],
    ["yesterday", "UTC", "time.invalid"],
    ["", "UTC", "time.invalid"],
    ["2026-11-21 14:00 Europe/Zurich", "UTC", "time.invalid"],
  ])("%j in %s is refused", (text, zone, code) => {
    expect(() => momentOf(text, zone)).toThrow(expect.objectContaining({ code, exit: 2 }));
  });

  const ZONES = [
    "UTC",
    "Europe/Zurich",
    "Europe/London",
    "Europe/Dublin",
    "America/New_York",
    "America/Los_Angeles",
    "America/St_Johns",
    "America/Sao_Paulo",
    "America/Havana",
    "Africa/Casablanca",
    "Africa/Cairo",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Asia/Tehran",
    "Asia/Tokyo",
    "Australia/Lord_Howe",
    "Australia/Adelaide",
    "Pacific/Chatham",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
    "Pacific/Apia",
  ];
  test.each(ZONES)(
    "what a clock in %s shows is read back as that moment, or as the earlier one that shows the same",
    (zone) => {
      const start = Date.UTC(2026, 0, 1, 0, 30);
      for (let hours = 0; hours < 366 * 24; hours += 5) {
        const moment = start + hours * HOUR;
        const shown = shownBy(moment, zone);
        const read = momentOf(shown, zone).getTime();
        expect(shownBy(read, zone)).toBe(shown);
        expect(read).toBeLessThanOrEqual(moment);
        expect(moment - read).toBeLessThanOrEqual(HOUR);
        expect(localDate(new Date(moment), zone)).toBe(shown.slice(0, 10));
      }
    },
  );

  test("the zone of this machine does not matter", () => {
    expect(new Set(ZONES.map((zone) => momentOf("2026-11-21T14:00:00Z", zone).getTime())).size).toBe(1);
  });
});

test.each(["2026-02-28", "2024-02-29", "0001-01-01"])("%s is a day", (text) => expect(isDate(text)).toBe(true));
test.each(["2026-02-29", "2026-00-10", "2026-1-1", "20260101", "2026-11-31", "2026-11-25T00:00", "x"])(
  "%s is none",
  (text) => expect(isDate(text)).toBe(false),
);

/** Another way to ask the same: the Swedish locale writes ISO dates. */
function shownBy(moment: number, timeZone: string): string {
  let clock = clocks.get(timeZone);
  if (clock === undefined) {
    clock = new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short", timeStyle: "medium" });
    clocks.set(timeZone, clock);
  }
  return clock.format(moment);
}
