import type { Entry } from "../ledger/entry.ts";
import { BUNDLE_FILE } from "./bundle-index.ts";
import { INDEX_FILE } from "./evidence-index.ts";

/** An evidence or a bundle that the ledger names, and the environments whose stores may hold it. */
export interface NamedObject {
  digest: string;
  index: typeof INDEX_FILE | typeof BUNDLE_FILE;
  environments: string[];
}

/** The model digest behind `version` of an environment, by the ledger; undefined when nothing was ever registered as that. Pure. */
export function digestOfVersion(entries: readonly Entry[], environment: string, version: string): string | undefined {
  const found = entries.findLast(
    (entry) =>
      (entry.kind === "registered" || entry.kind === "promoted") &&
      entry.body.environment === environment &&
      entry.body.version === version,
  );
  return found !== undefined && "digest" in found.body ? found.body.digest : undefined;
}

/** Every evidence and bundle that a chain names, of one candidate or of all; each once, in the order of the chain. Pure. */
export function planExport(entries: readonly Entry[], candidate: string | "all"): NamedObject[] {
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
    if (!("digest" in entry.body) || (candidate !== "all" && entry.body.digest !== candidate)) continue;
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
