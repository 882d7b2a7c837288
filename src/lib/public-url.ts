import { redact } from "./redact.ts";

/** A URL as it may be shown: no user, no password, no query. */
export function publicUrl(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  return parsed === undefined ? redact(url) : `${parsed.origin}${parsed.pathname}`;
}
