import type { BundleDocument } from "../bundle/load.ts";
import { type LocalReference, localReferences } from "../bundle/local-paths.ts";
import { at, entriesOf, isList, isMap, itemsOf, textOf } from "../bundle/node.ts";
import type { ResolvedBundle } from "../bundle/resolve.ts";
import { isCommitId } from "../lib/commit-id.ts";
import type { Material } from "./material.ts";

/** Files that the official program would build from, or take for the wheel. */
const NOT_AMONG_FILES = /(?:^|\/)setup\.py$|\.(?:whl|jar|egg|zip|gz)$/;
const LIBRARIES = new Set(["whl", "jar", "egg", "requirements"]);
const LISTS_OF_LIBRARIES = new Set(["dependencies", "java_dependencies"]);
const CODE = new Set(["notebook_path", "python_file"]);
/** A name with or without a version, as an index has it: `pandas>=2,<3`, `mlflow[extras]==3.1 ; python_version > "3.9"`. */
const REQUIREMENT = /^[A-Za-z0-9][\w.-]*(?:\[[\w., -]*\])?\s*(?:[=<>!~][^/\\$@]*)?(?:;[^/\\$@]*)?$/;
const BY_ARCHIVE = /\.(?:whl|jar|egg|zip|gz|txt)$/i;

/**
 * What a deployment of this bundle would upload, install or run beyond what was checked; each as a reader finds it. A closed world: what
 * is not known to be harmless is named. Before the last environments too, but in the first, where people try things, code and
 * libraries may also lie in the workspace. Pure.
 */
export function strangersOf(
  documents: readonly BundleDocument[],
  resolved: ResolvedBundle | undefined,
  { files }: Pick<Material, "files">,
  isFirst: boolean,
): string[] {
  const read = new Set(documents.map(({ file }) => file));
  const references = localReferences(documents);
  const written = (kind: (each: LocalReference) => boolean) => new Set(references.filter(kind).map(({ text }) => text));
  const wheels = written(({ built, file }) => built && file !== undefined);
  const named = written(({ built, file }) => !built && file !== undefined);
  const config = resolved?.config;
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
        [...textsUnder(variables, isLibrary)].map(({ text }) => `the library ${text} of a variable`),
      ),
    ),
    ...[...textsUnder(at(config, "resources"), isLibrary)]
      .filter(({ text }) => !wheels.has(text) && !isRequirement(text) && !(isFirst && isRemote(text)))
      .map(({ text }) => `the library ${text}`),
    ...(isFirst ? [] : codeFromElsewhere(at(config, "resources"), named)),
  ];
  return [...new Set(found)];
}

interface Found {
  text: string;
  /** The map that it stands in. */
  of: unknown;
}

/** Texts below a value that stand under a key of interest, in a list or alone. */
function* textsUnder(value: unknown, matters: (key: string, item: unknown) => boolean): Generator<Found> {
  if (isList(value)) for (const item of value) yield* textsUnder(item, matters);
  if (!isMap(value)) return;
  for (const [key, item] of Object.entries(value)) {
    if (matters(key, item)) for (const each of isList(item) ? item : [item]) yield { text: String(each), of: value };
    else yield* textsUnder(item, matters);
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

function isCode(key: string, item: unknown): boolean {
  return CODE.has(key) && typeof item === "string";
}

function isRequirement(text: string): boolean {
  return REQUIREMENT.test(text) && !BY_ARCHIVE.test(text);
}

/** Somewhere that a workspace can read, and not beside the bundle. */
function isRemote(text: string): boolean {
  return /^(?:\/(?:Volumes|Workspace)\/|dbfs:|s3:|abfss:|gs:)/.test(text) && !text.includes("${");
}

/** Code that is not in the bundle. What comes from git is one commit, which nobody can change after the approval. */
function codeFromElsewhere(resources: unknown, named: ReadonlySet<string>): string[] {
  return entriesOf(resources).flatMap(([, ofKind]) =>
    entriesOf(ofKind).flatMap(([name, resource]) => {
      const source = at(resource, "git_source");
      const pinned = source !== undefined && isPinned(source);
      const strange = [...textsUnder(resource, isCode)]
        .filter(({ text, of }) => !(pinned && textOf(at(of, "source")) !== "WORKSPACE") && !named.has(text))
        .map(({ text }) => `the code at ${text}`);
      return source === undefined || pinned ? strange : [`the code of ${name}, from git without a commit`, ...strange];
    }),
  );
}

function isPinned(source: unknown): boolean {
  const moving = ["git_branch", "git_tag"].some((key) => at(source, key) !== undefined);
  return isCommitId(textOf(at(source, "git_commit")) ?? "") && !moving;
}
