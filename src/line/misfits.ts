import type { Entry } from "../ledger/entry.ts";
import type { Misfit } from "../ledger/line-state.ts";
import type { Line } from "./line.ts";

export interface Misfits {
  /** Nobody has looked into them: nothing is promoted or released beside one. */
  open: readonly Misfit[];
  /** Policy owners looked into them: the policy that counts names each by its hash, with a reason. */
  setAside: readonly (Misfit & { reason: string })[];
}

/**
 * Entries of a chain that do not fit. They end nothing, and stay for ever; that they stop nothing any more is for a quorum of policy
 * owners to say. An entry that fits counts, whatever the policy sets aside. Pure.
 */
export function misfitsOf({ state, policy }: Pick<Line, "state" | "policy">): Misfits {
  const listed = policy.known ? policy.value.inForce.policy.setAside : [];
  const reasons = new Map(listed.map(({ entry, reason }) => [entry, reason]));
  return {
    open: state.problems.filter(({ hash }) => !reasons.has(hash)),
    setAside: state.problems.flatMap((each) => {
      const reason = reasons.get(each.hash);
      return reason === undefined ? [] : [{ ...each, reason }];
    }),
  };
}

/**
 * The entries whose evidence and bundles must be there: all, but for those that are set aside, and for what they would have ended and
 * was abandoned. Pure.
 */
export function entriesThatCount(entries: readonly Entry[], { setAside }: Misfits): Entry[] {
  const gone = new Set(setAside.map(({ seq }) => seq));
  const startOf = (entry: Entry): number => ("started" in entry.body ? entry.body.started : 0);
  const abandoned = new Set(entries.filter(({ kind }) => kind === "abandoned").map(startOf));
  const begun = new Set(entries.filter(({ seq }) => gone.has(seq)).map(startOf));
  return entries.filter(({ seq }) => !gone.has(seq) && !(begun.has(seq) && abandoned.has(seq)));
}
