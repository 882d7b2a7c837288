import type { LedgerStore } from "../ledger/store.ts";
import type { Finding } from "./finding.ts";

/** What was done to the place of the ledger that is no append: what a chain cannot say of itself, its place may. */
export async function auditPlace(store: Pick<LedgerStore, "inspect"> | undefined): Promise<Finding[]> {
  const found = (await store?.inspect?.()) ?? [];
  return found.map((each) => ({ part: "ledger", ...each }));
}
