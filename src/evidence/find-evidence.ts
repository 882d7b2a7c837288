import { existsSync, readdirSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { FactoryError, usageError } from "../lib/error.ts";
import type { Report } from "../lib/progress.ts";
import { type Picked, pickEvidence } from "./pick-evidence.ts";
import { type Evidence, latestEvidence, readEvidence } from "./read-evidence.ts";

/** The evidence that is named by digest (8 digits or more, `sha256:` before it or not), else the latest; verified. Throws exit 2. */
export async function findEvidence(evidenceRoot: string, named: string | undefined): Promise<Evidence> {
  if (named === undefined) {
    const latest = await latestEvidence(evidenceRoot);
    if (latest === undefined) throw usageError("evidence.none", "there is no evidence yet", "factory check");
    return latest;
  }
  const prefix = digestPrefix(named);
  if (prefix === undefined)
    throw usageError(
      "evidence.digest",
      `${JSON.stringify(named)} is not the digest of evidence`,
      "8 to 64 hex digits, as factory check prints them",
    );
  const folders = foldersOf(evidenceRoot).filter((name) => name.startsWith(prefix));
  const [found] = folders;
  if (found === undefined)
    throw usageError(
      "evidence.unknown",
      `no evidence ${prefix} in ${evidenceRoot}`,
      "its digest stands below factory check; the newest: factory evidence show",
    );
  if (folders.length > 1)
    throw usageError("evidence.unknown", `${folders.length} evidences begin with ${prefix}: give more digits`);
  return readEvidence(join(evidenceRoot, found), found);
}

/** The evidence in a folder, whose name may be cut to the first digits of its digest, or that is named by these alone. Throws exit 2. */
export async function evidenceAt(cwd: string, evidenceRoot: string, named: string): Promise<Evidence> {
  const path = resolve(cwd, named);
  // A folder that is there is meant, whatever it is called.
  if (existsSync(path) || digestPrefix(basename(named)) === undefined) return readEvidence(path);
  return findEvidence(/[/\\]/.test(named) ? dirname(path) : evidenceRoot, basename(named));
}

/**
 * Which evidence counts for a run (its id, or the first 8 characters of it or more), else for the run of the latest evidence;
 * verified. Throws exit 2 when there is none.
 */
export async function evidenceOfRun(
  evidenceRoot: string,
  named: string | undefined,
  required: readonly string[],
  report: Report,
): Promise<Picked> {
  const latest = await latestEvidence(evidenceRoot);
  if (named === undefined && latest === undefined)
    throw usageError("evidence.none", "there is no evidence yet", "factory check");
  const all = await readAll(evidenceRoot, latest, report);
  const run = named === undefined ? latest?.facts.run.id : runNamed(all, named);
  const picked = pickEvidence(
    all.filter((each) => each.facts.run.id === run),
    required,
    latest?.digest,
  );
  if (picked !== undefined) return picked;
  throw usageError(
    "evidence.run",
    `there is no evidence about run ${named}`,
    "factory check --run ID: all 32 digits, as factory train prints them",
  );
}

function runNamed(all: readonly Evidence[], named: string): string | undefined {
  const runs = [...new Set(all.map((each) => each.facts.run.id))];
  if (runs.includes(named)) return named;
  const prefix = named.replace(/…$/, "").toLowerCase();
  const found = prefix.length < 8 ? [] : runs.filter((run) => run.toLowerCase().startsWith(prefix));
  if (found.length > 1)
    throw usageError("evidence.run", `${found.length} runs begin with ${prefix}`, "give more of the run's id");
  return found[0];
}

/** What was damaged since it was sealed counts as gone, and is named: checking again would not mend it, and would be in vain. */
async function readAll(evidenceRoot: string, latest: Evidence | undefined, report: Report): Promise<Evidence[]> {
  const read = async (name: string): Promise<Evidence[]> => {
    if (name === latest?.digest) return [latest];
    try {
      return [await readEvidence(join(evidenceRoot, name), name)];
    } catch (error) {
      if (!(error instanceof FactoryError)) throw error;
      report({ type: "note", tone: "warning", text: `left out, since it does not hold: ${error.message}` });
      return [];
    }
  };
  return (await Promise.all(foldersOf(evidenceRoot).map(read))).flat();
}

function foldersOf(evidenceRoot: string): string[] {
  return existsSync(evidenceRoot) ? readdirSync(evidenceRoot).filter((name) => /^[0-9a-f]{64}$/.test(name)) : [];
}

/** Digits as the screen prints them, `3d7c21b5bc4e…` too; undefined when it is none. */
function digestPrefix(named: string): string | undefined {
  const prefix = named
    .replace(/^sha256:/, "")
    .replace(/…$/, "")
    .toLowerCase();
  return /^[0-9a-f]{8,64}$/.test(prefix) ? prefix : undefined;
}
