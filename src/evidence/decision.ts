import * as z from "zod";
import { canonicalJson } from "../lib/canonical-json.ts";
import { usageError } from "../lib/error.ts";
import { STATEMENT_TYPE, type Statement } from "../lib/in-toto.ts";
import { digestSchema, headSchema, nameSchema, parseStatement, subjectOf, timeSchema } from "./statement-parts.ts";

/** SLSA Verification Summary v1: https://slsa.dev/spec/v1.1/verification_summary */
const DECISION_TYPE = "https://slsa.dev/verification_summary/v1";
const URN = "urn:pilot-to-production";

/**
 * Own names, since the specification keeps `SLSA_` for itself: what was verified is that the policy's rules for this step are
 * met, not a SLSA level.
 */
const LEVELS = { promote: "FACTORY_PROMOTE", release: "FACTORY_RELEASE", rollback: "FACTORY_ROLLBACK" } as const;
export type Action = keyof typeof LEVELS;

/** A decision that was "yes": who let which bytes go where, by which rules, on which evidence. */
export interface Decision {
  action: Action;
  /** Full registered name at the target. */
  model: string;
  /** Model digest, hex. */
  digest: string;
  environment: string;
  project: string;
  /** Who decided, as the policy names them. */
  by: string;
  /** Version of factory. */
  factory: string;
  /** ISO 8601, UTC. */
  at: string;
  /** Digest of the policy in force, hex. */
  policy: string;
  /** Rules digest of project and environment, hex. */
  rules: string;
  /** Evidence digest, hex. */
  evidence: string;
  /** The approvals that count, by `envelopeDigest`, in the order of the bundle. */
  approvals: readonly string[];
  ticket?: string | undefined;
  /** Head of the ledger that the decision was made on, `seq:hash`. */
  seen: string;
  verdicts: readonly { rule: string; verdict: "yes" | "no" | "cannot tell"; why: string }[];
  /** Of a rollback. */
  reason?: string | undefined;
  /** Of a rollback: `seq` of the entry of the release that it undoes. */
  undoes?: number | undefined;
}

const input = z.strictObject({ uri: z.string(), digest: z.strictObject({ sha256: digestSchema }) });
const predicate = z.strictObject({
  verifier: z.strictObject({ id: z.string().max(4000), version: z.strictObject({ factory: nameSchema }) }),
  timeVerified: timeSchema,
  resourceUri: z.string().max(1000),
  policy: input,
  inputAttestations: z.array(input).min(1).max(1000),
  verificationResult: z.literal("PASSED"),
  verifiedLevels: z.tuple([z.enum(Object.values(LEVELS))]),
  factory: z.strictObject({
    action: z.enum(["promote", "release", "rollback"]),
    environment: nameSchema,
    project: nameSchema,
    rules: digestSchema,
    ticket: nameSchema.optional(),
    seen: headSchema,
    verdicts: z
      .array(z.strictObject({ rule: nameSchema, verdict: z.enum(["yes", "no", "cannot tell"]), why: z.string() }))
      .max(200),
    reason: z.string().min(1).max(200).optional(),
    undoes: z.int().min(1).optional(),
  }),
});

const statement = z.strictObject({
  _type: z.literal(STATEMENT_TYPE),
  subject: z.tuple([subjectOf(nameSchema)]),
  predicateType: z.literal(DECISION_TYPE),
  predicate,
});

/** The decision as a SLSA Verification Summary. What is beyond the standard stands under `factory`. Pure. */
export function decisionStatement(decision: Decision): Statement {
  const { action, environment, project, rules, ticket, seen, verdicts, reason, undoes } = decision;
  const named = (kind: string, digest: string) => ({ uri: `${URN}:${kind}:${digest}`, digest: { sha256: digest } });
  return {
    _type: STATEMENT_TYPE,
    subject: [{ name: decision.model, digest: { sha256: decision.digest } }],
    predicateType: DECISION_TYPE,
    predicate: predicate.parse({
      verifier: { id: `${URN}:identity:${encodeURIComponent(decision.by)}`, version: { factory: decision.factory } },
      timeVerified: decision.at,
      resourceUri: `${URN}:model:${environment}/${decision.model}`,
      policy: named("policy", decision.policy),
      inputAttestations: [
        named("evidence", decision.evidence),
        ...decision.approvals.map((digest) => named("approval", digest)),
      ],
      verificationResult: "PASSED",
      verifiedLevels: [LEVELS[action]],
      factory: { action, environment, project, rules, ticket, seen, verdicts: [...verdicts], reason, undoes },
    }),
  };
}

/** Reads the payload of a decision's envelope: canonical JSON in exactly this form. Throws exit 2. */
export function parseDecision(payload: Uint8Array): Decision {
  const { text, value } = parseStatement(payload, statement, "the decision");
  const { predicate, subject } = value;
  const { factory, inputAttestations } = predicate;
  const [evidence, ...approvals] = inputAttestations.map((each) => each.digest.sha256);
  const decision: Decision = {
    ...factory,
    model: subject[0].name,
    digest: subject[0].digest.sha256,
    by: decoded(predicate.verifier.id.slice(`${URN}:identity:`.length)),
    factory: predicate.verifier.version.factory,
    at: predicate.timeVerified,
    policy: predicate.policy.digest.sha256,
    evidence: evidence ?? "",
    approvals,
  };
  // What says one thing in two places has to say the same: the whole statement follows from the decision.
  if (canonicalJson(decisionStatement(decision)) !== text)
    throw usageError(
      "statement.contradiction",
      "the decision contradicts itself: its parts do not speak of one decision",
    );
  const open = decision.action === "rollback" ? undefined : decision.verdicts.find((each) => each.verdict !== "yes");
  if (open !== undefined)
    throw usageError(
      "statement.verdict",
      `the decision says PASSED, but ${open.rule} says ${JSON.stringify(open.verdict)}`,
    );
  return decision;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}
