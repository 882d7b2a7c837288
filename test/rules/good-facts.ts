import type * as z from "zod";
import type { EvidenceFacts, GateFact } from "../../src/evidence/facts.ts";
import type { Metric } from "../../src/gates/metrics.ts";
import { sha256 } from "../../src/lib/hash.ts";
import { type Policy, policySchema } from "../../src/policy/policy.ts";
import { type Project, projectSchema } from "../../src/project/project.ts";
import { rulesDigest, rulesFor } from "../../src/project/rules.ts";
import { type Action, type DecisionFacts, type Known, known, type SeenApproval } from "../../src/rules/facts.ts";
import type { Ticket } from "../../src/tickets/ticket.ts";

export type PolicyDraft = z.input<typeof policySchema>;
export type ProjectDraft = z.input<typeof projectSchema>;

export const NOW = new Date("2026-11-25T12:00:00.000Z");
export const DIGEST = sha256("model");
export const EVIDENCE = sha256("evidence");
export const COMMIT = "1".repeat(40);
export const PROJECT = "claims-triage";
export const MODEL = "claims.triage";
export const GATES = ["lint", "unit", "data", "model", "baseline", "docs", "secrets"] as const;

/** A moment some milliseconds after now. */
export function later(ms: number): Date {
  return new Date(NOW.getTime() + ms);
}
export const DAY_MS = 86_400_000;

/** Dev, test and prod; prod asks for all gates, one approval of model-risk, fresh evidence and a ticket. */
export function policyDraft(): PolicyDraft {
  const environment = (name: string) => ({
    name,
    catalog: name,
    registry: { kind: "mlflow" as const, uri: "http://127.0.0.1:5210" },
  });
  return {
    factory: 1,
    version: 3,
    organisation: "Example Mutual",
    environments: [environment("dev"), environment("test"), environment("prod")],
    productLines: { claims: { capacity: 1, owner: "owner@example.com" } },
    projects: { [PROJECT]: { productLine: "claims", riskTier: "medium", owner: "owner@example.com" } },
    roles: {
      "policy-owner": ["owner@example.com"],
      "model-risk": ["approver@example.com", "second@example.com", "author@example.com"],
      compliance: ["approver@example.com", "second@example.com"],
    },
    people: {
      "author@example.com": { aliases: ["author@old.example.com", "author-on-git"] },
      "owner@example.com": {},
      "approver@example.com": { aliases: ["approver@home.example.org", "approver-on-git"] },
      "second@example.com": {},
      "other@example.com": {},
      "ci@example.com": { kind: "service" },
      "github-web-flow": { kind: "bot", aliases: ["noreply@github.com"] },
    },
    riskTiers: {
      medium: {
        test: { gates: ["unit"] },
        prod: {
          gates: [...GATES],
          approvals: [{ role: "model-risk", count: 1 }],
          approvalTtl: "P7D",
          evidenceTtl: "P14D",
          ticket: "required",
        },
      },
    },
  };
}

export function projectDraft(): ProjectDraft {
  return {
    factory: 1,
    project: PROJECT,
    model: { name: MODEL, train: "python train.py" },
    gates: { model: { run: "pytest", metrics: [{ name: "roc_auc", min: 0.62, champion: { maxDrop: 0.01 } }] } },
  };
}

export function policyOf(change: (draft: PolicyDraft) => void = () => {}): Policy {
  const draft = policyDraft();
  change(draft);
  return policySchema.parse(draft);
}

export function projectOf(change: (draft: ProjectDraft) => void = () => {}): Project {
  const draft = projectDraft();
  change(draft);
  return projectSchema.parse(draft);
}

export function passedGate(gate: string, more: Partial<GateFact> = {}): GateFact {
  const at = NOW.toISOString();
  return {
    gate,
    verdict: "pass",
    summary: "passed",
    findings: [],
    cases: 1,
    startedAt: at,
    finishedAt: at,
    durationMs: 1,
    ...more,
  };
}

export function metric(name: string, value: number, more: Partial<Metric> = {}): Metric {
  return { name, value, n: 900, model: "candidate", dataset: "c".repeat(64), ...more };
}

export function evidenceFacts(more: Partial<EvidenceFacts> = {}): EvidenceFacts {
  return {
    v: 1,
    factory: { version: "0.1.0" },
    project: PROJECT,
    run: { id: "3f2c".repeat(8) },
    model: { name: MODEL, digest: DIGEST },
    commit: COMMIT,
    dirty: false,
    rules: {},
    data: [],
    lock: null,
    seed: null,
    train: ["python", "train.py"],
    thresholds: [],
    champion: "first release",
    people: { since: null, commits: 1, people: [{ address: "author@example.com", known: true, changes: 1 }] },
    started: later(-3_600_000).toISOString(),
    finished: later(-3_600_000).toISOString(),
    ...more,
  };
}

export function ticketOf(more: Partial<Ticket> = {}): Ticket {
  return {
    id: "CHG-1",
    state: "approved",
    project: undefined,
    environment: undefined,
    summary: undefined,
    from: undefined,
    until: undefined,
    ...more,
  };
}

/** What of the facts is otherwise than where all is well. */
export interface Changes {
  action?: Action;
  environment?: string;
  policy?: (draft: PolicyDraft) => void;
  project?: (draft: ProjectDraft) => void;
  evidence?: Partial<EvidenceFacts>;
  gates?: readonly GateFact[];
  metrics?: readonly Metric[];
  /** Each a change of an approval that counts. */
  approvals?: readonly ApprovalChange[];
  /** They were given under the changed policy and project, not under the usual ones. */
  signedUnderThese?: boolean;
  facts?: Partial<DecisionFacts>;
}

export interface ApprovalChange {
  by?: SeenApproval["by"];
  at?: Date;
  approval?: Partial<SeenApproval["approval"]>;
  model?: string;
  evidence?: string;
  withdrawn?: boolean;
  undone?: boolean;
}

export const person = (address: string) => ({ address, kind: "person" as const });

/** Facts on which every rule of an action says yes, with the changes. Rules and their digest are those of policy and project. */
export function goodFacts(changes: Changes = {}): DecisionFacts {
  const { action = "promote" } = changes;
  const policy = policyOf(changes.policy);
  const project = projectOf(changes.project);
  const environment = policy.environments.find((each) => each.name === (changes.environment ?? "prod"));
  if (environment === undefined) throw new Error("no such environment");
  const source = action === "release" ? environment.name : "test";
  const version = { version: "4", digest: DIGEST, createdAt: 1_764_000_000_000 };
  const signed =
    changes.signedUnderThese === true
      ? rulesDigest(project, policy, environment)
      : rulesDigest(projectOf(), policyOf(), { name: "prod" });
  const given = action === "approve" ? [] : [{}];
  return {
    action,
    project: PROJECT,
    model: MODEL,
    digest: DIGEST,
    number: "7",
    environment,
    now: known(NOW),
    policy: known({
      inForce: { policy, digest: sha256("policy"), version: policy.version, text: "" },
      problem: undefined,
      fix: undefined,
    }),
    actor: known(
      action === "approve" ? person("approver@example.com") : { address: "ci@example.com", kind: "service" },
    ),
    rules: known({
      rules: rulesFor(project, policy, environment),
      digest: rulesDigest(project, policy, environment),
    }),
    standing: known({ at: { environment: source, version }, expected: source }),
    version: known({ createdAt: version.createdAt, digestTag: DIGEST }),
    bytes: known({ digest: DIGEST, how: "read" }),
    evidence: known({
      digest: EVIDENCE,
      facts: evidenceFacts(changes.evidence),
      gates: changes.gates ?? GATES.map((name) => passedGate(name)),
      metrics: known(changes.metrics ?? [metric("roc_auc", 0.67)]),
      problems: [],
      signedBy: [{ address: "ci@example.com", kind: "service" }],
      registeredBy: ["ci@example.com"],
    }),
    evidenceProblem: undefined,
    ledger: known([]),
    champion: known(undefined),
    registry: known([]),
    approvals: known((changes.approvals ?? given).map((each, i) => approvalOf(i, signed, each))),
    role: undefined,
    strategy: action === "release" ? "direct" : undefined,
    ticket: known({ id: "CHG-1", ticket: ticketOf(), spentOn: undefined }),
    ...changes.facts,
  };
}

function approvalOf(i: number, rules: string, change: ApprovalChange): SeenApproval {
  const { approval, by = person("approver@example.com"), at = later(-DAY_MS), ...more } = change;
  return {
    hash: sha256(`approval ${i}`),
    seq: 10 + i,
    at,
    by,
    approval: {
      model: MODEL,
      project: PROJECT,
      environment: "prod",
      rules,
      policy: sha256("a policy before"),
      ticket: "CHG-1",
      role: "model-risk",
      seen: `9:${"e".repeat(64)}`,
      notAfter: new Date(at.getTime() + 7 * DAY_MS).toISOString(),
      approver: "problem" in by ? "approver@example.com" : by.address,
      ...approval,
    },
    model: DIGEST,
    evidence: EVIDENCE,
    withdrawn: false,
    undone: false,
    ...more,
  };
}

/** The evidence of good facts, changed. */
export function evidenceWith(
  change: Partial<Extract<DecisionFacts["evidence"], { known: true }>["value"]>,
): Known<Extract<DecisionFacts["evidence"], { known: true }>["value"]> {
  const { evidence } = goodFacts();
  if (!evidence.known) throw new Error("evidence of good facts is known");
  return known({ ...evidence.value, ...change });
}
