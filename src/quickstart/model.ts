import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { type CheckReport, checkReport } from "../check/report.ts";
import { outsideError } from "../lib/error.ts";
import type { Report } from "../lib/progress.ts";
import { projectEnvironment } from "../training/project-environment.ts";
import { takeKeptPython } from "./folder.ts";
import type { Stage } from "./stage.ts";
import { runFactory, type StepResult } from "./step.ts";

const trained = z.object({
  run: z.string().default(""),
  metrics: z.record(z.string(), z.number().nullable()).default({}),
  problems: z.array(z.string()).default([]),
});

export interface Trained {
  run: string;
  /** As training measured it; null when it did not. */
  auc: number | null;
  command: string;
  durationMs: number;
}

/** Trains in a project's folder, as the author. */
export async function trainModel({ author }: Stage, project: string, label: string): Promise<Trained> {
  const { ok, data, command, durationMs } = await runFactory(author, label, ["train"], project, trained);
  if (!ok)
    throw outsideError(
      "quickstart.train",
      `training failed: ${data.problems.join("; ")}`,
      `see ${project}/.factory/cache`,
    );
  return { run: data.run, auc: data.metrics.roc_auc ?? null, command, durationMs };
}

/** Judges the last run of a project's folder. */
export async function checkModel(
  { author }: Stage,
  project: string,
  label: string,
  ...flags: readonly string[]
): Promise<StepResult<CheckReport>> {
  return runFactory(author, label, ["check", ...flags], project, checkReport);
}

/** Installs a project's Python packages. */
export async function preparePython({ author, folder, uv }: Stage, project: string): Promise<void> {
  takeKeptPython(folder, project);
  await projectEnvironment(project, uv, author.env, withoutNotes(author.report), author.signal);
}

/** The note about a missing uv.lock is for people in their own project; here it is committed right away. */
function withoutNotes(report: Report): Report {
  return (event) => {
    if (event.type !== "note") report(event);
  };
}

/** Rows of the project's data: lines after the header; the file ends with a line feed. */
export function countRows(project: string): string {
  const lines = readFileSync(join(project, "data/claims.csv"), "latin1").split("\n");
  return (lines.length - 2).toLocaleString("en-US");
}
