import type { Entry, PlacedVersion, RollbackTarget } from "../ledger/entry.ts";
import type { EntryOf, LineState, Started } from "../ledger/line-state.ts";
import { anchorProblem } from "../line/anchor.ts";
import { isPilot, type Line } from "../line/line.ts";
import {
  leftovers,
  type RegistryPicture,
  recordedVersions,
  registryDifferences,
} from "../line/registry-differences.ts";
import { listingIn } from "../policy/listing.ts";
import type { Policy } from "../policy/policy.ts";
import { slotProblem, slotsOf } from "../policy/slots.ts";
import { standingApprovals } from "./approvals.ts";
import { foreignApprovals } from "./audit-deployments.ts";
import { anchorOf } from "./audit-registry.ts";
import type { Finding } from "./finding.ts";
import { firstNumberOf } from "./history.ts";
import type { Look } from "./look.ts";

interface Standing {
  version: string;
  digest: string;
  /** Number in the first environment. */
  number: string | undefined;
}

export interface EnvironmentStatus {
  environment: string;
  champion: (Standing & { since: string; by: string; rollback: "none" | string }) | undefined;
  challenger: Standing | undefined;
  /** Whose wheel and bundle files were deployed last. */
  deployed: (Standing & { seq: number; at: string; by: string; workspace: string }) | undefined;
  /** The newest deployment that was begun since and of which no end is known. */
  deploying: (Standing & { seq: number; at: string; by: string; fix: string }) | undefined;
  open: readonly {
    seq: number;
    kind: Started["kind"];
    by: string;
    at: string;
    number: string | undefined;
    fix: string;
  }[];
  /** Where registry or serving endpoint are not what the ledger says. */
  differences: readonly string[];
  /** What else is to say of its serving endpoints. */
  remarks: readonly string[];
  /** Why the registry could not be looked at, and what to do. */
  unanswered: { why: string; fix: string | undefined } | undefined;
}

export interface Status {
  /** Why the ledger is known to lack entries: an anchor of a registry tells. */
  cut: string | undefined;
  /** Nothing is known to be wrong with the ledger. */
  whole: boolean;
  environments: EnvironmentStatus[];
  approvals: readonly {
    number: string | undefined;
    digest: string;
    environment: string;
    approver: string;
    role: string;
    ticket: string | undefined;
    notAfter: string;
    seq: number;
  }[];
  /** Of the project in the policy in force; undefined: it is a pilot, or no policy is in force. */
  listed:
    | { riskTier: string; productLine: string; slot: number; capacity: number; noSlot: string | undefined }
    | undefined;
}

/**
 * Where every environment stands, by the ledger, with what one look at the registries showed. Where the ledger is not whole, nothing is
 * held against anybody, and nothing is said to be still to do: the entries that are not there may say otherwise. Pure.
 */
export function statusOf(
  line: Line,
  { looks, endpoints }: { looks: readonly Look[]; endpoints: readonly Finding[] },
  policy: Policy | undefined,
  now: Date,
): Status {
  const { state, view, project } = line;
  const pilot = isPilot(line);
  const approved = { state, project, entries: view.entries };
  const names = [...new Set([...(policy?.environments.map((each) => each.name) ?? []), ...state.environments])];
  const cut = cutOf(looks, view.entries);
  const whole = cut === undefined && view.problems.length === 0;
  const carryOn = (fix: string): string => (whole ? fix : "perhaps ended: an entry may be missing");
  return {
    cut,
    whole,
    environments: names.map((name) => {
      const look = looks.find((each) => each.environment.name === name);
      const here = state.environment(name);
      const { champion, challenger, open } = here;
      const serving = whole ? endpoints.filter((each) => each.environment === name) : [];
      return {
        environment: name,
        champion: champion && {
          ...standing(state, champion),
          since: champion.since.at,
          by: champion.since.by,
          rollback: targetText(champion.rollback),
        },
        challenger: challenger && standing(state, challenger),
        ...deploymentsOf(here, state, carryOn),
        open: open.map((entry) => ({
          seq: entry.seq,
          kind: entry.kind,
          by: entry.by,
          at: entry.at,
          number: firstNumberOf(state, entry.body.digest),
          fix: carryOn(fixOf(entry, firstNumberOf(state, entry.body.digest))),
        })),
        differences: [
          ...(whole && look?.answered === true
            ? [
                ...differencesOf({ ...look.picture, pilot }, state),
                ...(policy === undefined
                  ? []
                  : foreignApprovals(look.picture, look.registry.deployments, approved, policy)
                ).map((each) => each.message),
              ]
            : []),
          ...serving.filter((each) => each.verdict === "no").map((each) => each.message),
        ],
        // Of a workspace that does not answer it is said once.
        remarks: serving
          .filter((each) => each.verdict === "note" || (each.verdict === "cannot tell" && look?.answered !== false))
          .map((each) => each.message),
        unanswered: look?.answered === false ? { why: look.why, fix: look.fix } : undefined,
      };
    }),
    approvals: (whole ? standingApprovals(state, policy, now) : []).map((each) => ({
      number: firstNumberOf(state, each.digest),
      digest: each.digest,
      environment: each.environment,
      approver: each.approver,
      role: each.role,
      ticket: each.ticket,
      notAfter: each.notAfter,
      seq: each.seq,
    })),
    listed: listedIn(policy, line.project),
  };
}

/** Of all anchors that the ledger lacks, what the one with the highest number says. */
function cutOf(looks: readonly Look[], entries: readonly Entry[]): string | undefined {
  return looks
    .flatMap((look) => {
      if (!look.answered) return [];
      const problem = anchorProblem(look.picture.model, look.environment.name, entries);
      return problem === undefined ? [] : [{ problem, seq: Number.parseInt(anchorOf(look.picture) ?? "", 10) || 0 }];
    })
    .sort((a, b) => b.seq - a.seq)[0]?.problem;
}

function differencesOf(picture: RegistryPicture, state: LineState): string[] {
  const here = state.environment(picture.environment);
  const recorded = recordedVersions(state, picture.environment);
  return registryDifferences(picture, here, recorded, leftovers(picture, here, recorded));
}

function standing(state: LineState, { version, digest }: Pick<PlacedVersion, "version" | "digest">): Standing {
  return { version, digest, number: firstNumberOf(state, digest) };
}

function deploymentsOf(
  { deployed, deploying }: ReturnType<LineState["environment"]>,
  state: LineState,
  carryOn: (fix: string) => string,
): Pick<EnvironmentStatus, "deployed" | "deploying"> {
  const last = deployed.at(-1);
  const begun = deploying.at(-1);
  const told = ({ seq, at, by, body }: EntryOf<"deployed" | "deploy.started">) => ({
    ...standing(state, body),
    seq,
    at,
    by,
  });
  return {
    deployed: last && { ...told(last.entry), workspace: last.started.body.workspace },
    deploying: begun && {
      ...told(begun),
      fix: carryOn(
        `factory deploy ${firstNumberOf(state, begun.body.digest) ?? "VERSION"} --env ${begun.body.environment}`,
      ),
    },
  };
}

function targetText(target: RollbackTarget): string {
  return target === "none" ? "none" : target.version;
}

/** What ends an open start: the same command, or giving it up. */
function fixOf(entry: Started, number: string | undefined): string {
  const { environment } = entry.body;
  const version = number ?? "VERSION";
  switch (entry.kind) {
    case "promotion.started":
      return `factory promote ${version} --to ${environment} carries on; --abandon ends it`;
    case "release.started":
      return `factory release ${version} --env ${environment} carries on`;
    case "rollback.started":
      return `factory rollback --env ${environment} --reason "WHY" carries on`;
    default:
      return entry satisfies never;
  }
}

function listedIn(policy: Policy | undefined, project: string): Status["listed"] {
  const found = listingIn(policy, project);
  if (policy === undefined || found === undefined) return undefined;
  const slots = slotsOf(policy).find((each) => each.productLine === found.productLine);
  return {
    riskTier: found.riskTier,
    productLine: found.productLine,
    slot: (slots?.projects.indexOf(project) ?? -1) + 1,
    capacity: slots?.capacity ?? 0,
    noSlot: slotProblem(policy, project),
  };
}
