import { type FactoryError, usageError } from "../lib/error.ts";
import type { PolicyFile } from "../policy/find-policy.ts";
import type { PolicyInForce } from "../policy/in-force.ts";
import { unknownProject } from "../policy/unknown-project.ts";
import { projectsBeside } from "../project/pilots.ts";
import type { OpenProject } from "../project/read-project.ts";
import { demandWhole, type LedgerView, openLedger } from "./open-ledger.ts";
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
  /** The one before it, whose owners had to sign it; undefined: it opened the ledger, and its own did. */
  before: PolicyInForce | undefined;
}

/** Where the ledger of a project is, and which projects are known without it. */
export interface AskedLedger {
  place: LedgerPlace;
  project: string;
  names: readonly string[];
}

type File = Pick<PolicyFile, "path" | "policy">;

/**
 * Where the ledger is that says which policy is in force: of the named project, else of the one here; undefined when there is
 * none. A ledger of kind `file` lies in its project's folder. Throws a usage error (exit 2)
 * for the file of a project that is not here, which names its folder where it can be seen.
 */
export function policyLedger(
  file: File | undefined,
  here: Pick<OpenProject, "project" | "folder"> | undefined,
  named: string | undefined,
): AskedLedger | undefined {
  const project = named ?? here?.project.project;
  if (project === undefined) return undefined;
  const folder = here?.project.project === project ? here.folder : undefined;
  if (file?.policy.ledger.kind === "file" && folder === undefined) throw elsewhere(project, file, here);
  return { place: ledgerPlaceOf(file?.policy, folder, project), project, names: namesIn(file, here) };
}

/** The projects that are known without asking a ledger. */
export function namesIn(file: File | undefined, here: Pick<OpenProject, "project"> | undefined): string[] {
  return [...Object.keys(file?.policy.projects ?? {}), ...(here === undefined ? [] : [here.project.project])];
}

/** A name that neither the policy nor the ledger of that name knows is a slip, and no pilot: exit 2. */
export function demandKnown(
  { project, names }: Omit<AskedLedger, "place">,
  view: Pick<LedgerView, "entries" | "problems">,
): void {
  if (view.entries.length + view.problems.length === 0 && !names.includes(project))
    throw unknownProject(project, names);
}

function elsewhere(
  project: string,
  file: File,
  here: Pick<OpenProject, "project" | "folder"> | undefined,
): FactoryError {
  const beside = projectsBeside(file.path);
  const seen = beside.find((each) => each.project === project);
  const names = [...namesIn(file, here), ...beside.map((each) => each.project)];
  if (!names.includes(project)) return unknownProject(project, names);
  return usageError(
    "policy.project",
    `the ledger of ${project} is a file in that project's folder`,
    seen === undefined ? "run this in that folder, without --project" : `run this in ${seen.folder}, without --project`,
  );
}

/** What tells whose ledger is meant, where no project is here: what works with the ledger that the policy names. */
export function sayWhose(file: File | undefined): string {
  if (file === undefined || file.policy.ledger.kind !== "file")
    return `go into a project's folder, or name one: --project ${Object.keys(file?.policy.projects ?? {})[0] ?? "NAME"}`;
  const folders = projectsBeside(file.path).map(({ folder }) => folder);
  return `go into a project's folder${folders.length === 0 ? "" : `, such as ${folders.slice(0, 3).join(", ")}`}: the ledger is a file in there`;
}

/** Reads and verifies that ledger. Throws when it cannot be reached, or when its chain does not hold. */
export async function askPolicy(
  asked: AskedLedger,
  open: (place: LedgerPlace) => Promise<LedgerStore>,
): Promise<AskedPolicy> {
  const ledger = openLedger(await open(asked.place), asked.project);
  const { entries, policy, policyAt } = demandWhole(await ledger.view(), ledger.place);
  demandKnown(asked, { entries, problems: [] });
  const brought = entries.findLast(({ kind }) => kind === "opened" || kind === "policy.adopted");
  const since = brought && { seq: brought.seq, at: brought.at, by: brought.by };
  const before = brought && policyAt(brought.seq - 1);
  return { place: ledger.place, project: asked.project, inForce: policy, since, before };
}
