import { parsePolicy } from "../policy/parse-policy.ts";
import type { Policy } from "../policy/policy.ts";
import { approvalProblem } from "./approved.ts";
import type { Entry, EntryBody, EntryKind, PlacedVersion, RollbackTarget } from "./entry.ts";
import {
  deployedProblem,
  deploymentProblem,
  modelProblem,
  placeProblem,
  registrationProblem,
  releaseProblem,
  rollbackProblem,
} from "./fits.ts";

/** An entry of one kind. */
export type EntryOf<K extends EntryKind> = Extract<Entry, { kind: K }>;

export type Started = EntryOf<"promotion.started" | "release.started" | "rollback.started">;

export interface Serving extends PlacedVersion {
  /** Where a rollback of it would go, as fixed when it was released. */
  rollback: RollbackTarget;
  /** The entry since which it serves. */
  since: Entry;
  /** Its `released` entry. */
  released: EntryOf<"released">;
}

/** What the ledger says of one environment. */
export interface EnvironmentState {
  /** Started and neither done nor abandoned: each is a lock on the environment. */
  open: readonly Started[];
  /** Started and given up: what they wrote so far is still there. */
  abandoned: readonly Started[];
  /** Promotions that were done, with what they started from. */
  promoted: readonly { entry: EntryOf<"promoted">; started: EntryOf<"promotion.started"> }[];
  released: readonly { entry: EntryOf<"released">; started: EntryOf<"release.started"> }[];
  rolledback: readonly { entry: EntryOf<"rolledback">; started: EntryOf<"rollback.started"> }[];
  /** Deployments that were begun and not done; a later one takes their place. */
  deploying: readonly EntryOf<"deploy.started">[];
  deployed: readonly { entry: EntryOf<"deployed">; started: EntryOf<"deploy.started"> }[];
  champion: Serving | undefined;
  challenger: PlacedVersion | undefined;
  /** Every change of the champion, in order; `none` where a first release was withdrawn. */
  served: readonly { entry: EntryOf<"released" | "rolledback">; champion: PlacedVersion | undefined }[];
}

/** What a whole chain says about a project: a fold over its entries. */
export interface LineState {
  project: string | undefined;
  model: string | undefined;
  registered: readonly EntryOf<"registered">[];
  /** With the entry that withdrew it, if any. */
  approvals: readonly { entry: EntryOf<"approved">; withdrawn: EntryOf<"approval.withdrawn"> | undefined }[];
  environment(name: string): EnvironmentState;
  /** Names of all environments that the chain speaks of. */
  environments: readonly string[];
  /** Entries that do not fit what came before them: a writer that did not keep the order. */
  problems: readonly Misfit[];
}

/** An entry that does not fit, and a sentence about it that begins behind its number. */
export interface Misfit {
  seq: number;
  hash: string;
  message: string;
}

interface MutableEnvironment {
  open: Started[];
  abandoned: Started[];
  promoted: { entry: EntryOf<"promoted">; started: EntryOf<"promotion.started"> }[];
  released: { entry: EntryOf<"released">; started: EntryOf<"release.started"> }[];
  rolledback: { entry: EntryOf<"rolledback">; started: EntryOf<"rollback.started"> }[];
  deploying: EntryOf<"deploy.started">[];
  deployed: { entry: EntryOf<"deployed">; started: EntryOf<"deploy.started"> }[];
  champion: Serving | undefined;
  challenger: PlacedVersion | undefined;
  served: { entry: EntryOf<"released" | "rolledback">; champion: PlacedVersion | undefined }[];
}

const nothingYet = (): MutableEnvironment => ({
  open: [],
  abandoned: [],
  promoted: [],
  released: [],
  rolledback: [],
  deploying: [],
  deployed: [],
  champion: undefined,
  challenger: undefined,
  served: [],
});

/** Reads a verified chain from its first entry to its last. Pure. */
export function lineState(entries: readonly Entry[]): LineState {
  const environments = new Map<string, MutableEnvironment>();
  const registered: EntryOf<"registered">[] = [];
  const approvals: { entry: EntryOf<"approved">; withdrawn: EntryOf<"approval.withdrawn"> | undefined }[] = [];
  const problems: Misfit[] = [];
  const policies: { seq: number; policy: Policy }[] = [];
  let opened: EntryBody<"opened"> | undefined;
  const at = (name: string): MutableEnvironment => {
    const known = environments.get(name) ?? nothingYet();
    environments.set(name, known);
    return known;
  };
  /** True when there is something to note. */
  const note = (entry: Entry, message: string | undefined): boolean => {
    if (message !== undefined) problems.push({ seq: entry.seq, hash: entry.hash, message });
    return message !== undefined;
  };
  const unapproved = (here: EnvironmentState, started: EntryOf<"release.started">): string | undefined => {
    const before = policies.findLast(({ seq }) => seq < started.seq);
    return before && opened && approvalProblem(started, { approvals }, here, before.policy, opened.project);
  };
  for (const entry of entries) {
    if (note(entry, modelProblem(entry, opened?.model))) continue;
    switch (entry.kind) {
      case "opened":
        opened = entry.body;
        policies.push({ seq: entry.seq, policy: parsePolicy(entry.body.policy.text, "policy.yaml") });
        break;
      case "policy.adopted":
        policies.push({ seq: entry.seq, policy: parsePolicy(entry.body.policy.text, "policy.yaml") });
        break;
      case "registered": {
        if (note(entry, placeProblem(entry, policies.at(-1)?.policy))) break;
        // Of a registry that was made anew the newest counts, once owners have set the entry aside.
        note(entry, registrationProblem(registered, entry.body));
        registered.push(entry);
        challenge(at(entry.body.environment), entry.body);
        break;
      }
      case "approved":
        approvals.push({ entry, withdrawn: undefined });
        break;
      case "approval.withdrawn": {
        const found = approvals.find((each) => each.entry.hash === entry.body.approval);
        if (found === undefined) note(entry, "withdraws an approval that is not there");
        else found.withdrawn ??= entry;
        break;
      }
      case "promotion.started":
      case "release.started":
      case "rollback.started":
        at(entry.body.environment).open.push(entry);
        break;
      case "promoted": {
        const here = at(entry.body.environment);
        const started = begunBy(here, entry.body.started, "promotion.started", entry.body.digest);
        if (started === undefined) note(entry, unstarted(entry));
        else {
          close(here, started);
          here.promoted.push({ entry, started });
          challenge(here, entry.body);
        }
        break;
      }
      case "released": {
        const here = at(entry.body.environment);
        const started = begunBy(here, entry.body.started, "release.started", entry.body.digest);
        if (started === undefined) note(entry, unstarted(entry));
        // What does not fit ends nothing: else it would say what serves, and where a rollback goes.
        else if (!note(entry, releaseProblem(here, entry.body, started.body) ?? unapproved(here, started))) {
          close(here, started);
          here.released.push({ entry, started });
          const { version, digest, createdAt, rollback } = entry.body;
          here.champion = { version, digest, createdAt, rollback, since: entry, released: entry };
          if (here.challenger?.version === version) here.challenger = undefined;
          here.served.push({ entry, champion: { version, digest, createdAt } });
        }
        break;
      }
      case "rolledback": {
        const here = at(entry.body.environment);
        const started = begunBy(here, entry.body.started, "rollback.started", entry.body.digest);
        const { to } = entry.body;
        if (started === undefined) note(entry, unstarted(entry));
        else if (!note(entry, rollbackProblem(here, { ...started.body, to }))) {
          close(here, started);
          here.rolledback.push({ entry, started });
          here.champion = servingAgain(here, entry);
          here.served.push({ entry, champion: to === "none" ? undefined : to });
        }
        break;
      }
      case "deploy.started": {
        const here = at(entry.body.environment);
        if (!note(entry, deploymentProblem(here, registered, entry.body))) here.deploying.push(entry);
        break;
      }
      case "deployed": {
        const here = at(entry.body.environment);
        const started = here.deploying.find((each) => each.seq === entry.body.started);
        if (started === undefined) note(entry, unstarted(entry));
        else if (!note(entry, deployedProblem(started.body, entry.body))) {
          here.deployed.push({ entry, started });
          // One that was cut off before this one began is over: what it changed was changed again.
          here.deploying = here.deploying.filter((each) => each.seq > started.seq);
        }
        break;
      }
      case "abandoned": {
        const here = at(entry.body.environment);
        const index = here.open.findIndex((each) => each.seq === entry.body.started);
        if (index < 0) note(entry, unstarted(entry));
        else here.abandoned.push(...here.open.splice(index, 1));
        break;
      }
      default:
        entry satisfies never;
    }
  }
  return {
    project: opened?.project,
    model: opened?.model,
    registered,
    approvals,
    environment: (name) => environments.get(name) ?? nothingYet(),
    environments: [...environments.keys()],
    problems,
  };
}

/** The open start that an entry ends; undefined when none fits. */
function begunBy<K extends Started["kind"]>(
  here: MutableEnvironment,
  seq: number,
  kind: K,
  digest: string,
): EntryOf<K> | undefined {
  const found = here.open.find((each) => each.seq === seq && each.body.digest === digest);
  return found !== undefined && isKind(found, kind) ? found : undefined;
}

function close(here: MutableEnvironment, started: Started): void {
  here.open = here.open.filter((each) => each !== started);
}

export function isKind<K extends EntryKind>(entry: Entry, kind: K): entry is EntryOf<K> {
  return entry.kind === kind;
}

/** The newest version becomes challenger, unless it serves already. */
function challenge(here: MutableEnvironment, { version, digest, createdAt }: PlacedVersion): void {
  if (here.champion?.version !== version) here.challenger = { version, digest, createdAt };
}

/** After a rollback the version serves that was released earlier, with the rollback target that it had then. */
function servingAgain(here: MutableEnvironment, entry: EntryOf<"rolledback">): Serving | undefined {
  const { to } = entry.body;
  if (to === "none") return undefined;
  const before = here.released.findLast(
    (each) => each.entry.body.version === to.version && each.entry.body.digest === to.digest,
  );
  return before && { ...to, rollback: before.entry.body.rollback, since: entry, released: before.entry };
}

function unstarted({ kind }: Entry): string {
  return `${kind} ends what was never started, or is ended already`;
}
