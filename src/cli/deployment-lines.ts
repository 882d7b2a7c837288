import * as z from "zod";
import { MARK, type Style } from "./style.ts";

/** What the deployment job of a version was told, as `--json` shows it. */
export const deploymentShape = z.object({
  version: z.string(),
  tasks: z.array(z.string()).describe("approval tasks of the job, each the name of a tag on the version"),
  run: z
    .enum(["goes on", "waits", "over", "none"])
    .optional()
    .describe("how its run stands; none: this version has no run; absent: not known"),
  why: z.string().optional(),
  fix: z.string().optional(),
});
type Deployment = z.infer<typeof deploymentShape>;

interface Told extends Omit<Deployment, "tasks" | "run" | "why" | "fix"> {
  tasks: readonly string[];
  run?: Deployment["run"];
  why?: string;
  fix?: string;
}

/** As a part of a command's data. */
export function deploymentData(told: Told | undefined): { deployment?: Deployment } {
  return told === undefined ? {} : { deployment: { ...told, tasks: [...told.tasks] } };
}

const RUNS = {
  "goes on": "its run goes on",
  waits: "its run waits",
  over: "its run is over",
  none: "no run waits for it",
} as const;

/** After a version was approved. */
export function approvedLines(told: Deployment | undefined, style: Style): string[] {
  if (told === undefined) return [];
  const { tasks, run, version } = told;
  const what =
    tasks.length === 0
      ? `the deployment job of v${version} was not told`
      : `deployment job of v${version} told (${tasks.join(", ")})${run === undefined ? "" : `, ${RUNS[run]}`}`;
  return marked(what, told, tasks.length > 0 && run === "goes on", style);
}

/** After an approval was taken back. */
export function withdrawnLines(told: Deployment | undefined, style: Style): string[] {
  if (told === undefined) return [];
  const { tasks, version } = told;
  const what =
    tasks.length === 0
      ? `v${version} may still be approved for its deployment job`
      : `deployment job: v${version} is approved no longer (${tasks.join(", ")}); what has passed its approval goes on`;
  return marked(what, told, tasks.length > 0, style);
}

function marked(what: string, { why, fix }: Deployment, good: boolean, style: Style): string[] {
  return [
    `${good ? style.ok(MARK.pass) : style.warn(MARK.note)} ${what}${why === undefined ? "" : `: ${why}`}`,
    ...(fix === undefined ? [] : [`  ${style.dim("→")} ${fix}`]),
  ];
}
