import { checkShapes } from "./check-shapes.ts";
import type { BundleFinding } from "./finding.ts";
import { type BundleDocument, type BundleFiles, loadBundle } from "./load.ts";
import { checkLocalPaths } from "./local-paths.ts";
import { checkReferences } from "./references.ts";
import { checkResourceRules } from "./rules-of-resources.ts";
import { checkAuthentication, checkTargets } from "./targets.ts";
import { checkVariables } from "./variables.ts";

export interface CheckedBundle {
  /** The root file and those that it includes. */
  documents: readonly BundleDocument[];
  /** Errors first, by file and line. */
  findings: readonly BundleFinding[];
}

/**
 * Everything that can be said about a bundle without a workspace: one finding per flaw, each with file and line. `given`: variables
 * that the command line will bring. Whether Databricks takes it is for `databricks bundle validate` to say. Pure.
 */
export function checkBundle(files: BundleFiles, given: Readonly<Record<string, string>> = {}): CheckedBundle {
  const { documents, findings } = loadBundle(files);
  // What could not be read would be missed everywhere else.
  if (documents.length === 0 || findings.some((each) => each.message.startsWith("is not read")))
    return { documents, findings: sorted(findings) };
  const all = [
    ...findings,
    ...checkShapes(documents),
    ...checkVariables(documents, Object.keys(given)),
    ...checkReferences(documents),
    ...checkTargets(documents, given),
    ...checkAuthentication(documents),
    ...checkResourceRules(documents),
    ...checkLocalPaths(documents, files.paths),
  ];
  return { documents, findings: sorted(all) };
}

function sorted(findings: readonly BundleFinding[]): BundleFinding[] {
  const said = new Map<string, BundleFinding>();
  for (const each of findings)
    said.set([each.severity, each.file, each.line ?? 0, each.path, each.message].join("\n"), each);
  const order = { error: 0, warning: 1 };
  return [...said.values()].sort(
    (a, b) =>
      order[a.severity] - order[b.severity] ||
      (a.file < b.file ? -1 : a.file > b.file ? 1 : 0) ||
      (a.line ?? 0) - (b.line ?? 0),
  );
}
