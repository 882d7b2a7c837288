import { nearest } from "../lib/nearest.ts";
import type { BundleFinding, Path } from "./finding.ts";
import { type BundleDocument, eachWith, locate } from "./load.ts";
import { at, entriesOf, textsBelow } from "./node.ts";
import { fieldsOf } from "./shape.ts";
import { CHECKED_KINDS, RESOURCE_KINDS, RESOURCE_SHAPES } from "./shapes-of-resources.ts";
import { referencesIn, targetsOf } from "./variables.ts";

const BUNDLE = [
  "name",
  "target",
  "environment",
  "uuid",
  "mode",
  "engine",
  "git.branch",
  "git.commit",
  "git.origin_url",
  "git.actual_branch",
  "git.bundle_root_path",
  "git.inferred",
];
const WORKSPACE = [
  "host",
  "root_path",
  "file_path",
  "artifact_path",
  "state_path",
  "resource_path",
  "profile",
  "account_id",
  "workspace_id",
];
const USER = ["userName", "short_name", "displayName", "id", "domain_friendly_name"];
const ROOTS = ["var", "variables", "bundle", "workspace", "resources", "artifacts"];
/** What a deployed resource has beyond what is written down. */
const MADE = ["id", "url", "job_id", "endpoint_id", "registered_model_id", "experiment_id"];

/** References that lead nowhere, and what only looks like one. Variables are another matter. Pure. */
export function checkReferences(documents: readonly BundleDocument[]): BundleFinding[] {
  return documents.flatMap((document) =>
    [...textsBelow(document.value)]
      .filter(({ path }) => !isCode(path))
      .flatMap(({ text, path }) => [
        ...referencesIn(text).flatMap((reference) => wrongReference(reference, document, path, documents)),
        ...brokenReferences(text).map((broken) =>
          locate(
            document,
            path,
            "error",
            `${broken} is no reference: it would stay as it is written`,
            "a dollar sign, then {var.name} without blanks",
          ),
        ),
      ]),
  );
}

/** Shell scripts have `${…}` of their own. */
function isCode(path: Path): boolean {
  const last = path.at(-1);
  return (path[0] === "scripts" && last === "content") || last === "build" || path[0] === "experimental";
}

/** `${ var.x }`, `${var.}`, `${var.x`: meant as a reference. */
function brokenReferences(text: string): string[] {
  const rest = referencesIn(text).reduce((left, reference) => left.replace(`\${${reference}}`, ""), text);
  return [...rest.matchAll(/\$\{\s*(?:var|bundle|workspace|resources|variables|artifacts)\b[^}]*\}?/g)].map(
    (match) => match[0],
  );
}

function wrongReference(
  reference: string,
  document: BundleDocument,
  path: Path,
  documents: readonly BundleDocument[],
): BundleFinding[] {
  const [root = "", ...rest] = reference.split(".");
  const wrong = (message: string, guess?: string): BundleFinding[] => [
    locate(
      document,
      path,
      "error",
      `\${${reference}}: ${message}`,
      guess === undefined ? undefined : `did you mean \${${guess}}?`,
    ),
  ];
  const among = (known: readonly string[], name: string, before: string): BundleFinding[] => {
    if (known.includes(name)) return [];
    const guess = nearest(name, known);
    return wrong(`there is no such thing`, guess && `${before}.${guess}`);
  };
  switch (root) {
    case "var":
    case "variables":
      return [];
    case "bundle":
      return among(BUNDLE, rest.join("."), "bundle");
    case "workspace":
      return rest[0] === "current_user"
        ? among(USER, rest.slice(1).join("."), "workspace.current_user")
        : among(WORKSPACE, rest.join("."), "workspace");
    case "artifacts": {
      const names = [
        ...eachWith(documents, "artifacts"),
        ...targetsOf(documents).map(({ target }) => ({ value: at(target, "artifacts") })),
      ].flatMap(({ value }) => entriesOf(value).map(([name]) => name));
      return among(names, rest[0] ?? "", "artifacts");
    }
    case "resources":
      return resourceReference(rest, documents, wrong);
    default: {
      const guess = nearest(root, ROOTS);
      if (guess !== undefined) return wrong("nothing is called so", [guess, ...rest].join("."));
      return [
        locate(document, path, "warning", `\${${reference}} is none of the bundle's, and stays as it is written`),
      ];
    }
  }
}

function resourceReference(
  rest: readonly string[],
  documents: readonly BundleDocument[],
  wrong: (message: string, guess?: string) => BundleFinding[],
): BundleFinding[] {
  const [kind = "", key = "", field] = rest;
  if (!RESOURCE_KINDS.includes(kind)) {
    const guess = nearest(kind, RESOURCE_KINDS);
    return wrong(
      `there is no kind of resource ${JSON.stringify(kind)}`,
      guess && ["resources", guess, ...rest.slice(1)].join("."),
    );
  }
  const keys = [...documents.map(({ value }) => value), ...targetsOf(documents).map((each) => each.target)].flatMap(
    (value) => entriesOf(at(value, "resources", kind)).map(([name]) => name),
  );
  if (!keys.includes(key)) {
    const guess = nearest(key, keys);
    return wrong(
      `there is no ${kind} ${JSON.stringify(key)} in this bundle`,
      guess && ["resources", kind, guess, ...rest.slice(2)].join("."),
    );
  }
  const shape = RESOURCE_SHAPES[CHECKED_KINDS[kind]?.slice(1) ?? ""];
  if (shape === undefined || field === undefined)
    return field === undefined ? wrong("which field of it is not said") : [];
  const fields = [...MADE, ...fieldsOf(shape).keys()];
  const name = field.replace(/\[.*$/, "");
  if (fields.includes(name)) return [];
  const guess = nearest(name, fields);
  return wrong(`${kind} have no field ${JSON.stringify(name)}`, guess && ["resources", kind, key, guess].join("."));
}
