import { join } from "node:path";
import { usageError } from "../lib/error.ts";
import type { Policy } from "../policy/policy.ts";
import type { LedgerPlace } from "./store.ts";

/**
 * Where a project's chain is kept, as its policy says; a file in the project's own folder without a policy. Throws a usage error
 * (exit 2) for a kind that this factory cannot reach. Pure.
 */
export function ledgerPlaceOf(
  policy: Pick<Policy, "ledger"> | undefined,
  projectFolder: string,
  project: string,
): LedgerPlace {
  const ledger = policy?.ledger ?? { kind: "file" };
  switch (ledger.kind) {
    case "file":
      return { kind: "file", path: join(projectFolder, ".factory", "ledger.jsonl") };
    case "git":
      return { kind: "git", url: ledger.url, branch: ledger.branch, project };
    default:
      throw usageError(
        "ledger.kind",
        `this version cannot reach a ledger of kind ${ledger.kind} yet`,
        "use kind git for several people, file on one machine",
      );
  }
}
