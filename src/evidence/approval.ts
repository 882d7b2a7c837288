import * as z from "zod";
import { canonicalJson } from "../lib/canonical-json.ts";
import { usageError } from "../lib/error.ts";
import { STATEMENT_TYPE, type Statement } from "../lib/in-toto.ts";
import { INDEX_FILE } from "./evidence-index.ts";
import { digestSchema, headSchema, nameSchema, parseStatement, subjectOf, timeSchema } from "./statement-parts.ts";

const APPROVAL_TYPE = "urn:pilot-to-production:approval/v1";

const predicate = z.strictObject({
  /** Name of the model, without catalog. */
  model: nameSchema,
  project: nameSchema,
  environment: nameSchema,
  /** Rules digest of project and environment, hex. */
  rules: digestSchema,
  /** Digest of the policy in force, hex. */
  policy: digestSchema,
  ticket: nameSchema.optional(),
  /** Digests, hex, of the ticket's record without its state, and of the register in which the approver saw it. */
  ticketSeen: z.strictObject({ record: digestSchema, register: digestSchema }).optional(),
  /** The role in which it is given. */
  role: nameSchema,
  /** Head of the ledger that the approver saw, `seq:hash`. */
  seen: headSchema,
  /** ISO 8601, UTC. It covers promotion into and release in the environment until then. */
  notAfter: timeSchema,
  /** The person, as the policy names them. */
  approver: nameSchema,
});
export type ApprovalPredicate = z.infer<typeof predicate>;

/** What one person approves: these bytes with this evidence, for one environment, until `notAfter`. */
export interface Approval extends ApprovalPredicate {
  /** Model digest, hex. */
  digest: string;
  /** Evidence digest, hex. */
  evidence: string;
}

const statement = z.strictObject({
  _type: z.literal(STATEMENT_TYPE),
  subject: z.tuple([subjectOf(nameSchema), subjectOf(z.literal(INDEX_FILE))]),
  predicateType: z.literal(APPROVAL_TYPE),
  predicate,
});

/** The approval as an in-toto Statement. Pure. */
export function approvalStatement(approval: Approval): Statement {
  const { digest, evidence, ...said } = approval;
  return {
    _type: STATEMENT_TYPE,
    subject: [
      { name: approval.model, digest: { sha256: digest } },
      { name: INDEX_FILE, digest: { sha256: evidence } },
    ],
    predicateType: APPROVAL_TYPE,
    predicate: predicate.parse(said),
  };
}

/** Reads the payload of an approval's envelope: canonical JSON in exactly this form. Throws exit 2. */
export function parseApproval(payload: Uint8Array): Approval {
  const { text, value } = parseStatement(payload, statement, "the approval");
  const [model, evidence] = value.subject;
  const approval = { ...value.predicate, digest: model.digest.sha256, evidence: evidence.digest.sha256 };
  if (canonicalJson(approvalStatement(approval)) !== text)
    throw usageError(
      "statement.contradiction",
      "the approval contradicts itself: its subject is not the model that it names",
    );
  return approval;
}
