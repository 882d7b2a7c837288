import { usageError } from "../lib/error.ts";

/** The one zone that needs no table of zones, which takes 40 ms to load. */
export const UTC = "UTC";

/** The calendar date (`2026-11-25`) that it is at a moment in an IANA time zone. */
export function localDate(at: Date, timeZone: string): string {
  return wallClock(at.getTime(), timeZone).slice(0, 10);
}

const WITHOUT_ZONE = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(?::(\d{2}))?)?$/;
const WITH_ZONE = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2})(?::(\d{2})(\.\d{1,3})?)? ?(Z|z|[+-]\d{2}:\d{2})$/;
const DAY_MS = 86_400_000;

/**
 * The moment that a person means by `2026-11-21 14:00`, `2026-11-21` (its first moment) or `2026-11-21T14:00:00Z`. Without a
 * zone or an offset it is the wall clock of `timeZone`: an hour that the clock shows twice is the earlier one, one that it
 * skips is an error. Throws a usage error (exit 2); `flag` names what held the text. Pure.
 */
export function momentOf(text: string, timeZone: string, flag = "--at"): Date {
  const withZone = WITH_ZONE.exec(text.trim());
  if (withZone !== null) {
    const [, date = "", time = "", second = "00", fraction = "", zone = ""] = withZone;
    demandDate(date, text, flag);
    const moment = new Date(`${date}T${time}:${second}${fraction}${zone.toUpperCase()}`);
    if (!isTime(time, second) || Number.isNaN(moment.getTime()) || !isOffset(zone)) throw notAMoment(text, flag);
    return moment;
  }
  const plain = WITHOUT_ZONE.exec(text.trim());
  if (plain === null) throw notAMoment(text, flag);
  const [, date = "", time, second = "00"] = plain;
  demandDate(date, text, flag);
  if (time !== undefined && !isTime(time, second)) throw notAMoment(text, flag);
  const wanted = `${date}T${time ?? "00:00"}:${second}`;
  const found = momentsOf(wanted, timeZone)[0] ?? (time === undefined ? firstMomentOf(date, timeZone) : undefined);
  if (found === undefined)
    throw usageError(
      "time.skipped",
      `${flag} ${text}: clocks in ${timeZone} were put forward and never showed that time`,
      "give another time, or one with its offset, such as 2026-11-21T14:00:00Z",
    );
  return new Date(found);
}

/** True for a date of the calendar (`2026-02-29` is none). Pure. */
export function isDate(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  const moment = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(moment.getTime()) && moment.toISOString().slice(0, 10) === text;
}

/** The moments, earliest first, at which a wall clock in the zone shows this time: one, none or two. */
function momentsOf(wanted: string, timeZone: string): number[] {
  const asUtc = Date.parse(`${wanted}Z`);
  // Whatever the offset is, it is one that holds within a day and a bit on either side.
  const offsets = [asUtc - 1.5 * DAY_MS, asUtc + 1.5 * DAY_MS].map((near) => offsetAt(near, timeZone));
  const moments = [...new Set(offsets.map((offset) => asUtc - offset))];
  return moments.filter((moment) => wallClock(moment, timeZone) === wanted).sort((a, b) => a - b);
}

/** Where midnight itself is skipped, the day begins with the first minute that exists. */
function firstMomentOf(date: string, timeZone: string): number | undefined {
  for (let minute = 1; minute < 24 * 60; minute++) {
    const time = new Date(minute * 60_000).toISOString().slice(11, 19);
    const [found] = momentsOf(`${date}T${time}`, timeZone);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** How far the wall clock is ahead of UTC, in milliseconds. */
function offsetAt(moment: number, timeZone: string): number {
  const whole = Math.floor(moment / 1000) * 1000;
  return Date.parse(`${wallClock(whole, timeZone)}Z`) - whole;
}

/** What the wall clock shows: `2026-11-25T13:05:00`. */
function wallClock(moment: number, timeZone: string): string {
  if (timeZone === UTC) return new Date(moment).toISOString().slice(0, 19);
  const parts = new Map(
    formatter(timeZone)
      .formatToParts(moment)
      .map(({ type, value }) => [type, value]),
  );
  const get = (type: Intl.DateTimeFormatPartTypes): string => parts.get(type) ?? "";
  return `${get("year").padStart(4, "0")}-${get("month")}-${get("day")}T${get("hour")}:${get("minute")}:${get("second")}`;
}

const formatters = new Map<string, Intl.DateTimeFormat>();

function formatter(timeZone: string): Intl.DateTimeFormat {
  let made = formatters.get(timeZone);
  if (made === undefined) {
    made = new Intl.DateTimeFormat("en-US", {
      timeZone,
      calendar: "gregory",
      numberingSystem: "latn",
      hourCycle: "h23",
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
    });
    formatters.set(timeZone, made);
  }
  return made;
}

function demandDate(date: string, text: string, flag: string): void {
  if (!isDate(date)) throw usageError("time.date", `${flag} ${text}: there is no day ${date}`, EXAMPLE);
}

function isTime(time: string, second: string): boolean {
  const [hour = 99, minute = 99] = time.split(":").map(Number);
  return hour < 24 && minute < 60 && Number(second) < 60;
}

function isOffset(zone: string): boolean {
  return /^[Zz]$/.test(zone) || (Number(zone.slice(1, 3)) <= 14 && Number(zone.slice(4, 6)) < 60);
}

const EXAMPLE = 'such as "2026-11-21 14:00", 2026-11-21 or 2026-11-21T14:00:00Z';

function notAMoment(text: string, flag: string): Error {
  return usageError("time.invalid", `${flag} ${text} is not a date, or a date and a time`, EXAMPLE);
}
