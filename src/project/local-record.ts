import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";

/** As much as a project needs of the record that `local start` keeps; whole it is in local/server.ts. */
const recorded = z.object({ process: z.object({ port: z.int().min(1).max(65_535) }) });

/** Where the local server of a home keeps its database, artifacts, log and record. */
export function stateFolder(home: string): string {
  return join(home, ".factory", "local");
}

/** The port on which the server of a home was started and not stopped; undefined when there is none. */
export function recordedPort(home: string): number | undefined {
  try {
    const parsed: unknown = JSON.parse(readFileSync(join(stateFolder(home), "server.json"), "utf8"));
    return recorded.safeParse(parsed).data?.process.port;
  } catch {
    return undefined;
  }
}
