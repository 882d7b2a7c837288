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
const line = (longest: number) =>
  z
    .string()
    .max(longest)
    .regex(/^(?=.*\S)[^\p{Cc}\u2028\u2029]*$/u, "one line without control characters");
const httpUrl = z.string().regex(/^https?:\/\/[^\s@]+$/, "an http or https URL without credentials");

export const gateName = z.enum(["lint", "unit", "data", "model", "baseline", "docs", "secrets"]);
export type GateName = z.infer<typeof gateName>;
export const GATE_NAMES: readonly GateName[] = gateName.options;

/**
 * Which Databricks workspace, and as whom: a profile of `.databrickscfg`. `host` pins the workspace: another one behind that profile
 * is refused, and where no such profile exists (in CI) the environment's credentials are used for that host.
 */
const workspace = {
  profile: z.string().regex(/^[A-Za-z0-9_.-]{1,100}$/, "the name of a profile in .databrickscfg"),
  host: z
    .string()
    .regex(/^https?:\/\/[^\s@/?#]+$/, "the address of a workspace without path: https://adb-….azuredatabricks.net")
    .optional(),
};
const unityName = /^[a-z0-9_-]{1,255}$/;
const unityPath = (parts: number, example: string) =>
  z.string().refine((text) => {
    const names = text.split(".");
    return names.length === parts && names.every((each) => unityName.test(each));
  }, `${parts} lower-case names with dots, such as ${example}`);
const warehouse = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, "the id of a SQL warehouse, such as 0a1b2c3d4e5f6a7b");

const registry = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("mlflow"), uri: httpUrl }),
  z.strictObject({
    kind: z.literal("unity-catalog"),
    ...workspace,
    /** Where evidence and bundles are kept: schema and volume in the environment's catalog; default: the model's schema, `factory_evidence`. */
    volume: unityPath(2, "governance.factory_evidence").optional(),
  }),
  z.strictObject({ kind: z.literal("workspace"), ...workspace }),
]);
export type WorkspaceAddress = { profile: string; host?: string | undefined };

const environment = z.strictObject({
  name,
  catalog: name,
  registry,
  /** SQL warehouse of this environment's workspace, for gates with `source: warehouse`. */
  warehouse: warehouse.optional(),
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
  organisation: line(200),
  timezone: z.string().default("UTC"),
  ledger: z
    .discriminatedUnion("kind", [
      z.strictObject({ kind: z.literal("file") }),
      z.strictObject({ kind: z.literal("git"), url: z.string().min(1), branch: z.string().min(1) }),
      z.strictObject({
        kind: z.literal("delta"),
        ...workspace,
        warehouse,
        table: unityPath(3, "governance.factory.ledger"),
      }),
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
  /** Ledger entries that do not fit, and that the owners looked into: they stop nothing any more. */
  setAside: z
    .array(
      z.strictObject({
        entry: z.string().regex(/^[0-9a-f]{64}$/, "the hash of a ledger entry, 64 hex digits: factory verify names it"),
        reason: line(200),
      }),
    )
    .default([]),
});
export type Policy = z.infer<typeof shape>;

export const policySchema = shape.superRefine((policy, context) =>
  checkPolicy(policy, (path, message) => context.addIssue({ code: "custom", path, message })),
);
