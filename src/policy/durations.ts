/** What policy takes for a lifetime: ISO 8601 in weeks, or in days, hours and minutes. Months and years have no fixed length. */
export const DURATION = /^P(?:(\d{1,4})W|(?=.)(?:(\d{1,4})D)?(?:T(?=\d)(?:(\d{1,5})H)?(?:(\d{1,6})M)?)?)$/;

const MINUTE_MS = 60_000;

/** A duration that policy was parsed with (`P7D`, `PT90M`), in milliseconds. Throws RangeError for any other text. Pure. */
export function durationMs(text: string): number {
  const match = DURATION.exec(text);
  if (match === null) throw new RangeError(`${text} is not a duration`);
  const [weeks, days, hours, minutes] = match.slice(1).map((digits) => Number(digits ?? 0));
  return ((((weeks ?? 0) * 7 + (days ?? 0)) * 24 + (hours ?? 0)) * 60 + (minutes ?? 0)) * MINUTE_MS;
}
