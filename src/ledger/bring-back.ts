/** How a ledger that lost entries gets them again, for hints. */
export const BRING_BACK = "factory ledger restore FILE (of git or delta: its branch or table as it was)";
