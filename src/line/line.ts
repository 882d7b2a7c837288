import type { Fact } from "../ledger/entry.ts";
import { type LineState, lineState } from "../ledger/line-state.ts";
import type { Ledger, LedgerView } from "../ledger/open-ledger.ts";
import type { PolicyFile } from "../policy/find-policy.ts";
import { type PolicyInForce, policyAfter, policyFileState } from "../policy/in-force.ts";
import { listingIn } from "../policy/listing.ts";
import { unknownEnvironment } from "../policy/unknown-environment.ts";
import { type Known, known, unknown } from "../rules/facts.ts";

/** One project on its way: its chain as read now, and the policy that counts. */
export interface Line {
  project: string;
  model: string;
  ledger: Ledger;
  view: LedgerView;
  state: LineState;
  policy: Known<LinePolicy>;
  /** The entry that the next writing command writes first: the chain is opened, or a later policy adopted. */
  first: Fact | undefined;
}

export interface LinePolicy {
  /** In force, or about to be with the next entry. Where none is, the file as it is, with the problem. */
  inForce: PolicyInForce;
  problem: string | undefined;
  fix: string | undefined;
}

/** Reads the chain and decides which policy counts. Writes nothing. Throws exit 4 when the ledger cannot be reached. */
export async function openLine(
  project: string,
  model: string,
  ledger: Ledger,
  file: PolicyFile | undefined,
  at: Date,
): Promise<Line> {
  const view = await ledger.view();
  return {
    project,
    model,
    ledger,
    view,
    state: lineState(view.entries),
    ...countingPolicy(project, model, view, file, at),
  };
}

/** Listing it is what makes a project more than a pilot. */
export const LIST_IT =
  "to take it further, a policy owner lists it under projects in policy.yaml, in a higher version, and signs that (factory policy sign); then factory register";

/**
 * Whether it is a pilot that never was more: the policy that counts does not list it, and its ledger was never opened. Its versions
 * are registered beside the ledger, and no command writes an entry. Pure.
 */
export function isPilot({ project, view, policy }: Pick<Line, "project" | "view" | "policy">): boolean {
  return (
    policy.known &&
    view.entries.length === 0 &&
    view.problems.length === 0 &&
    listingIn(policy.value.inForce.policy, project) === undefined
  );
}

/** Which policy a decision rests on, and what has to be written for it. Pure. */
export function countingPolicy(
  project: string,
  model: string,
  view: Pick<LedgerView, "policy">,
  file: PolicyFile | undefined,
  at: Date,
): Pick<Line, "policy" | "first"> {
  const current = view.policy;
  if (file === undefined) {
    return current === undefined
      ? {
          policy: unknown("there is no policy", "factory init, then have it signed: factory policy sign"),
          first: undefined,
        }
      : { policy: known({ inForce: current, problem: undefined, fix: undefined }), first: undefined };
  }
  const state = policyFileState(current, file, at);
  if (state === "same" && current !== undefined)
    return { policy: known({ inForce: current, problem: undefined, fix: undefined }), first: undefined };
  if (state !== "same" && "adopt" in state) {
    const after = policyAfter(current, state.adopt, at);
    if ("problem" in after) return { policy: unknown(after.problem), first: undefined };
    const first: Fact =
      current === undefined
        ? { kind: "opened", body: { project, model, policy: state.adopt } }
        : { kind: "policy.adopted", body: { policy: state.adopt } };
    return { policy: known({ inForce: after.inForce, problem: undefined, fix: undefined }), first };
  }
  const asWritten: PolicyInForce = {
    policy: file.policy,
    digest: file.digest,
    version: file.policy.version,
    text: file.text,
  };
  const said = state === "same" ? { problem: "no policy is in force", maySign: [], difference: [] } : state;
  const difference = said.difference.length === 0 ? "" : ` (${said.difference.slice(0, 5).join("; ")})`;
  const sign = `factory policy sign, by ${said.maySign.join(" or ")}`;
  const raise = current !== undefined && file.policy.version <= current.version;
  const who = said.maySign.length === 0 ? "" : raise ? `raise version to ${current.version + 1}, then ${sign}` : sign;
  const behind = current !== undefined && file.policy.version < current.version ? "bring that file up to date; " : "";
  return {
    policy: known({
      inForce: current ?? asWritten,
      problem: `${file.path}: ${said.problem}${difference}`,
      fix: who || `${behind}factory policy diff --project ${project} shows the difference`,
    }),
    first: undefined,
  };
}

/** Throws exit 2 for an environment that neither the policy nor the ledger knows. Pure. */
export function demandEnvironment({ policy, state }: Pick<Line, "policy" | "state">, name: string): void {
  const asked = policy.known ? policy.value.inForce.policy.environments.map((each) => each.name) : [];
  const names = [...new Set([...asked, ...state.environments])];
  if (!names.includes(name)) throw unknownEnvironment(name, names);
}
