import type { LedgerPlace } from "../ledger/store.ts";

/** Whether reading a chain asks anything of the network: a file does not, nor a git repository on this machine. Pure. */
export function placeAsksNetwork(place: LedgerPlace): boolean {
  if (place.kind === "delta") return true;
  return place.kind === "git" && !place.url.startsWith("/") && !/^file:\/\//i.test(place.url);
}
