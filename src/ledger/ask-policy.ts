import type { PolicyInForce } from "../policy/in-force.ts";
import type { Policy } from "../policy/policy.ts";
import type { OpenProject } from "../project/read-project.ts";
import { demandWhole, openLedger } from "./open-ledger.ts";
import { ledgerPlaceOf } from "./place.ts";
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
 * none. A ledger of kind `file` lies in its project's folder. Throws a usage error (exit 2)
 * for the file of a project that is not here. Pure.
 */
export function policyLedger(
  ledger: Policy["ledger"],
  here: Pick<OpenProject, "project" | "folder"> | undefined,
  named: string | undefined,
): { place: LedgerPlace; project: string } | undefined {
  const project = named ?? here?.project.project;
  if (project === undefined) return undefined;
  const folder = here?.project.project === project ? here.folder : undefined;
  return { place: ledgerPlaceOf({ ledger }, folder, project), project };
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
