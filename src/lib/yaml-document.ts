import { isAlias, isScalar, LineCounter, parseDocument, visit } from "yaml";
import type * as z from "zod";
import { choiceProblem } from "./choice.ts";
import { type Problem, usageError } from "./error.ts";
import { nearest } from "./nearest.ts";

/** More problems than this help nobody; finding the line of each takes time. */
const MAX_PROBLEMS = 50;
/** Far deeper than any file of ours, far from what the parser's recursion can bear. */
const MAX_DEPTH = 200;
const MAX_ANCHORS = 1000;
const ANCHOR = /(?<![^\s[{,])&[^\s&]/g;
const DEEP_BLOCK = /(?:[-?:] +){201}/;

/**
 * Parses YAML once, at the edge: every problem is reported together, by file, line and path.
 * Duplicate keys, alias bombs and unknown keys are problems. Throws a usage error (exit 2).
 */
export function parseYaml<T>(text: string, file: string, schema: z.ZodType<T>): T {
  refuseDepth(text, file);
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false });
  const duplicates = document.errors.length > 0 ? [] : duplicateKeys(document, file, lines);
  if (duplicates.length > 0) throw invalid(file, duplicates);
  if (document.errors.length > 0) {
    throw invalid(
      file,
      document.errors.slice(0, MAX_PROBLEMS).map((error) => ({
        message: error.message,
        file,
        line: lines.linePos(error.pos[0]).line,
        // What befalls a line that is pasted below `people: {}`.
        ...(error.code === "BAD_INDENT" && { hint: "where {} or [] stands in the line above, take that away" }),
      })),
    );
  }
  const value: unknown = toPlain(document, file);
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const lineOf = lineFinder(document, lines);
  throw invalid(
    file,
    problemsOf(parsed.error, value, schema)
      .slice(0, MAX_PROBLEMS)
      .map(({ at, ...problem }) => {
        const line = lineOf(at);
        return { ...problem, file, ...(line !== undefined && { line }) };
      }),
  );
}

/** For a document that was read already: the line on which the value at a path (or its nearest parent) stands. */
export function yamlLines(text: string): (path: readonly PropertyKey[]) => number | undefined {
  const lines = new LineCounter();
  return lineFinder(parseDocument(text, { lineCounter: lines, prettyErrors: false }), lines);
}

function lineFinder(document: ReturnType<typeof parseDocument>, lines: LineCounter) {
  return (path: readonly PropertyKey[]): number | undefined => {
    for (let depth = path.length; depth >= 0; depth--) {
      const start = startOf(keyNode(document, path.slice(0, depth)) ?? document.getIn(path.slice(0, depth), true));
      if (start !== undefined) return lines.linePos(start).line;
    }
    return undefined;
  };
}

/** The key under which the value at the path stands: its line is where a reader looks. */
function keyNode(document: ReturnType<typeof parseDocument>, path: readonly PropertyKey[]): unknown {
  const parent: unknown = path.length === 0 ? undefined : document.getIn(path.slice(0, -1), true);
  const pairs = member(parent, "items");
  if (!Array.isArray(pairs)) return undefined;
  const pair: unknown = pairs.find((item: unknown) => member(member(item, "key"), "value") === path[path.length - 1]);
  return member(pair, "key");
}

function startOf(node: unknown): number | undefined {
  const range = member(node, "range");
  return Array.isArray(range) ? Number(range[0]) : undefined;
}

function toPlain(document: ReturnType<typeof parseDocument>, file: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    throw invalid(file, [{ message: error instanceof Error ? error.message : String(error), file }]);
  }
}

/**
 * Keys that a map has twice, by line, and those of which that could not be told. The parser's own check compares every key with every
 * other, and takes 7 and "7" for two, which are one by the time they are read.
 */
function duplicateKeys(document: ReturnType<typeof parseDocument>, file: string, lines: LineCounter): Problem[] {
  const problems: Problem[] = [];
  const refuse = (key: unknown, problem: Pick<Problem, "message" | "hint">): void => {
    if (problems.length < MAX_PROBLEMS)
      problems.push({ ...problem, file, line: lines.linePos(startOf(key) ?? 0).line });
  };
  visit(document, {
    Map(_, map) {
      const seen = new Map<string, number>();
      for (const { key } of map.items) {
        const name = isScalar(key) ? keyText(key.value) : undefined;
        if (name === undefined) {
          const what = isAlias(key) ? `the key *${key.source} stands for another text` : "a key is no plain text";
          refuse(key, { message: `${what}: keys must be written out`, hint: "write the key as a text, in quotes" });
          continue;
        }
        const first = seen.get(name);
        if (first === undefined) seen.set(name, lines.linePos(startOf(key) ?? 0).line);
        else
          refuse(key, {
            message: `keys must be unique: ${JSON.stringify(name)} is there twice, first in line ${first}`,
            hint: "leave one of the two",
          });
      }
    },
  });
  return problems;
}

/** The name that a key has once it is read; undefined: it is a list, a map, a merge of other maps, or a date. */
function keyText(value: unknown): string | undefined {
  if (value === null) return "";
  return ["string", "number", "bigint", "boolean"].includes(typeof value) ? String(value) : undefined;
}

/** Refuses what would only exhaust the parser: found by counting brackets and list marks, before anything is parsed. */
function refuseDepth(text: string, file: string): void {
  let depth = 0;
  let deepest = 0;
  for (const [bracket] of text.matchAll(/[[\]{}]/g)) {
    depth += bracket === "[" || bracket === "{" ? 1 : -1;
    deepest = Math.max(deepest, depth);
  }
  if ((text.match(ANCHOR)?.length ?? 0) > MAX_ANCHORS)
    throw invalid(file, [{ message: `has more than ${MAX_ANCHORS} anchors`, file }]);
  if (deepest > MAX_DEPTH || DEEP_BLOCK.test(text)) {
    throw invalid(file, [{ message: `is nested more than ${MAX_DEPTH} levels deep`, file }]);
  }
}

function invalid(file: string, problems: readonly Problem[]): Error {
  const some = problems.length >= MAX_PROBLEMS ? `at least ${problems.length}` : String(problems.length);
  const many = problems.length === 1 ? "1 problem" : `${some} problems`;
  return usageError("yaml.invalid", `${file} has ${many}`, undefined, problems);
}

type Located = Problem & { at: readonly PropertyKey[] };

/** The problems of a failed parse in a person's words, with "did you mean" for unknown keys. */
export function problemsOf(error: z.ZodError, value: unknown, schema: z.ZodType): Located[] {
  return error.issues.flatMap((issue): Located[] => {
    if (issue.code === "unrecognized_keys") {
      return issue.keys.slice(0, MAX_PROBLEMS).map((key) => {
        const guess = nearest(key, knownKeys(schema, issue.path));
        return {
          message: `unknown key ${JSON.stringify(key)}`,
          path: pathText([...issue.path, key]),
          at: [...issue.path, key],
          ...(guess && { hint: `did you mean ${JSON.stringify(guess)}?` }),
        };
      });
    }
    const choice = choiceProblem(issue, valueAt(value, issue.path));
    if (choice !== undefined) return [{ ...choice, path: pathText(issue.path), at: issue.path }];
    const missing = issue.code === "invalid_type" && valueAt(value, issue.path) === undefined;
    const wrongKey = issue.code === "invalid_key" ? issue.issues[0]?.message : undefined;
    const message = missing
      ? "is required"
      : wrongKey === undefined
        ? issue.message
        : `is no name for this: ${wrongKey}`;
    return [{ message, path: pathText(issue.path), at: issue.path }];
  });
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (at, key) => (typeof at === "object" && at !== null ? Reflect.get(at, key) : undefined),
    value,
  );
}

function pathText(path: readonly PropertyKey[]): string {
  return path
    .map((key, i) => (typeof key === "number" ? `[${key}]` : i === 0 ? String(key) : `.${String(key)}`))
    .join("");
}

/** The keys that the schema knows at a path; best effort, for a hint only. */
function knownKeys(schema: unknown, path: readonly PropertyKey[]): string[] {
  let at: unknown = unwrap(schema);
  for (const key of path) {
    const shape = member(at, "shape");
    const next = typeof key === "number" ? member(at, "element") : (member(shape, key) ?? member(at, "valueType"));
    at = unwrap(next);
  }
  const shape = member(at, "shape");
  return typeof shape === "object" && shape !== null ? Object.keys(shape) : [];
}

function member(of: unknown, key: PropertyKey): unknown {
  return typeof of === "object" && of !== null ? Reflect.get(of, key) : undefined;
}

function unwrap(schema: unknown): unknown {
  for (let at = schema, i = 0; i < 10; i++) {
    const definition = member(at, "def");
    const inner =
      member(definition, "innerType") ?? (member(definition, "type") === "pipe" ? member(definition, "in") : undefined);
    if (inner === undefined) return at;
    at = inner;
  }
  return schema;
}
