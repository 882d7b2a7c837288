import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import type { LogEntry } from "./log.ts";

const folder = join(dirname(fileURLToPath(import.meta.url)), "judged");
/** Clients that are not ours; a signed address is asked by the SDK's plain `requests`. */
const OUTSIDE = /\bdatabricks-sdk-py\/|\bmlflow-python-client\/|^python-requests\//;

/**
 * Holds which routes did their work for an outside client, against the list in `judged/`: so that a route that such a client no longer
 * reaches is noticed. `npx vitest run -u <test>` writes the list anew.
 */
export async function holdJudged(judge: string, log: readonly LogEntry[]): Promise<void> {
  await expect(`${outsideRoutes(log).join("\n")}\n`).toMatchFileSnapshot(join(folder, `${judge}.txt`));
}

export function outsideRoutes(log: readonly LogEntry[]): string[] {
  const routes = log.filter((entry) => entry.acted && OUTSIDE.test(entry.userAgent)).map((entry) => entry.route ?? "");
  return [...new Set(routes)].sort();
}

/** Every route that some judge reaches, by the lists. */
export function judgedRoutes(): Set<string> {
  return new Set(
    readdirSync(folder).flatMap((name) =>
      readFileSync(join(folder, name), "utf8")
        .split("\n")
        .filter((line) => line !== ""),
    ),
  );
}
