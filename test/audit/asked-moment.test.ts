import { expect, test } from "vitest";
import { askedMoment } from "../../src/audit/asked-moment.ts";
import { minutes } from "./chain.ts";

const asked = (text: string, begins: Date[] = [minutes(0)], timezone = "Europe/Zurich") =>
  askedMoment(
    text,
    timezone,
    "claims-triage",
    begins.map((each) => ({ at: each.toISOString() })),
  );

test("a day alone is its first moment, and says so; with a time it needs no word", () => {
  expect(asked("2026-11-30")).toEqual({
    at: new Date("2026-11-29T23:00:00Z"),
    means: '2026-11-30 means its first moment in Europe/Zurich; a later one: --at "2026-11-30 14:00"',
  });
  expect(asked("2026-11-30 14:00")).toEqual({ at: new Date("2026-11-30T13:00:00Z"), means: undefined });
});

test("from the first entry on the ledger can tell, not before, and not when it has none", () => {
  expect(asked(minutes(0).toISOString()).at).toEqual(minutes(0));
  expect(() => asked(minutes(-1).toISOString())).toThrow(
    "the ledger of claims-triage begins at 2026-11-25T08:00:00.000Z: it cannot tell what served before",
  );
  expect(() => asked("2026-11-26", [])).toThrow("the ledger of claims-triage has no entry");
  // The very day of the first entry, of which the first moment is meant.
  expect(() => asked("2026-11-25")).toThrow(
    expect.objectContaining({ exit: 2, hint: expect.stringContaining("2026-11-25 means its first moment") }),
  );
});
