import { usageError } from "../lib/error.ts";
import type { Report } from "../lib/progress.ts";
import { holdsSecret } from "../lib/redact.ts";

/** Why a rollback is made, as it is kept for ever. */
export interface RollbackWords {
  reason: string;
  incident: string | undefined;
  /** ISO 8601, UTC; undefined: not stated. */
  detectedAt: string | undefined;
}

/** Why and for whom a rollback is made, as the user states it. */
export interface RollbackRequest extends RollbackWords {
  environment: string;
  /** Go back past an earlier rollback: said on purpose, since two people on call may both run the command. */
  further: boolean;
}

/**
 * Throws exit 2 for words that the ledger would refuse. With the ledger its entry comes before the alias; without it the alias would be moved,
 * and what was done could never be recorded.
 */
export function demandNoSecret({ reason, incident }: RollbackWords): void {
  if (!holdsSecret(JSON.stringify({ reason, incident }))) return;
  throw usageError(
    "ledger.secret",
    "nothing was done: reason or incident hold what looks like a secret",
    "take it out of the text that you gave, and revoke it: entries stay for ever, and everybody reads them",
  );
}

/** The words that an entry or a record holds. Pure. */
export function wordsOf(of: { reason: string; incident?: string | undefined; detectedAt?: string | undefined }) {
  return { reason: of.reason, incident: of.incident, detectedAt: of.detectedAt };
}

/** Whether two rollbacks are told in the same words. Pure. */
export function sameWords(a: Partial<RollbackWords>, b: Partial<RollbackWords>): boolean {
  return a.reason === b.reason && a.incident === b.incident && a.detectedAt === b.detectedAt;
}

/** What was begun or done keeps its words: those of this command are recorded nowhere, and whoever gave them hears of it. */
export function sayOthersWords(report: Report, holder: string): void {
  const text = `${holder} keeps the words that it has: the reason, incident or time given now is not recorded`;
  report({ type: "note", tone: "warning", text });
}
