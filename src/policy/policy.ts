import * as z from "zod";
import { publicKeyOf } from "../lib/signing.ts";
import { checkPolicy } from "./check-policy.ts";
import { DURATION, durationMs } from "./durations.ts";
import { isDate } from "./local-time.ts";

/** `policy.yaml`: the organisation. Read once; unknown keys are errors. Shape: docs/policy.md. */

const name = z.string().regex(/^[a-z][a-z0-9_-]{0,62}$/, "lower-case letters, digits, - and _, starting with a letter");
const identity = z.string().min(1).max(254);
const duration = z
  .string()
  .regex(DURATION, "an ISO 8601 duration in weeks, days, hours or minutes, such as P7D")
  .refine((text) => !DURATION.test(text) || durationMs(text) > 0, "lasts no time at all");
const date = z.string().refine(isDate, "a day of the calendar, such as 2026-11-01");
const httpUrl = z.string().regex(/^https?:\/\/[^\s@]+$/, "an http or https URL without credentials");

export const gateName = z.enum(["lint", "unit", "data", "model", "baseline", "docs", "secrets"]);
export type GateName = z.infer<typeof gateName>;
export const GATE_NAMES: readonly GateName[] = gateName.options;

const registry = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("mlflow"), uri: httpUrl }),
  z.strictObject({ kind: z.literal("unity-catalog"), profile: z.string().min(1) }),
  z.strictObject({ kind: z.literal("workspace"), profile: z.string().min(1) }),
]);

const environment = z.strictObject({
  name,
  catalog: name,
  registry,
  evidence: z.strictObject({ signedBy: z.array(identity).min(1) }).optional(),
  freeze: z
    .array(z.string().regex(/^\d{4}-\d{2}-\d{2}\/\d{4}-\d{2}-\d{2}$/, "two dates with a slash, 2026-12-20/2027-01-04"))
    .optional(),
});
export type Environment = z.infer<typeof environment>;

const strategy = z.enum(["direct", "canary", "blue-green", "shadow"]);

const stage = z.strictObject({
  gates: z.array(gateName).min(1).optional(),
  approvals: z.array(z.strictObject({ role: z.string().min(1), count: z.int().min(1).max(9) })).optional(),
  approvalTtl: duration.optional(),
  evidenceTtl: duration.optional(),
  ticket: z.enum(["required", "optional"]).optional(),
  strategy: z
    .union([strategy, z.array(strategy).min(1)], { error: `one or more of ${strategy.options.join(", ")}` })
    .optional(),
  humanReview: z.enum(["required", "optional"]).optional(),
});
export type Stage = z.infer<typeof stage>;

/** A tier has its own settings and, under the name of each environment, that environment's stage gate. */
const riskTier = z
  .object({ firstRelease: z.enum(["withdraw", "deny"]).optional() })
  .catchall(stage)
  .describe("firstRelease, and one stage gate under the name of each environment");

const NO_KEY = "is no ed25519 key: factory keys list prints the whole line";

const person = z.strictObject({
  kind: z.enum(["person", "service", "bot"]).optional(),
  keys: z
    .array(
      z.strictObject({
        key: z
          .string()
          .regex(/^ed25519:[A-Za-z0-9+/]{43}=$/, { error: NO_KEY, abort: true })
          .refine((text) => publicKeyOf(text) !== undefined, NO_KEY),
        from: date,
        until: date.optional(),
      }),
    )
    .optional(),
  aliases: z.array(identity).optional(),
});

const shape = z.strictObject({
  factory: z.literal(1, { error: "this factory reads format 1; a later one needs a newer factory" }),
  version: z.int().min(1),
  organisation: z
    .string()
    .max(200)
    .regex(/^(?=.*\S)[^\p{Cc}\u2028\u2029]*$/u, "one line without control characters"),
  timezone: z.string().default("UTC"),
  ledger: z
    .discriminatedUnion("kind", [
      z.strictObject({ kind: z.literal("file") }),
      z.strictObject({ kind: z.literal("git"), url: z.string().min(1), branch: z.string().min(1) }),
      z.strictObject({ kind: z.literal("delta"), table: z.string().min(1) }),
    ])
    .default({ kind: "file" }),
  environments: z.array(environment).min(1),
  productLines: z.record(name, z.strictObject({ capacity: z.int().min(0), owner: identity })).default({}),
  projects: z.record(name, z.strictObject({ productLine: name, riskTier: name, owner: identity })).default({}),
  roles: z.record(name, z.array(identity)).default({}),
  policyQuorum: z.int().min(1).max(20).default(1),
  people: z.record(identity, person).default({}),
  riskTiers: z.record(name, riskTier),
  tickets: z.strictObject({ system: z.literal("file"), path: z.string().min(1) }).optional(),
});
export type Policy = z.infer<typeof shape>;

export const policySchema = shape.superRefine((policy, context) =>
  checkPolicy(policy, (path, message) => context.addIssue({ code: "custom", path, message })),
);
