import * as z from "zod";
import type { MetricRule } from "../project/project.ts";
import type { Finding } from "./gate.ts";

/** The metrics file that a project's model tests write to `FACTORY_METRICS`. */
export const metricsSchema = z.strictObject({
  schema: z.literal("factory.metrics/v1"),
  metrics: z
    .array(
      z.strictObject({
        name: z.string().min(1),
        value: z.number(),
        slice: z.string().min(1).optional().describe("`column=group`, such as physlm=1"),
        n: z.int().min(1).describe("how many rows the value rests on"),
        model: z.enum(["candidate", "champion"]),
        dataset: z.string().regex(/^[0-9a-f]{64}$/, "the SHA-256 of the evaluated data, 64 hex digits"),
      }),
    )
    .min(1),
});
export type Metric = z.infer<typeof metricsSchema>["metrics"][number];

/** Thresholds are judged on values rounded to 12 significant digits: a verdict must not hang on the order of additions. */
export function rounded(value: number): number {
  return Number(value.toPrecision(12));
}

export interface MetricJudgement {
  ok: boolean;
  /** `AUC 0.67 ≥ 0.62`, one part of the gate's line. */
  text: string;
  finding?: Finding;
}

/** Judges the candidate's metrics by the rules of factory.yaml. A rule without its metric is a failed rule. Pure. */
export function judgeMetrics(rules: readonly MetricRule[], metrics: readonly Metric[]): MetricJudgement[] {
  const candidate = metrics.filter((metric) => metric.model === "candidate");
  return rules.flatMap((rule) => judgeRule(rule, candidate));
}

function judgeRule(rule: MetricRule, candidate: readonly Metric[]): MetricJudgement[] {
  const named = candidate.filter((metric) => metric.name === rule.name);
  const found = named.filter((metric) =>
    rule.slice === undefined ? metric.slice === undefined : groupOf(metric, rule.slice) !== undefined,
  );
  const label = rule.slice === undefined ? rule.name : `${rule.name} by ${rule.slice}`;
  if (found.length === 0)
    return [
      fail(
        `${label} missing`,
        `the model tests measured no ${label}`,
        "write it to the file that FACTORY_METRICS names",
      ),
    ];
  const doubled = found.find((metric, i) => found.findIndex((other) => other.slice === metric.slice) !== i);
  if (doubled !== undefined)
    return [
      fail(
        `${label} twice`,
        `${label} is reported more than once${doubled.slice === undefined ? "" : ` for ${doubled.slice}`}`,
      ),
    ];
  const judgements: MetricJudgement[] = [];
  for (const metric of found) {
    const value = rounded(metric.value);
    const name = metric.slice === undefined ? rule.name : `${rule.name} (${metric.slice})`;
    // Written so that NaN, which the schema refuses anyway, could not pass.
    if (rule.min !== undefined) judgements.push(judge(value >= rule.min, `${name} ${show(value)}`, "≥", "<", rule.min));
    if (rule.max !== undefined) judgements.push(judge(value <= rule.max, `${name} ${show(value)}`, "≤", ">", rule.max));
  }
  if (rule.maxGap !== undefined) judgements.push(judgeGap(rule, rule.maxGap, found));
  return judgements;
}

function judgeGap(rule: MetricRule, maxGap: number, found: readonly Metric[]): MetricJudgement {
  const label = `slice ${rule.slice} gap`;
  if (found.length < 2)
    return fail(
      `${label} unknown`,
      `${rule.name} by ${rule.slice} has only the group ${found[0]?.slice}: a gap needs two`,
      "report every group of the slice",
    );
  const values = found.map((metric) => metric.value);
  return judge(
    rounded(Math.max(...values) - Math.min(...values)) <= maxGap,
    `${label} ${show(rounded(Math.max(...values) - Math.min(...values)))}`,
    "≤",
    ">",
    maxGap,
  );
}

function judge(ok: boolean, left: string, sign: string, broken: string, limit: number): MetricJudgement {
  const text = `${left} ${ok ? sign : broken} ${limit}`;
  return ok ? { ok, text } : { ok, text, finding: { message: text, detail: `the rule is ${sign} ${limit}` } };
}

function fail(text: string, message: string, fix?: string): MetricJudgement {
  return { ok: false, text, finding: { message, ...(fix !== undefined && { fix }) } };
}

/** The group that a metric's slice names, when it is a slice of this column. */
export function groupOf(metric: Metric, slice: string): string | undefined {
  return metric.slice?.startsWith(`${slice}=`) === true ? metric.slice.slice(slice.length + 1) : undefined;
}

/** Four significant digits at most, as a person reads a metric. */
export function show(value: number): string {
  return String(Number(value.toPrecision(Math.abs(value) >= 1 ? 4 : 3)));
}
