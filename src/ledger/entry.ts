import * as z from "zod";
import { commitId } from "../lib/commit-id.ts";
import { envelopeSchema } from "../lib/dsse.ts";
import { policyRecord } from "../policy/policy-record.ts";

/**
 * What a ledger entry may say, by kind. Bodies hold ids, digests, verdicts and envelopes; a reason is one short line. The form of
 * the line around a body, and how it is signed and chained, is in `entry-line.ts`.
 */

const digest = z.string().regex(/^[0-9a-f]{64}$/, "a SHA-256 in lower-case hex");
const time = z.iso.datetime();
const name = z.string().min(1).max(300);
const version = z.string().regex(/^\d{1,9}$/);
const seq = z.int().min(1);
/** One line, shown to auditors for years: no place for personal data. */
export const reasonText = z
  .string()
  .min(3, "at least 3 characters")
  .max(200, "at most 200 characters")
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it refuses
  .regex(/^[^\u0000-\u001f\u007f-\u009f]*$/, "one line without control characters");

const verdicts = z.array(
  z.strictObject({ rule: name, verdict: z.enum(["yes", "no", "cannot tell"]), why: z.string() }),
);
const placed = z.strictObject({ version, digest, createdAt: z.int() });
/** A version in a registry: its number, its bytes, and when the registry says it was made. */
export type PlacedVersion = z.infer<typeof placed>;

/** Where a rollback goes: the version that served before, or `none` after a first release. */
export const rollbackTarget = z.union([
  z.literal("none"),
  z.strictObject({ ...placed.shape, signature: z.enum(["compatible", "not compatible", "not stated"]) }),
]);
export type RollbackTarget = z.infer<typeof rollbackTarget>;

/** The number of a version, where it may be that none is meant. */
export function numberOf(placed: "none" | { version: string } | undefined): string | undefined {
  return placed === undefined || placed === "none" ? undefined : placed.version;
}

/** What promotion, release and rollback have in common. */
const candidate = { model: name, digest, environment: name };

export const BODIES = {
  opened: z.strictObject({ project: name, model: name, policy: policyRecord }),
  "policy.adopted": z.strictObject({ policy: policyRecord }),
  registered: z.strictObject({
    ...candidate,
    version,
    createdAt: z.int(),
    evidence: digest,
    run: name,
    commit: commitId,
    /** When the project was made, first trained; when this model was trained and its check ended. */
    times: z.strictObject({
      made: time.optional(),
      firstTrained: time.optional(),
      trained: time.optional(),
      checked: time,
    }),
  }),
  approved: z.strictObject({ envelope: envelopeSchema }),
  /** `approval`: hash of the entry that is withdrawn. */
  "approval.withdrawn": z.strictObject({ approval: digest, reason: reasonText }),
  "promotion.started": z.strictObject({
    ...candidate,
    evidence: digest,
    from: z.strictObject({ environment: name, version }),
    /** Full name at the target. */
    target: name,
    /** Highest version number at the target before. */
    highest: z.int().min(0),
    rules: digest,
    policy: digest,
    ticket: name.optional(),
    /** Hashes of the approvals that count. */
    approvals: z.array(digest),
    verdicts,
  }),
  promoted: z.strictObject({
    ...candidate,
    started: seq,
    version,
    createdAt: z.int(),
    evidence: digest,
    bundle: digest,
  }),
  "release.started": z.strictObject({
    ...candidate,
    version,
    strategy: name,
    evidence: digest,
    rules: digest,
    policy: digest,
    ticket: name.optional(),
    approvals: z.array(digest),
    champion: z.union([z.literal("none"), placed]),
    rollback: rollbackTarget,
    /** Name of the serving endpoint whose requests go to it; absent: jobs read the alias. */
    endpoint: name.optional(),
    verdicts,
  }),
  released: z.strictObject({
    ...candidate,
    started: seq,
    version,
    createdAt: z.int(),
    strategy: name,
    rollback: rollbackTarget,
    endpoint: name.optional(),
    bundle: digest,
  }),
  "rollback.started": z.strictObject({
    ...candidate,
    /** The release that is undone: `seq` of its `released` entry; absent when the ledger could not be read. */
    undoes: seq.optional(),
    from: placed,
    to: z.union([z.literal("none"), placed]),
    endpoint: name.optional(),
    reason: reasonText,
    incident: name.optional(),
    /** Absent: not stated. */
    detectedAt: time.optional(),
  }),
  rolledback: z.strictObject({
    ...candidate,
    started: seq,
    undoes: seq.optional(),
    to: z.union([z.literal("none"), placed]),
    reason: reasonText,
    incident: name.optional(),
    detectedAt: time.optional(),
    bundle: digest.optional(),
    /** When the alias was moved, if that was before the entry: the ledger could not be reached then. */
    effectiveAt: time.optional(),
  }),
  /** No lock: a deployment that failed is begun anew, and what it changed before is what the next one finds. */
  "deploy.started": z.strictObject({
    ...candidate,
    version,
    evidence: digest,
    rules: digest,
    policy: digest,
    ticket: name.optional(),
    approvals: z.array(digest),
    /** Of the manifest of all that is deployed: `<sha256>  <path>` by path, the bundle's files and the wheel. */
    files: digest,
    wheel: digest,
    /** Origin of the workspace. */
    workspace: name,
    /** Program and version that deploy: `databricks 1.13.0`. */
    tool: name,
    verdicts,
  }),
  deployed: z.strictObject({
    ...candidate,
    started: seq,
    version,
    files: digest,
    wheel: digest,
    tool: name,
  }),
  /** Ends a started promotion, release or rollback without its effect. */
  abandoned: z.strictObject({ started: seq, environment: name, reason: reasonText }),
} as const;

export type EntryKind = keyof typeof BODIES;
export type EntryBody<K extends EntryKind> = z.infer<(typeof BODIES)[K]>;

/** What an entry says, before it has a place in the chain. */
export type Fact = { [K in EntryKind]: { kind: K; body: EntryBody<K> } }[EntryKind];

/** An entry of a chain. */
export type Entry = Fact & {
  seq: number;
  /** When it was signed, ISO 8601 in UTC with milliseconds. Order is by `seq`, never by this. */
  at: string;
  /** The person or service, as policy names it. */
  by: string;
  /** Id of the key. */
  key: string;
  /** Hash of the entry before; 64 zeros for the first. */
  prev: string;
  hash: string;
};

/** The end of a chain: number and hash of its last entry; 0 and 64 zeros when it is empty. */
export interface Head {
  seq: number;
  hash: string;
}
export const EMPTY_HEAD: Head = { seq: 0, hash: "0".repeat(64) };

export function headOf(entries: readonly Entry[]): Head {
  const last = entries.at(-1);
  return last === undefined ? EMPTY_HEAD : { seq: last.seq, hash: last.hash };
}

export function printHead({ seq, hash }: Head): string {
  return `${seq}:${hash}`;
}
