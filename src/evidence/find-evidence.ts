import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { usageError } from "../lib/error.ts";
import { type Evidence, latestEvidence, readEvidence } from "./read-evidence.ts";

/** The evidence that is named by digest (8 digits or more, `sha256:` before it or not), else the latest; verified. Throws exit 2. */
export async function findEvidence(evidenceRoot: string, named: string | undefined): Promise<Evidence> {
  if (named === undefined) {
    const latest = await latestEvidence(evidenceRoot);
    if (latest === undefined) throw usageError("evidence.none", "there is no evidence yet", "factory check");
    return latest;
  }
  const prefix = named.replace(/^sha256:/, "").toLowerCase();
  if (!/^[0-9a-f]{8,64}$/.test(prefix))
    throw usageError(
      "evidence.digest",
      `${JSON.stringify(named)} is not the digest of evidence`,
      "8 to 64 hex digits, as factory check prints them",
    );
  const folders = existsSync(evidenceRoot)
    ? readdirSync(evidenceRoot).filter((name) => /^[0-9a-f]{64}$/.test(name) && name.startsWith(prefix))
    : [];
  const [found] = folders;
  if (found === undefined || folders.length > 1) {
    throw usageError(
      "evidence.unknown",
      found === undefined
        ? `no evidence ${prefix} in ${evidenceRoot}`
        : `${folders.length} evidences begin with ${prefix}: give more digits`,
    );
  }
  return readEvidence(join(evidenceRoot, found), found);
}

/** The newest evidence about a run, else the latest of all; verified. Throws exit 2 when there is none. */
export async function evidenceOfRun(evidenceRoot: string, run: string | undefined): Promise<Evidence> {
  if (run === undefined) return findEvidence(evidenceRoot, undefined);
  const folders = existsSync(evidenceRoot)
    ? readdirSync(evidenceRoot).filter((name) => /^[0-9a-f]{64}$/.test(name))
    : [];
  const all = await Promise.all(folders.map((name) => readEvidence(join(evidenceRoot, name), name)));
  const [newest] = all
    .filter((each) => each.facts.run.id === run)
    .sort((a, b) => (a.facts.finished < b.facts.finished ? 1 : -1));
  if (newest !== undefined) return newest;
  throw usageError("evidence.run", `there is no evidence about run ${run}`, `factory check --run ${run}`);
}
