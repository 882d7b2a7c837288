import * as z from "zod";
import { FactoryError } from "../lib/error.ts";
import { parseYaml, yamlLines } from "../lib/yaml-document.ts";
import { type BundleFinding, type Path, pathText } from "./finding.ts";
import { isPattern, matcher, pathFrom } from "./glob.ts";
import { at, entriesOf, isList, itemsOf } from "./node.ts";

/** What lies in a bundle's folder: the text of every YAML and JSON file, and the path of everything else too. */
export interface BundleFiles {
  texts: ReadonlyMap<string, string>;
  /** Relative, with `/`. */
  paths: ReadonlySet<string>;
}

/** One file of the bundle. */
export interface BundleDocument {
  file: string;
  value: Readonly<Record<string, unknown>>;
  lineOf(path: Path): number | undefined;
}

export interface LoadedBundle {
  /** The root file and those that it includes, in order. */
  documents: readonly BundleDocument[];
  findings: readonly BundleFinding[];
}

export const ROOT_FILES: readonly string[] = ["databricks.yml", "databricks.yaml", "bundle.yml", "bundle.yaml"];
const anyMap = z.record(z.string(), z.unknown());

/** Parses the root file and all that it includes. What cannot be read is a finding. Pure. */
export function loadBundle(files: BundleFiles): LoadedBundle {
  const roots = ROOT_FILES.filter((name) => files.texts.has(name));
  const [rootFile] = roots;
  if (rootFile === undefined)
    return {
      documents: [],
      findings: [
        problem("databricks.yml", [], "there is no databricks.yml in this folder", "a bundle begins with one"),
      ],
    };
  const findings: BundleFinding[] = [];
  if (roots.length > 1)
    findings.push(
      problem(rootFile, [], `there are ${roots.length} root files: ${roots.join(", ")}`, "keep databricks.yml only"),
    );
  const documents: BundleDocument[] = [];
  const read = (file: string): BundleDocument | undefined => {
    const parsed = parse(file, files.texts.get(file) ?? "");
    if ("findings" in parsed) findings.push(...parsed.findings);
    else documents.push(parsed);
    return "findings" in parsed ? undefined : parsed;
  };
  const root = read(rootFile);
  if (root === undefined) return { documents, findings };
  const seen = new Set([rootFile]);
  for (const [i, entry] of itemsOf(root.value.include).entries()) {
    if (typeof entry !== "string") continue;
    const found = included(entry, files.paths);
    const line = root.lineOf(["include", i]);
    const where = { file: rootFile, path: `include[${i}]`, ...(line !== undefined && { line }) };
    if ("problem" in found)
      findings.push({
        severity: found.severity,
        message: found.problem,
        ...(found.hint && { hint: found.hint }),
        ...where,
      });
    else
      for (const file of found.files) {
        if (seen.has(file)) continue;
        seen.add(file);
        if (files.texts.has(file)) read(file);
        else
          findings.push({
            severity: "error",
            message: `include ${entry} takes in ${file}, which is no YAML or JSON file of at most 1 MiB`,
            hint: "files to upload are named in sync.include",
            ...where,
          });
      }
  }
  for (const document of documents.slice(1))
    if (document.value.include !== undefined)
      findings.push(
        locate(
          document,
          ["include"],
          "error",
          "only the root file may include others",
          "move this entry to databricks.yml",
        ),
      );
  return { documents, findings };
}

/** A finding about a place in a document. */
export function locate(
  document: BundleDocument,
  path: Path,
  severity: BundleFinding["severity"],
  message: string,
  hint?: string,
): BundleFinding {
  const line = document.lineOf(path);
  return {
    severity,
    message,
    file: document.file,
    path: pathText(path),
    ...(line !== undefined && { line }),
    ...(hint !== undefined && { hint }),
  };
}

function problem(file: string, path: Path, message: string, hint: string): BundleFinding {
  return { severity: "error", message, file, path: pathText(path), hint };
}

function included(
  entry: string,
  paths: ReadonlySet<string>,
): { files: string[] } | { severity: BundleFinding["severity"]; problem: string; hint?: string } {
  if (entry.includes("\\"))
    return {
      severity: "error",
      problem: `include ${entry} has a backslash, which the Databricks CLI reads in another way on each system`,
      hint: "folders are set apart by /",
    };
  if (entry.startsWith("/") || /^[A-Za-z]:/.test(entry))
    return { severity: "error", problem: `include ${entry} is not a relative path` };
  if (pathFrom("databricks.yml", entry) === undefined)
    return {
      severity: "error",
      problem: `include ${entry} leads out of the bundle's folder`,
      hint: "what is outside is neither checked nor in the evidence",
    };
  const matches = matcher(entry);
  if (matches === undefined)
    return { severity: "error", problem: `include ${entry} is no pattern: a bracket is not closed` };
  const found = [...paths].filter(matches).sort();
  if (found.length > 0) return { files: found };
  if (isPattern(entry))
    return {
      severity: "warning",
      problem: `include ${entry} matches no file`,
      ...(entry.includes("**") && { hint: "** reaches one folder deep and no further: name each level" }),
    };
  return { severity: "error", problem: `include ${entry}: there is no such file` };
}

function parse(file: string, text: string): BundleDocument | { findings: BundleFinding[] } {
  try {
    const value = parseYaml(text, file, anyMap);
    const lineOf = yamlLines(text);
    const merged = mergeKeyIn(value);
    if (merged === undefined) return { file, value, lineOf };
    const line = lineOf(merged);
    return {
      findings: [
        {
          severity: "error",
          message:
            "is not read: the merge key << hides what it brings from this check, and the Databricks CLI follows it",
          file,
          path: pathText(merged),
          ...(line !== undefined && { line }),
          hint: "write it out, or use a variable of type complex",
        },
      ],
    };
  } catch (error) {
    if (!(error instanceof FactoryError) || error.code !== "yaml.invalid") throw error;
    return {
      // One slip in the form of YAML makes a dozen errors; the first is where it is.
      findings: error.problems
        .filter(({ message }, i) => i === 0 || message.startsWith("keys "))
        .map(({ message, line, path, hint }) => ({
          severity: "error",
          message: path === undefined || path === "" ? `is not read: ${message}` : message,
          file,
          path: path ?? "",
          ...(line !== undefined && { line }),
          ...(hint !== undefined && { hint }),
        })),
    };
  }
}

/** Where a map has the key `<<` of YAML 1.1; the parser here is of YAML 1.2 and takes it for a key like any other. */
function mergeKeyIn(value: unknown, path: Path = []): Path | undefined {
  for (const [key, item] of isList(value) ? value.entries() : entriesOf(value)) {
    const here = [...path, key];
    const found = key === "<<" ? here : mergeKeyIn(item, here);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The value of a top-level key, from each document that has it. */
export function eachWith(
  documents: readonly BundleDocument[],
  ...path: Path
): { document: BundleDocument; value: unknown }[] {
  return documents.flatMap((document) => {
    const value = at(document.value, ...path);
    return value === undefined ? [] : [{ document, value }];
  });
}
