import type { Envelope } from "../lib/dsse.ts";
import { FactoryError } from "../lib/error.ts";
import { sha256 } from "../lib/hash.ts";
import { identityOfKey, listedKey } from "../policy/identity.ts";
import type { Policy } from "../policy/policy.ts";
import { type Approval, parseApproval } from "./approval.ts";
import type { Bundle } from "./bundle.ts";
import { type Decision, parseDecision } from "./decision.ts";
import type { Flaw } from "./flaw.ts";
import { envelopeDigest, openSigned } from "./signed-statement.ts";

/** A policy, and the moment at which its keys are looked at. */
export interface PolicyThen {
  policy: Policy;
  at: Date;
}

export interface BundleContext {
  /** The policy in force at the decision's ledger entry. Default: the one in the bundle, at the time in the decision. */
  decided?: PolicyThen;
  /**
   * The policy in force at the ledger entry of an approval, undefined when the ledger holds no such approval. Default: the one
   * in the bundle, at the time in the decision.
   */
  approved?(approval: Envelope): PolicyThen | undefined;
  /** What the ledger says that the bundle is about. */
  about?: Partial<Pick<Decision, "action" | "environment" | "project" | "model" | "digest" | "evidence">>;
}

export interface VerifiedBundle {
  /** Undefined when it could not be read or its signature does not hold. */
  decision: Decision | undefined;
  /** Those that hold. */
  approvals: Approval[];
  /** Empty: everything holds. */
  flaws: Flaw[];
}

/** Whether everything in a bundle is signed by who may sign it and speaks of the same thing. Asks nobody. Pure. */
export function verifyBundle(bundle: Bundle, context: BundleContext = {}): VerifiedBundle {
  const opened = openDecision(bundle, context.decided);
  if ("flaw" in opened) return { decision: undefined, approvals: [], flaws: [opened.flaw] };
  const { decision } = opened;
  const flaws = decisionFlaws(decision, bundle, context.about ?? {});
  const approvals: Approval[] = [];
  for (const [i, envelope] of bundle.approvals.entries()) {
    const what = `approval ${i + 1}`;
    const then = context.approved ? context.approved(envelope) : { policy: bundle.policy, at: new Date(decision.at) };
    if (then === undefined) {
      flaws.push({ code: "approval.unknown", message: `${what} is not in the ledger` });
      continue;
    }
    const approval = openApproval(envelope, then, what);
    const found = "flaw" in approval ? [approval.flaw] : approvalFlaws(approval.approval, decision, what);
    if (found.length > 0) flaws.push(...found);
    else if ("approval" in approval) approvals.push(approval.approval);
  }
  return { decision, approvals, flaws };
}

function openDecision(bundle: Bundle, decided: PolicyThen | undefined): { decision: Decision } | { flaw: Flaw } {
  const { policy } = decided ?? bundle;
  const opened = openSigned(bundle.decision, (id) => listedKey(policy, id), "the decision");
  if ("flaw" in opened) return opened;
  const decision = reading(() => parseDecision(opened.payload));
  if ("flaw" in decision) return decision;
  const signer = identityOfKey(policy, opened.keyId, decided?.at ?? new Date(decision.value.at));
  if ("problem" in signer) return { flaw: { code: "decision.key", message: `the decision: ${signer.problem}` } };
  if (signer.address !== decision.value.by)
    return flaw("decision.signer", `the decision names ${decision.value.by}, but ${signer.address} signed it`);
  return { decision: decision.value };
}

function decisionFlaws(decision: Decision, bundle: Bundle, about: BundleContext["about"] & object): Flaw[] {
  const approvals = bundle.approvals.map(envelopeDigest);
  return [
    ...unequal(
      "bundle.manifest",
      "the decision's model digest",
      decision.digest,
      "the manifest's",
      sha256(bundle.manifest),
    ),
    ...unequal("bundle.policy", "the decision's policy", decision.policy, "policy.yaml", sha256(bundle.policyText)),
    ...unequal("bundle.evidence", "the decision's evidence", decision.evidence, "the bundle's", bundle.evidence),
    ...unequal(
      "bundle.approvals",
      "the approvals of the decision",
      decision.approvals.join(" "),
      "those in the bundle",
      approvals.join(" "),
    ),
    ...(new Set(decision.approvals).size === decision.approvals.length
      ? []
      : [{ code: "bundle.twice", message: "the decision counts an approval twice" }]),
    ...(Object.keys(bundle.policy.projects).includes(decision.project)
      ? []
      : [{ code: "bundle.project", message: `the policy lists no project ${decision.project}` }]),
    ...ABOUT.flatMap((key) =>
      about[key] === undefined
        ? []
        : unequal(`decision.${key}`, `the decision's ${key}`, decision[key], "the one that was asked for", about[key]),
    ),
  ];
}

const ABOUT = ["action", "environment", "project", "model", "digest", "evidence"] as const;

function openApproval(
  envelope: Envelope,
  { policy, at }: PolicyThen,
  what: string,
): { approval: Approval } | { flaw: Flaw } {
  const opened = openSigned(envelope, (id) => listedKey(policy, id), what);
  if ("flaw" in opened) return opened;
  const read = reading(() => parseApproval(opened.payload));
  if ("flaw" in read) return read;
  const signer = identityOfKey(policy, opened.keyId, at);
  if ("problem" in signer) return flaw("approval.key", `${what}: ${signer.problem}`);
  if (signer.kind !== "person")
    return flaw("approval.kind", `${what} is signed by ${signer.address}, a ${signer.kind}`);
  if (signer.address !== read.value.approver)
    return flaw("approval.signer", `${what} names ${read.value.approver}, but ${signer.address} signed it`);
  return { approval: read.value };
}

function approvalFlaws(approval: Approval, decision: Decision, what: string): Flaw[] {
  const same = (key: "digest" | "evidence" | "project" | "environment" | "rules") =>
    unequal(`approval.${key}`, `${what}: ${key}`, approval[key], "the decision's", decision[key]);
  return [
    ...same("digest"),
    ...same("evidence"),
    ...same("project"),
    ...same("environment"),
    // A rollback goes to a version that was approved once; by now rules have changed and the approval has ended.
    ...(decision.action === "rollback" ? [] : same("rules")),
    ...(decision.action === "rollback" || decision.at <= approval.notAfter
      ? []
      : [
          {
            code: "approval.expired",
            message: `${what} ended at ${approval.notAfter}, the decision is of ${decision.at}`,
          },
        ]),
    ...(decision.model.endsWith(`.${approval.model}`)
      ? []
      : [
          {
            code: "approval.model",
            message: `${what} is about ${approval.model}, the decision about ${decision.model}`,
          },
        ]),
    ...(approval.ticket === undefined || decision.action === "rollback"
      ? []
      : unequal("approval.ticket", `${what}: ticket`, approval.ticket, "the decision's", decision.ticket ?? "none")),
  ];
}

function unequal(code: string, left: string, a: string, right: string, b: string): Flaw[] {
  return a === b ? [] : [{ code, message: `${left} is ${a || "none"}, ${right} ${b || "none"}` }];
}

function flaw(code: string, message: string): { flaw: Flaw } {
  return { flaw: { code, message } };
}

function reading<T>(read: () => T): { value: T } | { flaw: Flaw } {
  try {
    return { value: read() };
  } catch (error) {
    if (error instanceof FactoryError) return flaw(error.code, error.message);
    throw error;
  }
}
