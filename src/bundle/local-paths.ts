import type { BundleFinding, Path } from "./finding.ts";
import { matcher, pathFrom } from "./glob.ts";
import { type BundleDocument, locate } from "./load.ts";
import { at, entriesOf, itemsOf, textOf } from "./node.ts";

/** Endings that a notebook's path may leave out. */
export const NOTEBOOK_ENDINGS: readonly string[] = [".py", ".ipynb", ".sql", ".r", ".scala"];

/** A file of the project that the bundle names. */
export interface LocalReference {
  document: BundleDocument;
  path: Path;
  /** As it is written. */
  text: string;
  /** From the bundle's folder; undefined when it leads out of it. */
  file: string | undefined;
  /** A wheel or jar, which is built and not kept. */
  built: boolean;
}

/** Every file that resources name by a relative path. Pure. */
export function localReferences(documents: readonly BundleDocument[]): LocalReference[] {
  return documents.flatMap((document) => {
    const found: LocalReference[] = [];
    const note = (path: Path, value: unknown, built = false) => {
      const text = textOf(value);
      if (text === undefined || !isLocal(text)) return;
      found.push({ document, path, text, file: pathFrom(document.file, text), built });
    };
    const places = [
      { base: ["resources"], resources: document.value.resources },
      ...entriesOf(document.value.targets).map(([name, target]) => ({
        base: ["targets", name, "resources"],
        resources: at(target, "resources"),
      })),
    ];
    for (const { base, resources } of places) {
      for (const [key, job] of entriesOf(at(resources, "jobs"))) noteJob([...base, "jobs", key], job, note);
      for (const [key, dashboard] of entriesOf(at(resources, "dashboards")))
        note([...base, "dashboards", key, "file_path"], at(dashboard, "file_path"));
    }
    return found;
  });
}

type Note = (path: Path, value: unknown, built?: boolean) => void;

function noteJob(base: Path, job: unknown, note: Note): void {
  const fromGit = at(job, "git_source") !== undefined;
  const tasks: [Path, unknown][] = [];
  for (const [i, task] of itemsOf(at(job, "tasks")).entries()) {
    const here: Path = [...base, "tasks", i];
    tasks.push([here, task]);
    const each = at(task, "for_each_task", "task");
    if (each !== undefined) tasks.push([[...here, "for_each_task", "task"], each]);
  }
  for (const [here, task] of tasks) {
    for (const [j, library] of itemsOf(at(task, "libraries")).entries()) {
      for (const kind of ["whl", "jar", "egg"]) note([...here, "libraries", j, kind], at(library, kind), true);
      note([...here, "libraries", j, "requirements"], at(library, "requirements"));
    }
    for (const [kind, field] of [
      ["notebook_task", "notebook_path"],
      ["spark_python_task", "python_file"],
    ] as const)
      if (!fromGit && !/^(?:WORKSPACE|GIT)$/.test(textOf(at(task, kind, "source")) ?? ""))
        note([...here, kind, field], at(task, kind, field));
    if (!fromGit) note([...here, "sql_task", "file", "path"], at(task, "sql_task", "file", "path"));
  }
  for (const [i, environment] of itemsOf(at(job, "environments")).entries())
    for (const [j, dependency] of itemsOf(at(environment, "spec", "dependencies")).entries())
      note([...base, "environments", i, "spec", "dependencies", j], dependencyPath(dependency), true);
}

/** A dependency that is a path, and no requirement such as `pandas>=2`. */
function dependencyPath(dependency: unknown): string | undefined {
  const text = textOf(dependency);
  return text !== undefined && /^\.{1,2}\/|\.whl$/.test(text) ? text : undefined;
}

function isLocal(text: string): boolean {
  return (
    text !== "" && !text.startsWith("/") && !text.startsWith("~") && !/^[a-z0-9+]+:/i.test(text) && !text.includes("${")
  );
}

/** Files that are named and not there, or lie outside of the bundle's folder. Pure. */
export function checkLocalPaths(documents: readonly BundleDocument[], paths: ReadonlySet<string>): BundleFinding[] {
  return localReferences(documents).flatMap(({ document, path, text, file, built }) => {
    if (file === undefined)
      return [
        locate(
          document,
          path,
          "error",
          `${text} leads out of the bundle's folder`,
          "what is outside is neither checked nor in the evidence",
        ),
      ];
    if (built)
      return matcher(file) === undefined
        ? [locate(document, path, "error", `${text} is no pattern: a bracket is not closed`)]
        : [];
    // A notebook may be named without its ending.
    const there = paths.has(file) || NOTEBOOK_ENDINGS.some((ending) => paths.has(file + ending));
    return there
      ? []
      : [
          locate(
            document,
            path,
            "error",
            `${text}: there is no such file`,
            `it is looked for from ${document.file}: ${file}`,
          ),
        ];
  });
}
