import type { PlaceFinding } from "../../ledger/store.ts";
import { stripControls } from "../../lib/redact.ts";
import type { SqlRow } from "../sql/warehouse.ts";

/** What an append, the making of the table, and its upkeep are called in a table's history. */
const APPENDS = ["CREATE TABLE", "MERGE", "WRITE", "OPTIMIZE"];
/** Upkeep that a workspace does by itself; it takes away files that no version of today needs. */
const UPKEEP = ["VACUUM START", "VACUUM END"];
const MAX_FINDINGS = 20;

const FIX =
  "find out who did that, and why; a whole copy of the chain is in the cache folder of each machine that read it, and in every export";

/** Everything in a table's history that is no append: what append-only does not refuse, it cannot hide either. Pure. */
export function historyFindings(rows: readonly SqlRow[], place: string): PlaceFinding[] {
  const versions = rows
    .map(({ version, operation, userName }) => ({
      version: Number(version),
      operation: String(operation),
      user: userName,
    }))
    .sort((a, b) => a.version - b.version);
  const findings = versions
    .filter(({ version, operation }) =>
      operation === "CREATE TABLE" ? version !== 0 : ![...APPENDS, ...UPKEEP].includes(operation),
    )
    .map(({ version, operation, user }): PlaceFinding => {
      const by = typeof user === "string" && user !== "" ? ` by ${user}` : "";
      const what = stripControls(`${operation}${by}`).slice(0, 200);
      return { verdict: "no", message: `version ${version} of ${place} is no append: ${what}`, fix: FIX };
    });
  const more = findings.length - MAX_FINDINGS;
  const shown = findings.slice(0, MAX_FINDINGS);
  if (more > 0) shown.push({ verdict: "no", message: `${more} more versions of ${place} are no append`, fix: FIX });
  const first = versions[0]?.version;
  if (first !== 0)
    shown.push({
      verdict: "cannot tell",
      message: `what was done to ${place} before its version ${first ?? "of today"} is not known any more`,
      fix: "keep the table's log: delta.logRetentionDuration",
    });
  return shown;
}
