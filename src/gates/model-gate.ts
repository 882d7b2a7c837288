import { existsSync } from "node:fs";
import { join } from "node:path";
import { FactoryError, messageOf } from "../lib/error.ts";
import type { Project } from "../project/project.ts";
import { runCommandGate } from "./command-gate.ts";
import type { GateSetting, Outcome } from "./gate.ts";
import { judgeMetrics, type Metric, metricsSchema } from "./metrics.ts";
import { readPlainFile } from "./plain-file.ts";

const MAX_METRICS_BYTES = 4 << 20;

export interface ModelGateInput {
  /** Folder of the candidate's verified bytes; without it the project's tests train into a temporary folder. */
  candidate: string | undefined;
  /** Folder of the champion's verified bytes. */
  champion: string | undefined;
}

export interface ModelOutcome extends Outcome {
  metrics: Metric[];
}

/** Runs the model tests and judges both their cases and the metrics that they measured. */
export async function runModelGate(
  gate: NonNullable<Project["gates"]["model"]>,
  input: ModelGateInput,
  setting: GateSetting,
): Promise<ModelOutcome> {
  const metricsPath = join(setting.work, "metrics.json");
  const variables = {
    FACTORY_METRICS: metricsPath,
    ...(input.candidate !== undefined && { FACTORY_CANDIDATE: input.candidate }),
    ...(input.champion !== undefined && { FACTORY_CHAMPION: input.champion }),
  };
  const ran = await runCommandGate({ name: "model", run: gate.run, junit: gate.junit, variables }, setting);
  const read = readMetrics(metricsPath);
  if (typeof read === "string") {
    // Failed tests are the better news to tell; without them the missing figures decide.
    if (ran.verdict !== "pass") return { ...ran, metrics: [] };
    return {
      ...ran,
      metrics: [],
      verdict: "error",
      summary: "the metrics could not be read",
      findings: [{ message: read, fix: "the model tests must write the file that FACTORY_METRICS names" }],
    };
  }
  const { metrics, content } = read;
  const files = [...ran.files, { name: "model/metrics.json", content, mediaType: "application/json" }];
  if (ran.verdict === "error") return { ...ran, files, metrics };
  const judged = judgeMetrics(gate.metrics, metrics);
  const broken = judged.filter((each) => !each.ok);
  const findings = [...ran.findings, ...broken.flatMap((each) => each.finding ?? [])];
  if (ran.verdict === "fail") return { ...ran, files, findings, metrics };
  if (judged.length === 0 && input.champion === undefined) {
    const finding = {
      message: "no rule has min, max or maxGap: a first release would be judged by nothing",
      fix: "give a metric under gates.model.metrics a floor",
    };
    return {
      verdict: "fail",
      summary: "no metric has a limit of its own",
      findings: [finding],
      cases: ran.cases,
      files,
      metrics,
    };
  }
  const shown = (broken.length > 0 ? broken : judged).map((each) => each.text).join("; ");
  return { verdict: broken.length > 0 ? "fail" : "pass", summary: shown, findings, cases: ran.cases, files, metrics };
}

function readMetrics(path: string): { metrics: Metric[]; content: Buffer } | string {
  if (!existsSync(path)) return "no metrics were written";
  try {
    const content = readPlainFile(path, MAX_METRICS_BYTES, "the metrics file");
    const parsed = metricsSchema.safeParse(JSON.parse(content.toString("utf8")));
    if (parsed.success) return { metrics: parsed.data.metrics, content };
    const issue = parsed.error.issues[0];
    return `the metrics file is not factory.metrics/v1: ${issue?.path.join(".")}: ${issue?.message}`;
  } catch (error) {
    return error instanceof FactoryError ? error.message : `the metrics file is not JSON: ${messageOf(error)}`;
  }
}
