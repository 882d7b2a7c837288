import { posix } from "node:path";
import * as z from "zod";

/** `factory.yaml`: one project. Unknown keys are errors. Shape: docs/factory-yaml.md. */

const command = z
  .union([z.string().min(1), z.array(z.string().min(1)).min(1)])
  .refine((value) => isBalanced(value), "has a quote or a backslash without its other half, or no word")
  .describe("a command; split into words, never given to a shell; a list is taken as it is");
const relativePath = z
  .string()
  .min(1)
  .refine((path) => !path.startsWith("/") && !path.split(/[\\/]/).includes(".."), "a path inside the project");
const seconds = z.int().min(1).max(86_400);

const metric = z
  .strictObject({
    name: z.string().min(1),
    slice: z
      .string()
      .min(1)
      .optional()
      .describe("judge the groups of this slice (`physlm` means physlm=0, physlm=1, …)"),
    min: z.number().optional(),
    max: z.number().optional(),
    maxGap: z.number().min(0).optional().describe("largest allowed distance between the groups of the slice"),
    champion: z
      .strictObject({ maxDrop: z.number().min(0).optional(), maxRise: z.number().min(0).optional() })
      .refine((rule) => rule.maxDrop !== undefined || rule.maxRise !== undefined, "needs maxDrop or maxRise")
      .optional(),
  })
  .superRefine((rule, context) => {
    if (rule.min === undefined && rule.max === undefined && rule.maxGap === undefined && rule.champion === undefined) {
      context.addIssue({
        code: "custom",
        message: "needs min, max, maxGap or champion: a metric without a limit checks nothing",
      });
    }
    if (rule.maxGap !== undefined && rule.slice === undefined)
      context.addIssue({ code: "custom", path: ["maxGap"], message: "needs slice" });
    if (rule.min !== undefined && rule.max !== undefined && rule.min > rule.max)
      context.addIssue({ code: "custom", path: ["min"], message: "is above max: nothing could pass" });
  });
export type MetricRule = z.infer<typeof metric>;

const commandGate = z.strictObject({
  run: command,
  junit: relativePath.optional().describe("where a runner that is not pytest writes its JUnit XML"),
  timeoutSeconds: seconds.optional(),
});
const dataGate = z.strictObject({
  contracts: z.union([relativePath, z.array(relativePath).min(1)]),
  source: z.string().min(1),
  timeoutSeconds: seconds.optional(),
});
const modelGate = commandGate.extend({ metrics: z.array(metric).min(1) });
const timeoutOnly = z.strictObject({ timeoutSeconds: seconds.optional() });

const endpoint = z
  .string()
  .regex(/^[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?$/, "the name of a model serving endpoint");

const overrides = z.strictObject({
  gates: z
    .strictObject({
      unit: timeoutOnly.optional(),
      data: z.strictObject({ source: z.string().min(1).optional(), timeoutSeconds: seconds.optional() }).optional(),
      model: z
        .strictObject({ metrics: z.array(metric).min(1).optional(), timeoutSeconds: seconds.optional() })
        .optional(),
    })
    .optional(),
  release: z
    .strictObject({ endpoint: endpoint.optional().describe("the endpoint's name in this environment alone") })
    .optional(),
});

export const projectSchema = z.strictObject({
  factory: z.literal(1, { error: "this factory reads format 1; a later one needs a newer factory" }),
  project: z
    .string()
    .regex(/^[a-z][a-z0-9-]{1,40}$/, "lower-case letters, digits and -, starting with a letter, at most 41"),
  policy: z.string().min(1).optional(),
  riskTier: z.string().min(1).optional(),
  model: z.strictObject({
    name: z.string().regex(/^[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)+$/, "schema.model, such as claims.triage"),
    train: command,
    data: z
      .array(relativePath)
      .min(1)
      .optional()
      .describe("files that training reads; default: the data gate's source"),
    seed: z.int().optional(),
    timeoutSeconds: seconds.optional(),
  }),
  gates: z
    .strictObject({
      lint: timeoutOnly.optional(),
      unit: commandGate.optional(),
      data: dataGate.optional(),
      model: modelGate.optional(),
      docs: timeoutOnly.optional(),
      secrets: z.strictObject({ timeoutSeconds: seconds.optional() }).optional(),
    })
    .default({}),
  environments: z.record(z.string(), overrides).optional(),
  release: z
    .strictObject({
      strategy: z.string().min(1).default("direct"),
      endpoint: endpoint
        .optional()
        .describe("model serving endpoint, the same name in every workspace; absent: jobs read the alias champion"),
    })
    .optional(),
  value: z
    .strictObject({
      kpi: z.string().min(1),
      baseline: z.number(),
      target: z.number(),
      baselineSource: z.string().min(1).optional(),
    })
    .optional(),
});
export type Project = z.infer<typeof projectSchema>;

/** What starts a file, whatever options come before its name. */
const LAUNCHER = /^(?:(?:ba|da|k|z)?sh|python[\d.]*|node|perl|ruby|Rscript|make|run)$/;
const OPTION = /^-[^=]*$/;

/** Whether a word of a command is no value of an option, as in `train --out report.json`. */
function standsAlone(words: readonly string[], at: number): boolean {
  const before = words.slice(0, at).findLastIndex((word) => !OPTION.test(word));
  return before === at - 1 || LAUNCHER.test(posix.basename(words[before] ?? ""));
}

/**
 * The words of a project's commands that may be files which they run, as paths in the project. Not the values of options, nor data,
 * whose digest is taken, nor reports, which they write. Pure.
 */
export function commandFiles({ model, gates, environments = {} }: Project): string[] {
  const sources = [gates.data, ...Object.values(environments).map((each) => each.gates?.data)].flatMap(
    (each) => each?.source ?? [],
  );
  const others = [...sources, ...(model.data ?? []), ...[gates.unit, gates.model].flatMap((each) => each?.junit ?? [])];
  const known = new Set(others.map((path) => posix.normalize(path)));
  return [model.train, gates.unit?.run ?? [], gates.model?.run ?? []]
    .flatMap((command) => {
      const words = commandWords(command);
      return words.filter((word, i) => !word.startsWith("-") && standsAlone(words, i));
    })
    .map((word) => posix.normalize(word))
    .filter((path) => !known.has(path));
}

const WORD = /\s*((?:[^\s"'\\]|"(?:[^"\\]|\\.)*"|'[^']*'|\\.)+)/gsy;

/** False for a command that `commandWords` could not take whole. */
function isBalanced(value: string | readonly string[]): boolean {
  return typeof value !== "string" || (value.trim() !== "" && value.trim().replace(WORD, "").trim() === "");
}

/** A command as words. Single and double quotes group words, a backslash quotes one character outside single quotes; nothing is expanded. */
export function commandWords(value: string | readonly string[]): string[] {
  if (typeof value !== "string") return [...value];
  const words: string[] = [];
  for (const match of value.matchAll(WORD)) {
    words.push(
      (match[1] ?? "").replace(
        /"((?:[^"\\]|\\.)*)"|'([^']*)'|\\(.)/gs,
        (_, double?: string, single?: string, one?: string) =>
          double !== undefined ? double.replace(/\\(.)/gs, "$1") : (single ?? one ?? ""),
      ),
    );
  }
  return words;
}
