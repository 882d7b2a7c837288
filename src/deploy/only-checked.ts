import { type Path, pathText } from "../bundle/finding.ts";
import type { BundleDocument } from "../bundle/load.ts";
import { type LocalReference, localReferences } from "../bundle/local-paths.ts";
import { at, entriesOf, isList, itemsOf, textOf } from "../bundle/node.ts";
import { placeOf } from "../bundle/place.ts";
import type { ResolvedBundle } from "../bundle/resolve.ts";
import type { Material } from "./material.ts";
import { refusedIn } from "./refused.ts";
import { isNamedLike, isRequirement, NAMED_LIKE } from "./rules-of-values.ts";

/** Files that the official program would build from, or take for the wheel. */
const NOT_AMONG_FILES = /(?:^|\/)setup\.py$|\.(?:whl|jar|egg|zip|gz)$/;
const LIBRARIES = new Set(["whl", "jar", "egg", "requirements"]);
const LISTS_OF_LIBRARIES = new Set(["dependencies", "java_dependencies"]);
const LEAVE_OUT =
  "leave it out: code and libraries come from the checked wheel, the bundle's own files and the package index";

/** Something that a deployment would bring and that was not checked. */
export interface Stranger {
  /** What it is, where it stands, and why it is refused. */
  what: string;
  fix: string;
}

/**
 * What a deployment of this bundle would upload, install or run beyond what was checked; each as a reader finds it. A closed world: what
 * is not known to be harmless is named. Before the last environments too, but in the first, where people try things, code and
 * libraries may also lie in the workspace. Pure.
 */
export function strangersOf(
  documents: readonly BundleDocument[],
  resolved: ResolvedBundle | undefined,
  { files, wheel }: Material,
  isFirst: boolean,
): Stranger[] {
  const read = new Set(documents.map(({ file }) => file));
  const references = localReferences(documents);
  const written = (kind: (each: LocalReference) => boolean) => new Set(references.filter(kind).map(({ text }) => text));
  const wheels = written(({ built, file }) => built && file !== undefined);
  const named = written(({ built, file }) => !built && file !== undefined);
  const config = resolved?.config;
  const place = (path: Path) => (resolved === undefined ? "" : ` (${placeOf(documents, resolved, path)})`);
  const found = [
    ...files
      .filter(({ path }) => NOT_AMONG_FILES.test(path) || (/\.ya?ml$/.test(path) && !read.has(path)))
      .map(({ path }) => (NOT_AMONG_FILES.test(path) ? `the file ${path}` : `${path}, which nothing includes`)),
    ...itemsOf(at(config, "sync", "paths"))
      .filter((path) => path !== ".")
      .map((path) => `sync.paths ${textOf(path) ?? "…"}`),
    ...entriesOf(at(config, "artifacts")).map(([name]) => `artifacts.${name}`),
    // A variable has no place of its own: what it names could not be told apart from what is named beside the wheel.
    ...documents.flatMap(({ value }) =>
      [value.variables, ...entriesOf(value.targets).map(([, target]) => at(target, "variables"))].flatMap((variables) =>
        [...librariesBelow(variables)].map(({ text }) => `the library ${text} of a variable`),
      ),
    ),
    ...[...librariesBelow(at(config, "resources"), ["resources"])].flatMap(({ text, path }) => {
      if (wheels.has(text) || (isFirst && (isRemote(text) || isRequirement(text)))) return [];
      if (!isRequirement(text)) return [`the library ${text}${place(path)}`];
      return isNamedLike(text, wheel.path) ? [`the library ${text}${place(path)}: ${NAMED_LIKE}`] : [];
    }),
  ].map((what) => ({ what, fix: LEAVE_OUT }));
  const refused = isFirst
    ? []
    : refusedIn(config, { named, wheel: wheel.path }).map(({ path, what, why, fix }) => ({
        what: `${what ?? pathText(path)}${place(path)}: ${why}`,
        fix,
      }));
  const all = [...found, ...refused];
  return all.filter(({ what }, i) => all.findIndex((each) => each.what === what) === i);
}

interface Found {
  text: string;
  path: Path;
}

/** Texts below a value that stand under a key of libraries, in a list or alone. */
function* librariesBelow(value: unknown, path: Path = []): Generator<Found> {
  if (isList(value)) for (const [i, item] of value.entries()) yield* librariesBelow(item, [...path, i]);
  for (const [key, item] of entriesOf(value)) {
    const here = [...path, key];
    if (!isLibrary(key, item)) yield* librariesBelow(item, here);
    else if (!isList(item)) yield { text: String(item), path: here };
    else for (const [i, each] of item.entries()) yield { text: String(each), path: [...here, i] };
  }
}

function isLibrary(key: string, item: unknown): boolean {
  return (
    (LIBRARIES.has(key) && typeof item === "string") ||
    (LISTS_OF_LIBRARIES.has(key) && (isList(item) || typeof item === "string")) ||
    // What should be a map or a list is one that nobody has put in its place.
    ((key === "libraries" || key === "spec") && typeof item === "string")
  );
}

/** Somewhere that a workspace can read, and not beside the bundle. */
function isRemote(text: string): boolean {
  return /^(?:\/(?:Volumes|Workspace)\/|dbfs:|s3:|abfss:|gs:)/.test(text) && !text.includes("${");
}
