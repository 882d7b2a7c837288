import { nearest } from "../lib/nearest.ts";
import type { BundleFinding } from "./finding.ts";
import { type BundleDocument, eachWith, locate } from "./load.ts";
import { at, entriesOf, isList, isMap, textsBelow } from "./node.ts";

/** `${a.b[0].c}`, as the CLI reads it. */
const REFERENCE =
  /\$\{([a-zA-Z]+(?:[-_]*[a-zA-Z0-9]+)*(?:\.[a-zA-Z]+(?:[-_]*[a-zA-Z0-9]+)*(?:\[\d+\])*)*(?:\[\d+\])*)\}/g;

/** The references in a text: `var.catalog`, `resources.jobs.train.id`. */
export function referencesIn(text: string): string[] {
  return [...text.matchAll(REFERENCE)].map((match) => match[1] ?? "");
}

export function variableOf(reference: string): string | undefined {
  return /^var\.([^.[\]]+)/.exec(reference)?.[1] ?? /^variables\.([^.[\]]+)\.value$/.exec(reference)?.[1];
}

/** Names of all variables that are declared. */
export function declaredVariables(documents: readonly BundleDocument[]): string[] {
  return eachWith(documents, "variables").flatMap(({ value }) => entriesOf(value).map(([name]) => name));
}

/** Names of the targets, with the place of each. */
export function targetsOf(documents: readonly BundleDocument[]) {
  return eachWith(documents, "targets").flatMap(({ document, value }) =>
    entriesOf(value).map(([name, target]) => ({ name, document, target })),
  );
}

/**
 * What is wrong with variables: used but not declared, declared but not used, without a value, of a wrong type, or defined by
 * themselves. `given`: those that the command line brings. Pure.
 */
export function checkVariables(documents: readonly BundleDocument[], given: readonly string[]): BundleFinding[] {
  const names = declaredVariables(documents);
  const findings: BundleFinding[] = [];
  const used = new Set<string>(given);
  for (const document of documents)
    for (const { text, path } of textsBelow(document.value))
      for (const reference of referencesIn(text)) {
        const name = variableOf(reference);
        if (name === undefined) continue;
        used.add(name);
        if (names.includes(name)) continue;
        const guess = nearest(name, names);
        findings.push(
          locate(
            document,
            path,
            "error",
            `\${${reference}}: no variable ${JSON.stringify(name)} is declared`,
            guess ? `did you mean ${guess}?` : "declare it under variables:",
          ),
        );
      }
  for (const { document, value } of eachWith(documents, "variables"))
    for (const [name, variable] of entriesOf(value)) {
      const here = ["variables", name];
      findings.push(...typeOf(document, name, variable));
      const set = targetsOf(documents);
      const missing = set.filter(({ target }) => at(target, "variables", name) === undefined).map((each) => each.name);
      const isSet =
        at(variable, "default") !== undefined || at(variable, "lookup") !== undefined || given.includes(name);
      if (!isSet && (missing.length > 0 || set.length === 0))
        findings.push(
          locate(
            document,
            here,
            "error",
            `${name} has no value${missing.length > 0 ? ` in target ${missing.join(", ")}` : ""}`,
            "give it a default, or set it in each target",
          ),
        );
      if (!used.has(name)) findings.push(locate(document, here, "warning", `${name} is declared and never used`));
    }
  for (const { name: target, document, target: value } of targetsOf(documents))
    for (const [name, set] of entriesOf(at(value, "variables"))) {
      if (names.includes(name)) {
        const isComplex = eachWith(documents, "variables", name, "type").some((each) => each.value === "complex");
        if (isList(set) && !isComplex)
          findings.push(
            locate(
              document,
              ["targets", target, "variables", name],
              "error",
              `${name} is set to a list, and is no variable of type complex`,
              "type: complex",
            ),
          );
        continue;
      }
      const guess = nearest(name, names);
      findings.push(
        locate(
          document,
          ["targets", target, "variables", name],
          "error",
          `target ${target} sets ${name}, which no variable is called`,
          guess && `did you mean ${guess}?`,
        ),
      );
    }
  return [...findings, ...circles(documents)];
}

function typeOf(document: BundleDocument, name: string, variable: unknown): BundleFinding[] {
  const isBlock = isMap(at(variable, "default")) || isList(at(variable, "default"));
  const complex = at(variable, "type") === "complex";
  const here = ["variables", name, "default"];
  if (isBlock && !complex)
    return [
      locate(
        document,
        here,
        "error",
        `the default of ${name} is a ${isMap(at(variable, "default")) ? "map" : "list"}, and its type is not complex`,
        "type: complex",
      ),
    ];
  const scalar = at(variable, "default");
  if (complex && scalar !== undefined && !isBlock && !String(scalar).includes("${"))
    return [
      locate(
        document,
        here,
        "error",
        `${name} is of type complex, and its default is one value`,
        "leave out type: complex",
      ),
    ];
  if (at(variable, "lookup") !== undefined && scalar !== undefined)
    return [
      locate(document, ["variables", name, "lookup"], "error", `${name} has both a default and a lookup`, "keep one"),
    ];
  const lookups = entriesOf(at(variable, "lookup"));
  if (lookups.length > 1)
    return [
      locate(
        document,
        ["variables", name, "lookup"],
        "error",
        `the lookup of ${name} asks for ${lookups.length} things`,
        "one is what it can find",
      ),
    ];
  return [];
}

/** Variables whose value leads back to themselves, at the root or in one target. */
function circles(documents: readonly BundleDocument[]): BundleFinding[] {
  const findings: BundleFinding[] = [];
  const values = new Map<string, { document: BundleDocument; value: unknown; path: string[] }>();
  for (const { document, value } of eachWith(documents, "variables"))
    for (const [name, variable] of entriesOf(value))
      values.set(name, { document, value: at(variable, "default"), path: ["variables", name, "default"] });
  const seen = new Set<string>();
  const look = (from: string, all: typeof values): void => {
    const walk = (name: string, trail: readonly string[]): void => {
      if (trail.includes(name)) {
        if (name !== from) return;
        const circle = [...trail, name].join(" → ");
        const set = all.get(from);
        const known = [...trail].sort().join(" ");
        if (set !== undefined && !seen.has(known))
          findings.push(
            locate(
              set.document,
              set.path,
              "error",
              `${from} is defined by itself: ${circle}`,
              "give one of them a value of its own",
            ),
          );
        seen.add(known);
        return;
      }
      for (const { text } of textsBelow(all.get(name)?.value))
        for (const reference of referencesIn(text)) walk(variableOf(reference) ?? "", [...trail, name]);
    };
    walk(from, []);
  };
  for (const name of values.keys()) look(name, values);
  for (const { name: target, document, target: value } of targetsOf(documents)) {
    const here = new Map(values);
    for (const [name, set] of entriesOf(at(value, "variables")))
      here.set(name, { document, value: at(set, "default") ?? set, path: ["targets", target, "variables", name] });
    for (const name of here.keys()) look(name, here);
  }
  return findings;
}
