import type { Entry } from "../ledger/entry.ts";
import { type EntryOf, isKind, type LineState, lineState, type Serving } from "../ledger/line-state.ts";
import type { LedgerView } from "../ledger/view.ts";
import { registeredName } from "../registry/registry.ts";
import { approvalsBehind } from "./approvals.ts";

type View = Pick<LedgerView, "entries" | "policyAt">;
type Deployed = ReturnType<LineState["environment"]>["deployed"][number];

/** How a version came to serve. */
export interface Release {
  /** Of its `released` entry. */
  seq: number;
  at: string;
  by: string;
  version: string;
  digest: string;
  /** Number in the first environment; undefined when the ledger knows none. */
  number: string | undefined;
  ticket: string | undefined;
  approvals: { approver: string; role: string; ticket: string | undefined; seq: number }[];
  /** Evidence digest, and digests of the bundles of promotion and release. */
  evidence: string;
  bundles: string[];
}

/** One change of what serves in an environment, or of its jobs. */
export type Change = { seq: number; at: string; environment: string; name: string; by: string } & (
  | { kind: "released"; release: Release; undoneBy: { seq: number; at: string } | undefined }
  | {
      kind: "rolledback";
      from: { version: string; digest: string } | undefined;
      to: { version: string; digest: string } | undefined;
      reason: string;
      incident: string | undefined;
      /** `seq` of the release that it undoes. */
      undoes: number | undefined;
      detectedAt: string | undefined;
      /** Undefined: when it was detected was not stated. */
      detectedToRestoredMs: number | undefined;
    }
  | { kind: "deployed"; deployment: Deployment }
);

/** Wheel and bundle files that went into a workspace. */
export interface Deployment {
  version: string;
  digest: string;
  /** Number in the first environment; undefined when the ledger knows none. */
  number: string | undefined;
  workspace: string;
  tool: string;
  /** Digest of the manifest of all that was deployed. */
  files: string;
  ticket: string | undefined;
  approvals: Release["approvals"];
}

/** Every change of a champion and every deployment, newest first by its place in the chain; of one environment, or of all. Pure. */
export function changesOf(view: View, environment?: string): Change[] {
  const state = lineState(view.entries);
  const names = environment === undefined ? state.environments : [environment];
  const changes = names.flatMap((name): Change[] => {
    const { served, deployed } = state.environment(name);
    return [
      ...served.map(({ entry }) => changeOf(entry, view, state)),
      ...deployed.map((each) => deploymentOf(each, view, state)),
    ];
  });
  return changes.sort((a, b) => b.seq - a.seq);
}

function changeOf(entry: EntryOf<"released" | "rolledback">, view: View, state: LineState): Change {
  const { seq, by } = entry;
  const at = effectiveAt(entry);
  const { environment, model } = entry.body;
  const base = { seq, at, by, environment, name: fullName(view, entry, environment, model) };
  if (isKind(entry, "released")) {
    const undone = state
      .environment(environment)
      .served.find((each) => each.entry.kind === "rolledback" && each.entry.body.undoes === seq)?.entry;
    return {
      ...base,
      kind: "released",
      release: releaseOf(entry, view, state),
      undoneBy: undone && { seq: undone.seq, at: effectiveAt(undone) },
    };
  }
  const { to, reason, incident, undoes, detectedAt, started } = entry.body;
  const begun = view.entries.find((each) => each.seq === started);
  const from = begun?.kind === "rollback.started" ? begun.body.from : undefined;
  return {
    ...base,
    kind: "rolledback",
    from: from && { version: from.version, digest: from.digest },
    to: to === "none" ? undefined : { version: to.version, digest: to.digest },
    reason,
    incident,
    undoes,
    detectedAt,
    detectedToRestoredMs: detectedAt === undefined ? undefined : Date.parse(at) - Date.parse(detectedAt),
  };
}

function deploymentOf({ entry, started }: Deployed, view: View, state: LineState): Change {
  const { seq, at, by } = entry;
  const { environment, model, version, digest, files, tool } = entry.body;
  const { workspace, ticket, approvals } = started.body;
  return {
    seq,
    at,
    by,
    environment,
    name: fullName(view, entry, environment, model),
    kind: "deployed",
    deployment: {
      version,
      digest,
      number: firstNumberOf(state, digest),
      workspace,
      tool,
      files,
      ticket,
      approvals: approvalsOf(view, approvals),
    },
  };
}

function approvalsOf({ entries }: View, hashes: readonly string[]): Release["approvals"] {
  return approvalsBehind(entries, hashes).map(({ approver, role, ticket, seq }) => ({ approver, role, ticket, seq }));
}

/** How the version of a `released` entry came to serve. Pure. */
function releaseOf(entry: EntryOf<"released">, view: View, state: LineState): Release {
  const { version, digest, environment, bundle } = entry.body;
  const here = state.environment(environment);
  const begun = here.released.find((each) => each.entry.seq === entry.seq)?.started.body;
  const promoted = here.promoted.findLast((each) => each.entry.seq < entry.seq && each.entry.body.digest === digest);
  return {
    seq: entry.seq,
    at: entry.at,
    by: entry.by,
    version,
    digest,
    number: firstNumberOf(state, digest),
    ticket: begun?.ticket,
    approvals: approvalsOf(view, begun?.approvals ?? []),
    evidence: begun?.evidence ?? "",
    bundles: [...(promoted === undefined ? [] : [promoted.entry.body.bundle]), bundle],
  };
}

/** The number in the first environment of the bytes with this digest. Pure. */
export function firstNumberOf(state: LineState, digest: string): string | undefined {
  return state.registered.findLast((each) => each.body.digest === digest)?.body.version;
}

export interface ServedThen {
  environment: string;
  name: string;
  /** Undefined: nothing served. */
  champion: { version: string; digest: string; createdAt: number; since: { seq: number; at: string } } | undefined;
  release: Release | undefined;
  /** Clocks of the signers differed around that moment: by the other reading, this version served (`none`: nothing did). */
  or: string | undefined;
}

/**
 * Who served in each environment at a moment. The order of the chain decides, not its times: a change counts when its own time
 * and those of all changes before it had come. Clocks may differ by five minutes, so that times can run back; where another
 * reading of them gives another answer, it is named. Pure.
 */
export function servedAt(view: View, environments: readonly string[], at: Date): ServedThen[] {
  const state = lineState(view.entries);
  return environments.map((environment) => {
    const changes = state.environment(environment).served.map(({ entry }) => entry);
    const later = changes.findIndex((each) => momentOfChange(each) > at.getTime());
    const sure = changes.slice(0, later < 0 ? changes.length : later).at(-1);
    const perhaps = changes.findLast((each) => momentOfChange(each) <= at.getTime());
    const then = stateAfter(view, sure);
    const champion = then.environment(environment).champion;
    const other = stateAfter(view, perhaps).environment(environment).champion;
    return {
      environment,
      name: fullName(view, sure ?? view.entries[0], environment, state.model ?? ""),
      champion: champion && servingThen(champion),
      release: champion && releaseOf(champion.released, view, then),
      or:
        other?.version === champion?.version && other?.digest === champion?.digest
          ? undefined
          : (other?.version ?? "none"),
    };
  });
}

function stateAfter({ entries }: View, change: Entry | undefined): LineState {
  return lineState(entries.slice(0, change?.seq ?? 0));
}

/** When the alias was moved, milliseconds since 1970. A rollback without a reachable ledger was made before its entry. */
function momentOfChange(entry: EntryOf<"released" | "rolledback">): number {
  return Date.parse(effectiveAt(entry));
}

function effectiveAt(entry: EntryOf<"released" | "rolledback">): string {
  return isKind(entry, "rolledback") ? (entry.body.effectiveAt ?? entry.at) : entry.at;
}

function servingThen({ version, digest, createdAt, since }: Serving) {
  return { version, digest, createdAt, since: { seq: since.seq, at: since.at } };
}

/** The name under which an environment registered the model, by the policy of that time. */
function fullName(view: View, entry: Entry | undefined, environment: string, model: string): string {
  const policy = entry && view.policyAt(entry.seq)?.policy;
  const catalog = policy?.environments.find((each) => each.name === environment)?.catalog;
  return catalog === undefined ? `${environment}: ${model}` : registeredName(catalog, model);
}
