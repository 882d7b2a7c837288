import type { Entry } from "../ledger/entry.ts";
import { BUNDLE_FILE } from "./bundle-index.ts";
import { INDEX_FILE } from "./evidence-index.ts";

/** An evidence or a bundle that the ledger names, and the environments whose stores may hold it. */
export interface NamedObject {
  digest: string;
  index: typeof INDEX_FILE | typeof BUNDLE_FILE;
  environments: string[];
}

/**
 * Every evidence and bundle that a chain names, of one candidate (a model digest) and what it was rolled back to, or of all; each
 * once, in the order of the chain. Pure.
 */
export function planExport(entries: readonly Entry[], candidate: string | "all"): NamedObject[] {
  const about = candidate === "all" ? undefined : withWaysBack(entries, candidate);
  const objects = new Map<string, NamedObject>();
  const name = (digest: string | undefined, index: NamedObject["index"], environments: readonly string[]): void => {
    if (digest === undefined) return;
    const known = objects.get(digest) ?? { digest, index, environments: [] };
    objects.set(digest, known);
    for (const each of environments) if (!known.environments.includes(each)) known.environments.push(each);
  };
  const evidenceOf = new Map(
    entries.flatMap((entry) => (entry.kind === "registered" ? [[entry.body.evidence, entry.body.environment]] : [])),
  );
  for (const entry of entries) {
    if (!("digest" in entry.body) || (about !== undefined && !isAbout(entry, about))) continue;
    const here = entry.body.environment;
    if ("evidence" in entry.body) {
      const source = entry.kind === "promotion.started" ? [entry.body.from.environment] : [];
      const first = evidenceOf.get(entry.body.evidence);
      name(entry.body.evidence, INDEX_FILE, [...(first === undefined ? [] : [first]), ...source, here]);
    }
    if ("bundle" in entry.body) name(entry.body.bundle, BUNDLE_FILE, [here]);
  }
  return [...objects.values()];
}

/** The decision of a rollback is about what serves again, and rests on its evidence: whoever gets the one needs the other. */
function withWaysBack(entries: readonly Entry[], candidate: string): ReadonlySet<string> {
  const about = new Set([candidate]);
  // One may lead to the next, in whatever order they happened: a set grows while it is walked.
  for (const digest of about)
    for (const entry of entries)
      if (entry.kind === "rolledback" && entry.body.digest === digest && entry.body.to !== "none")
        about.add(entry.body.to.digest);
  return about;
}

/** A rollback is about what it takes away and about what serves again. */
function isAbout(entry: Entry, candidates: ReadonlySet<string>): boolean {
  if (!("digest" in entry.body)) return false;
  const again = entry.kind === "rolledback" && entry.body.to !== "none" ? entry.body.to.digest : undefined;
  return candidates.has(entry.body.digest) || (again !== undefined && candidates.has(again));
}
