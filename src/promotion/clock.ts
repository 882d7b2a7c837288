import type { Entry } from "../ledger/entry.ts";
import { type Known, known, unknown } from "./facts.ts";

/** How far two clocks may be apart. */
const TOLERANCE_MS = 5 * 60_000;

/**
 * The moment of a decision: the local clock, if the registry's server and the ledger's last entry agree with it within five
 * minutes; else which clock is wrong. Times are milliseconds since 1970. Pure.
 */
export function momentOfDecision(
  localMs: number,
  server: { serverMs: number; localMs: number } | undefined,
  last: Pick<Entry, "at" | "seq"> | undefined,
): Known<Date> {
  const lastMs = last === undefined ? Number.NEGATIVE_INFINITY : new Date(last.at).getTime();
  const behindLedger = localMs < lastMs - TOLERANCE_MS;
  const offMs = server === undefined ? 0 : server.localMs - server.serverMs;
  const differs = Math.abs(offMs) > TOLERANCE_MS;
  const told = `this machine says ${iso(localMs)}`;
  if (differs && server !== undefined) {
    const serverNow = localMs - offMs;
    const serverBehind = serverNow < lastMs - TOLERANCE_MS;
    const which =
      behindLedger && !serverBehind
        ? "the clock of this machine is wrong: the ledger is ahead of it too"
        : serverBehind && !behindLedger
          ? "the clock of the registry's server is wrong: the ledger is ahead of it"
          : "one of the two clocks is wrong";
    return unknown(
      `${told}, the registry's server ${iso(serverNow)}: ${which}`,
      "set the clock (NTP), then run it again",
    );
  }
  if (behindLedger && last !== undefined)
    return unknown(
      `${told}, but entry ${last.seq} of the ledger was signed at ${last.at}: the clock of this machine is wrong, or that of its signer was`,
      "set the clock (NTP), then run it again",
    );
  return known(new Date(localMs));
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
