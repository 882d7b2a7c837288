import type { ApprovalPredicate } from "../evidence/approval.ts";
import type { EvidenceFacts, GateFact } from "../evidence/facts.ts";
import type { Metric } from "../gates/metrics.ts";
import type { PlacedVersion } from "../ledger/entry.ts";
import type { Identity } from "../policy/identity.ts";
import type { PolicyInForce } from "../policy/in-force.ts";
import type { Environment } from "../policy/policy.ts";
import type { Rules } from "../project/rules.ts";
import type { Ticket, TicketSeen } from "../tickets/ticket.ts";

/** A fact that was found out, or why it could not be: rules never guess. */
export type Known<T> = { known: true; value: T } | { known: false; why: string; fix?: string };

/** `release` also stands for a deployment: what a candidate brings to a workspace asks for what letting it serve asks for. */
export type Action = "promote" | "approve" | "release";

/** An approval as it stands in the ledger, its signature verified with the chain. */
export interface SeenApproval {
  /** Hash of its entry. */
  hash: string;
  seq: number;
  /** When it was signed. */
  at: Date;
  /** Whose key signed it, by what the policy in force now says of that moment: a key that has ended since still counts. A problem when it counts for nobody. */
  by: Identity | { problem: string };
  approval: ApprovalPredicate;
  /** Digests of its subjects. */
  model: string;
  evidence: string;
  withdrawn: boolean;
  /** What it let go live was rolled back since: it takes a new approval to release it again. */
  undone: boolean;
}

export interface ServingChampion {
  environment: string;
  version: string;
  digest: string;
  /** Commits of the evidence on which these bytes were promoted there and released. */
  commits: readonly string[];
}

export interface SeenEvidence {
  digest: string;
  facts: EvidenceFacts;
  gates: readonly GateFact[];
  /** What the model tests measured, as attached. */
  metrics: Known<readonly Metric[]>;
  /** What is wrong with its files, signatures or registration; empty when all holds. */
  problems: readonly string[];
  /** Who signed it, by the policy in force now. */
  signedBy: readonly (Identity | { problem: string })[];
  /** Who registered it, as the policy named them when they did: their key may be listed no more. */
  registeredBy: readonly string[];
}

/** What is known of a model's bytes, and how. */
export interface SeenBytes {
  digest: string;
  /** `read`: every byte, just now. `recorded`: where nobody can change them, what was written down when they came there. */
  how: "read" | "recorded";
}

/** The same in words, behind what the bytes are. */
export const HOW_SEEN: Readonly<Record<SeenBytes["how"], string>> = {
  read: "read just now",
  recorded: "as recorded when they came there: nobody can change them",
};

export interface TicketFact {
  id: string;
  ticket: Ticket | undefined;
  /** What was read of it; left out for a ticket that is not there, and where a decision is made again without its system. */
  seen?: TicketSeen | undefined;
  spentOn: string | undefined;
}

/** What a decision about one candidate and one environment rests on. Gathered first, so that the decision is pure. */
export interface DecisionFacts {
  action: Action;
  project: string;
  model: string;
  /** Digest of the candidate. */
  digest: string;
  /** Its number in the first environment, for what is said to whoever asks; absent where a decision is made again. */
  number?: string;
  /** Where it goes. */
  environment: Environment;
  now: Known<Date>;
  /** The policy that counts once the next entry is written, and what is wrong with the file beside it. */
  policy: Known<{ inForce: PolicyInForce; problem: string | undefined; fix: string | undefined }>;
  /** Whoever runs the command. */
  actor: Known<Identity | { problem: string }>;
  /** What policy and the evidence's factory.yaml ask for, and their digest. */
  rules: Known<{ rules: Rules; digest: string }>;
  /** Where the candidate stands before the step; for a release the environment itself. */
  standing: Known<{
    /** Undefined: it does not stand in the environment before this one. */
    at: { environment: string; version: PlacedVersion } | undefined;
    /** The environment in which it should stand. */
    expected: string;
  }>;
  /** The version as the registry tells it. */
  version: Known<{ createdAt: number; digestTag: string | undefined } | undefined>;
  bytes: Known<SeenBytes>;
  evidence: Known<SeenEvidence>;
  /** Why its bytes are not what its digest says; then nothing else of it is known. */
  evidenceProblem: string | undefined;
  /** What does not hold in the chain, in its order of entries, or against the anchors in the registries. */
  ledger: Known<readonly string[]>;
  /** The champion of the last environment that has one, by the ledger. */
  champion: Known<ServingChampion | undefined>;
  /** What the registries hold against what the ledger says. */
  registry: Known<readonly string[]>;
  approvals: Known<readonly SeenApproval[]>;
  /** The role in which somebody wants to approve; of `approve` only. */
  role: string | undefined;
  /** How it is to be released; of `release` only. */
  strategy: string | undefined;
  /** The ticket that was named, as its system tells it, and what else used it up. */
  ticket: Known<TicketFact | undefined>;
}

export function known<T>(value: T): Known<T> {
  return { known: true, value };
}

export function unknown(why: string, fix?: string): { known: false; why: string; fix?: string } {
  return { known: false, why, ...(fix !== undefined && { fix }) };
}
