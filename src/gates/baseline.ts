import type { MetricRule } from "../project/project.ts";
import type { Finding, Outcome } from "./gate.ts";
import { groupOf, type Metric, rounded, show } from "./metrics.ts";

/** The champion that a candidate is compared with; `first-release` when nothing was ever released anywhere. */
export type Champion =
  | { kind: "first-release" }
  | {
      kind: "version";
      environment: string;
      version: string;
      digest: string;
      commit: string | undefined;
      folder: string;
    }
  | { kind: "unreadable"; environment: string; reason: string };

/**
 * Compares candidate and champion by the `champion` rules of factory.yaml, on values with the same dataset only.
 * What cannot be compared is an error, never a pass. Pure.
 */
export function judgeBaseline(rules: readonly MetricRule[], metrics: readonly Metric[], champion: Champion): Outcome {
  if (champion.kind === "unreadable") {
    return {
      verdict: "error",
      summary: `the champion of ${champion.environment} cannot be read`,
      findings: [{ message: champion.reason }],
    };
  }
  if (champion.kind === "first-release")
    return { verdict: "pass", summary: "first release: nothing to compare with, floors only", cases: 0 };
  const compared = rules.filter((rule) => rule.champion !== undefined);
  const who = `champion ${champion.environment} v${champion.version}`;
  if (compared.length === 0) {
    return {
      verdict: "fail",
      summary: `no metric is compared with ${who}`,
      findings: [
        {
          message: "no rule in factory.yaml has champion limits",
          fix: "add `champion: { maxDrop: … }` to a metric under gates.model.metrics",
        },
      ],
    };
  }
  const parts: string[] = [];
  const failures: Finding[] = [];
  const unknown: Finding[] = [];
  for (const rule of compared) {
    const pairs = pairsOf(rule, metrics);
    if (pairs.length === 0)
      unknown.push({
        message: `${rule.name} was not measured for the champion`,
        fix: "the model tests must evaluate FACTORY_CHAMPION and write model: champion",
      });
    for (const message of unmatched(rule, metrics)) unknown.push({ message });
    for (const { candidate, champion: before } of pairs) {
      if (before === undefined) {
        unknown.push({
          message: `${rule.name}${candidate.slice ? ` (${candidate.slice})` : ""} has no champion value on the same dataset`,
          detail: `dataset ${candidate.dataset.slice(0, 12)}…`,
        });
        continue;
      }
      const drop = rounded(before.value - candidate.value);
      const tooLow = rule.champion?.maxDrop !== undefined && !(drop <= rule.champion.maxDrop);
      const tooHigh = rule.champion?.maxRise !== undefined && !(-drop <= rule.champion.maxRise);
      parts.push(`${rule.name} ${show(before.value)} → ${show(candidate.value)}`);
      if (tooLow)
        failures.push({
          message: `${rule.name} fell by ${show(drop)}`,
          detail: `at most ${rule.champion?.maxDrop} below ${who}`,
        });
      if (tooHigh)
        failures.push({
          message: `${rule.name} rose by ${show(-drop)}`,
          detail: `at most ${rule.champion?.maxRise} above ${who}`,
        });
    }
  }
  const summary = [who, ...parts].join(" ");
  if (failures.length > 0)
    return { verdict: "fail", summary, findings: [...failures, ...unknown], cases: parts.length };
  if (unknown.length > 0) return { verdict: "error", summary, findings: unknown, cases: parts.length };
  return { verdict: "pass", summary, cases: parts.length };
}

/** Champion values without a counterpart, and those that stand twice: a group that is left out must not pass for a good one. */
function unmatched(rule: MetricRule, metrics: readonly Metric[]): string[] {
  const champions = valuesOf(rule, metrics, "champion");
  const candidates = valuesOf(rule, metrics, "candidate");
  return champions.flatMap((each, i) => {
    const label = `${rule.name}${each.slice ? ` (${each.slice})` : ""}`;
    const same = (other: Metric) => other.slice === each.slice && other.dataset === each.dataset;
    if (champions.findIndex(same) !== i) return [`${label} is reported more than once for the champion`];
    return candidates.some((other) => other.slice === each.slice)
      ? []
      : [`${label} was measured for the champion only`];
  });
}

function valuesOf(rule: MetricRule, metrics: readonly Metric[], model: Metric["model"]): Metric[] {
  return metrics.filter(
    (metric) =>
      metric.model === model &&
      metric.name === rule.name &&
      (rule.slice === undefined ? metric.slice === undefined : groupOf(metric, rule.slice) !== undefined),
  );
}

function pairsOf(rule: MetricRule, metrics: readonly Metric[]): { candidate: Metric; champion: Metric | undefined }[] {
  const champions = valuesOf(rule, metrics, "champion");
  return valuesOf(rule, metrics, "candidate").map((candidate) => ({
    candidate,
    champion: champions.find((each) => each.slice === candidate.slice && each.dataset === candidate.dataset),
  }));
}
