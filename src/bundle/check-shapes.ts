import { nearest } from "../lib/nearest.ts";
import type { BundleFinding, Path } from "./finding.ts";
import { type BundleDocument, eachWith, locate } from "./load.ts";
import { at, entriesOf } from "./node.ts";
import { checkShape, type ShapeProblem } from "./shape.ts";
import { BUNDLE_SHAPES } from "./shapes-of-bundle.ts";
import { CHECKED_KINDS, RESOURCE_KINDS, RESOURCE_SHAPES } from "./shapes-of-resources.ts";

/** Fields that do not exist, are missing, or hold what they cannot. Pure. */
export function checkShapes(documents: readonly BundleDocument[]): BundleFinding[] {
  return [
    ...documents.flatMap((document) =>
      checkShape(document.value, "@root", BUNDLE_SHAPES, []).map((problem) => found(document, problem)),
    ),
    ...nameOfBundle(documents),
    ...resources(documents),
    ...doubles(documents),
  ];
}

function found(document: BundleDocument, { path, message, hint }: ShapeProblem): BundleFinding {
  return locate(document, path, "error", message, hint);
}

function nameOfBundle(documents: readonly BundleDocument[]): BundleFinding[] {
  const [root] = documents;
  if (root === undefined || documents.some((document) => typeof at(document.value, "bundle", "name") === "string"))
    return [];
  return [
    locate(
      root,
      ["bundle"],
      "error",
      "bundle.name is missing",
      "name the project: every path in the workspace is made from it",
    ),
  ];
}

/** Each place where resources are defined: the files themselves, and what targets add. */
function resources(documents: readonly BundleDocument[]): BundleFinding[] {
  const findings: BundleFinding[] = [];
  const targets = eachWith(documents, "targets").flatMap(({ document, value }) =>
    entriesOf(value).map(([name, target]) => ({
      document,
      path: ["targets", name, "resources"],
      value: at(target, "resources"),
    })),
  );
  const places = [
    ...documents.map((document) => ({ document, path: ["resources"], value: document.value.resources })),
    ...targets,
  ];
  for (const { document, path, value } of places)
    for (const [kind, items] of entriesOf(value)) {
      const type = CHECKED_KINDS[kind];
      if (!RESOURCE_KINDS.includes(kind)) {
        const guess = nearest(kind, RESOURCE_KINDS);
        findings.push(
          locate(
            document,
            [...path, kind],
            "error",
            `there is no kind of resource ${JSON.stringify(kind)}`,
            guess && `did you mean ${guess}?`,
          ),
        );
      } else if (type !== undefined)
        for (const [key, item] of entriesOf(items))
          for (const problem of checkShape(item, type, RESOURCE_SHAPES, [...path, kind, key]))
            if (!isBroughtElsewhere(problem, path, documents, targets)) findings.push(found(document, problem));
    }
  return findings;
}

/** A target changes what is defined at the root, and may bring what is missing there. */
function isBroughtElsewhere(
  { path, missing }: ShapeProblem,
  base: Path,
  documents: readonly BundleDocument[],
  targets: readonly { value: unknown }[],
): boolean {
  if (missing === undefined) return false;
  const below = path.slice(base.length);
  if (base[0] === "targets")
    return documents.some((document) => at(document.value, "resources", ...below.slice(0, 2)) !== undefined);
  return targets.length > 0 && targets.every(({ value }) => at(value, ...below, missing) !== undefined);
}

/** A resource is named once in the whole bundle, whatever its kind. */
function doubles(documents: readonly BundleDocument[]): BundleFinding[] {
  const seen = new Map<string, string>();
  const findings: BundleFinding[] = [];
  for (const { document, value } of eachWith(documents, "resources"))
    for (const [kind, items] of entriesOf(value))
      for (const [key] of entriesOf(items)) {
        const line = document.lineOf(["resources", kind, key]);
        const place = `${document.file}${line === undefined ? "" : `:${line}`}`;
        const other = seen.get(key);
        if (other === undefined) seen.set(key, place);
        else
          findings.push(
            locate(
              document,
              ["resources", kind, key],
              "error",
              `${JSON.stringify(key)} names another resource too, in ${other}`,
              "give each resource a name of its own",
            ),
          );
      }
  return findings;
}
