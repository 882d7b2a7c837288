import { existsSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { readTextFile, writeFileAtomic } from "../lib/files.ts";

const lastRun = z.object({
  v: z.literal(1),
  run: z.string().regex(/^[0-9a-f]{32}$/),
  experiment: z.string(),
  environment: z.string(),
  tracking: z.string(),
  modelId: z.string(),
  modelDigest: z.string().regex(/^[0-9a-f]{64}$/),
  finishedAt: z.iso.datetime(),
});
export type LastRun = z.infer<typeof lastRun>;

/** Remembers the last run that could be judged: `check` takes it when none is named. A convenience; nothing trusts it. */
export function rememberRun(projectFolder: string, run: LastRun): void {
  writeFileAtomic(pathIn(projectFolder), `${JSON.stringify(run, null, 2)}\n`);
}

/** The last successful training of this project on this machine; undefined when there is none, or the file is not readable. */
export function recallRun(projectFolder: string): LastRun | undefined {
  const path = pathIn(projectFolder);
  if (!existsSync(path)) return undefined;
  try {
    return lastRun.parse(JSON.parse(readTextFile(path, "last run")));
  } catch {
    return undefined;
  }
}

function pathIn(projectFolder: string): string {
  return join(projectFolder, ".factory", "cache", "last-run.json");
}
