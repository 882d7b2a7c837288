import type { EntryOf } from "../ledger/line-state.ts";
import type { LedgerView } from "../ledger/view.ts";
import { envelopeDigest } from "./signed-statement.ts";
import type { BundleContext, PolicyThen } from "./verify-bundle.ts";

/**
 * What the ledger says about the bundle that one of its entries names: which decision it must be, under which policy it was
 * made, and under which policy each approval was given. For `verifyBundle`. Pure.
 */
export function bundleContext(
  view: Pick<LedgerView, "entries" | "policyAt">,
  entry: EntryOf<"promoted" | "released" | "rolledback">,
): BundleContext {
  const policyAt = (seq: number, at: string): PolicyThen | undefined => {
    const policy = view.policyAt(seq)?.policy;
    return policy === undefined ? undefined : { policy, at: new Date(at) };
  };
  const opened = view.entries[0];
  const started = view.entries.find((each) => each.seq === entry.body.started);
  const decided = started === undefined ? undefined : policyAt(started.seq, started.at);
  const catalog = decided?.policy.environments.find((each) => each.name === entry.body.environment)?.catalog;
  const approvals = new Map(
    view.entries.flatMap((each) =>
      each.kind === "approved" && each.seq < entry.seq ? [[envelopeDigest(each.body.envelope), each] as const] : [],
    ),
  );
  return {
    ...(decided !== undefined && { decided }),
    approved(approval) {
      const found = approvals.get(envelopeDigest(approval));
      return found === undefined ? undefined : policyAt(found.seq, found.at);
    },
    about: {
      action: ACTIONS[entry.kind],
      environment: entry.body.environment,
      digest: subjectOf(entry),
      ...(opened?.kind === "opened" && { project: opened.body.project }),
      ...(catalog !== undefined && { model: `${catalog}.${entry.body.model}` }),
      ...((started?.kind === "promotion.started" || started?.kind === "release.started") && {
        evidence: started.body.evidence,
      }),
    },
  };
}

/** A rollback decides about the bytes that serve again; when nothing serves after it, about those that were taken away. */
function subjectOf(entry: EntryOf<"promoted" | "released" | "rolledback">): string {
  return entry.kind === "rolledback" && entry.body.to !== "none" ? entry.body.to.digest : entry.body.digest;
}

const ACTIONS = { promoted: "promote", released: "release", rolledback: "rollback" } as const;
