/** A moment to the minute, in UTC: `2026-11-20 16:02`. */
export function minute(iso: string): string {
  return iso.replace("T", " ").slice(0, 16);
}

/** A moment to the second, in UTC: `2026-11-20 16:02:09`. */
export function second(iso: string): string {
  return iso.replace("T", " ").slice(0, 19);
}

/** How long ago or how long still, in the largest unit that says enough: `40 s`, `12 min`, `5 h`, `3 days`. */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 90) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  const hours = Math.round(minutes / 60);
  if (hours < 36) return `${hours} h`;
  return `${Math.round(hours / 24)} days`;
}
