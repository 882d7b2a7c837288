import { describe, expect, it } from "vitest";
import { judgeBaseline } from "../../src/gates/baseline.ts";
import { judgeMetrics, type Metric, metricsSchema } from "../../src/gates/metrics.ts";
import type { MetricRule } from "../../src/project/project.ts";

const DATASET = "a".repeat(64);
const metric = (value: number, more: Partial<Metric> = {}): Metric => ({
  name: "roc_auc",
  value,
  n: 100,
  model: "candidate",
  dataset: DATASET,
  ...more,
});

describe("metric rules", () => {
  const cases: [string, MetricRule, Metric[], boolean][] = [
    ["at the floor", { name: "roc_auc", min: 0.62 }, [metric(0.62)], true],
    ["under the floor", { name: "roc_auc", min: 0.62 }, [metric(0.6199)], false],
    ["above the ceiling", { name: "roc_auc", max: 0.9 }, [metric(0.91)], false],
    ["not measured", { name: "roc_auc", min: 0.62 }, [], false],
    ["measured for the champion only", { name: "roc_auc", min: 0.62 }, [metric(0.7, { model: "champion" })], false],
    ["only a slice measured", { name: "roc_auc", min: 0.62 }, [metric(0.7, { slice: "physlm=1" })], false],
    ["measured twice", { name: "roc_auc", min: 0.62 }, [metric(0.7), metric(0.5)], false],
    [
      "gap within",
      { name: "roc_auc", slice: "physlm", maxGap: 0.12 },
      [metric(0.7, { slice: "physlm=0" }), metric(0.58, { slice: "physlm=1" })],
      true,
    ],
    [
      "gap beyond",
      { name: "roc_auc", slice: "physlm", maxGap: 0.12 },
      [metric(0.7, { slice: "physlm=0" }), metric(0.57, { slice: "physlm=1" })],
      false,
    ],
    [
      "gap of one group",
      { name: "roc_auc", slice: "physlm", maxGap: 0.12 },
      [metric(0.7, { slice: "physlm=0" })],
      false,
    ],
    [
      "gap of another column",
      { name: "roc_auc", slice: "phys", maxGap: 0.12 },
      [metric(0.7, { slice: "physlm=0" }), metric(0.7, { slice: "physlm=1" })],
      false,
    ],
    [
      "each group under its floor",
      { name: "roc_auc", slice: "physlm", min: 0.6 },
      [metric(0.7, { slice: "physlm=0" }), metric(0.5, { slice: "physlm=1" })],
      false,
    ],
    ["noise in the last digit does not decide", { name: "roc_auc", min: 0.3 }, [metric(0.1 + 0.2 - 1e-16)], true],
  ];
  it.each(cases)("%s", (_, rule, metrics, ok) => {
    expect(judgeMetrics([rule], metrics).every((each) => each.ok)).toBe(ok);
  });

  it.each([
    ["NaN", { schema: "factory.metrics/v1", metrics: [{ ...metric(0), value: "NaN" }] }],
    ["no metric", { schema: "factory.metrics/v1", metrics: [] }],
    ["an unknown key", { schema: "factory.metrics/v1", metrics: [{ ...metric(0.7), weight: 2 }] }],
    ["no rows", { schema: "factory.metrics/v1", metrics: [{ ...metric(0.7), n: 0 }] }],
    ["a short digest", { schema: "factory.metrics/v1", metrics: [{ ...metric(0.7), dataset: "abc" }] }],
    ["a later version", { schema: "factory.metrics/v2", metrics: [metric(0.7)] }],
  ])("a metrics file with %s is refused", (_, file) => {
    expect(metricsSchema.safeParse(file).success).toBe(false);
  });
});

describe("baseline", () => {
  const rules: MetricRule[] = [{ name: "roc_auc", min: 0.62, champion: { maxDrop: 0.01 } }];
  const champion = {
    kind: "version",
    environment: "prod",
    version: "1",
    digest: DATASET,
    commit: undefined,
    folder: "/models/1",
  } as const;
  it.each([
    ["within the drop", [metric(0.66), metric(0.665, { model: "champion" })], "pass"],
    ["beyond the drop", [metric(0.65), metric(0.665, { model: "champion" })], "fail"],
    ["another dataset", [metric(0.66), metric(0.665, { model: "champion", dataset: "b".repeat(64) })], "error"],
    ["champion not measured", [metric(0.66)], "error"],
    ["nothing measured", [], "error"],
  ] satisfies [string, Metric[], string][])("%s", (_, metrics, verdict) => {
    expect(judgeBaseline(rules, metrics, champion).verdict).toBe(verdict);
  });

  it("names a first release as such", () => {
    expect(judgeBaseline(rules, [], { kind: "first-release" })).toMatchObject({
      verdict: "pass",
      summary: expect.stringContaining("first release"),
    });
  });
  it("cannot tell about a champion that cannot be read", () => {
    expect(
      judgeBaseline(rules, [metric(0.7)], { kind: "unreadable", environment: "prod", reason: "gone" }).verdict,
    ).toBe("error");
  });
  it("fails when no rule compares with the champion", () => {
    expect(judgeBaseline([{ name: "roc_auc", min: 0.62 }], [metric(0.7)], champion).verdict).toBe("fail");
  });
});
