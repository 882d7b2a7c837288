import type { Entry } from "../ledger/entry.ts";
import { CLOCK_TOLERANCE_MS } from "../ledger/judge.ts";
import { type Known, known, unknown } from "../rules/facts.ts";

/**
 * The moment of a decision: the local clock, if the registry's server and the ledger's last entry agree with it within five
 * minutes; else which clock is wrong. Times are milliseconds since 1970. Comparisons are written so that what is no time does
 * not pass. Pure.
 */
export function momentOfDecision(
  localMs: number,
  server: { serverMs: number; localMs: number } | undefined,
  last: Pick<Entry, "at" | "seq"> | undefined,
): Known<Date> {
  const told = `this machine says ${iso(localMs)}`;
  if (server === undefined)
    return unknown(
      `${told}, and the registry's server does not say what time it is (no header Date): nothing confirms it`,
      "see what stands between: a proxy must pass that header on",
    );
  const lastMs = last === undefined ? Number.NEGATIVE_INFINITY : Date.parse(last.at);
  const isBehindLedger = (ms: number): boolean => !(ms >= lastMs - CLOCK_TOLERANCE_MS);
  const localBehind = isBehindLedger(localMs);
  const offMs = server.localMs - server.serverMs;
  if (!(Math.abs(offMs) <= CLOCK_TOLERANCE_MS)) {
    const serverNow = localMs - offMs;
    const serverBehind = isBehindLedger(serverNow);
    const which =
      localBehind && !serverBehind
        ? "the clock of this machine is wrong: the ledger is ahead of it too"
        : serverBehind && !localBehind
          ? "the clock of the registry's server is wrong: the ledger is ahead of it"
          : "one of the two clocks is wrong";
    return unknown(
      `${told}, the registry's server ${iso(serverNow)}: ${which}`,
      "set the clock (NTP), then run it again",
    );
  }
  if (localBehind)
    return unknown(
      `${told}, but entry ${last?.seq} of the ledger was signed at ${last?.at}: the clock of this machine is wrong, or that of its signer was`,
      "set the clock (NTP), then run it again",
    );
  return known(new Date(localMs));
}

/** A server can say anything. */
function iso(ms: number): string {
  const time = new Date(ms);
  return Number.isNaN(time.getTime()) ? "what is no time" : time.toISOString();
}
