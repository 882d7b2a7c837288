import { join } from "node:path";
import { usageError } from "../lib/error.ts";
import type { PolicyInForce } from "../policy/in-force.ts";
import type { Policy } from "../policy/policy.ts";
import type { OpenProject } from "../project/read-project.ts";
import { demandWhole, openLedger } from "./open-ledger.ts";
import type { LedgerPlace, LedgerStore } from "./store.ts";

/** What a project's ledger says about the policy. */
export interface AskedPolicy {
  /** Of the ledger, for messages. */
  place: string;
  /** The project whose ledger it is. */
  project: string;
  /** Undefined: the ledger was not opened yet, so that no policy is in force. */
  inForce: PolicyInForce | undefined;
  /** The entry that brought it. */
  since: { seq: number; at: string; by: string } | undefined;
}

/**
 * Where the ledger is that says which policy is in force: of the named project, else of the one here; undefined when there is
 * none. A ledger of kind `file` lies in its project's folder. Throws a usage error (exit 2) for a kind that cannot be asked. Pure.
 */
export function policyLedger(
  ledger: Policy["ledger"],
  here: Pick<OpenProject, "project" | "folder"> | undefined,
  named: string | undefined,
): { place: LedgerPlace; project: string } | undefined {
  const project = named ?? here?.project.project;
  if (project === undefined) return undefined;
  switch (ledger.kind) {
    case "file":
      if (here === undefined || project !== here.project.project)
        throw usageError(
          "policy.project",
          `the ledger of ${project} is a file in that project's folder`,
          "go there, and leave --project out",
        );
      return { place: { kind: "file", path: join(here.folder, ".factory", "ledger.jsonl") }, project };
    case "git":
      if (!/^[a-z][a-z0-9_-]{0,62}$/.test(project))
        throw usageError(
          "policy.project",
          `${JSON.stringify(project)} is no name of a project`,
          "such as claims-triage",
        );
      return { place: { kind: "git", url: ledger.url, branch: ledger.branch, project }, project };
    default:
      throw usageError(
        "ledger.kind",
        `this version cannot reach a ledger of kind ${ledger.kind} yet`,
        "use kind git or file",
      );
  }
}

/** Reads and verifies that ledger. Throws when it cannot be reached, or when its chain does not hold. */
export async function askPolicy(
  asked: { place: LedgerPlace; project: string },
  open: (place: LedgerPlace) => Promise<LedgerStore>,
): Promise<AskedPolicy> {
  const ledger = openLedger(await open(asked.place), asked.project);
  const { entries, policy } = demandWhole(await ledger.view(), ledger.place);
  const brought = entries.findLast(({ kind }) => kind === "opened" || kind === "policy.adopted");
  const since = brought && { seq: brought.seq, at: brought.at, by: brought.by };
  return { place: ledger.place, project: asked.project, inForce: policy, since };
}
