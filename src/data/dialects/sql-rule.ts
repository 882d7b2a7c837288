import { canBeNamed } from "../../lib/databricks-sql.ts";
import { databricksDialect, isDay } from "./databricks.ts";
import { sqlWords, type Word } from "./sql-words.ts";

/**
 * A contract's own SELECT, rewritten for a warehouse. Only words on these lists pass, since the statement runs with the rights
 * of an environment: it reads the contract's table and nothing else, and calls nothing that could act or answer otherwise there.
 */
const WORDS = new Set(
  `select distinct all from where group by having as and or not in is null true false between like case when then else end
  join inner left right full outer cross on using union except intersect with exists filter`.split(/\s+/),
);
/** Words of DuckDB's that would be taken for a name here, and change what is asked. */
const OTHER_WORDS = new Set(
  `order limit offset qualify over window partition natural asof positional anti semi lateral values recursive sample tablesample
  pivot unpivot interval escape ilike similar glob collate array struct map extract cast try_cast current_date current_time
  current_timestamp any some into returning at for materialized`.split(/\s+/),
);
const FUNCTIONS: Readonly<Record<string, string>> = {
  count: "count",
  sum: "sum",
  avg: "avg",
  min: "min",
  max: "max",
  abs: "abs",
  coalesce: "coalesce",
  nullif: "nullif",
  floor: "floor",
  ceil: "ceil",
  ceiling: "ceil",
  length: "char_length",
  char_length: "char_length",
};
/** Words that put one SELECT behind another. */
const BETWEEN_SELECTS = new Set(["union", "except", "intersect"]);
/** Words that are values, or end one. */
const VALUES = new Set(["null", "true", "false", "end"]);

/** The query in the warehouse's spelling, safe to stand in parentheses; or why it cannot run there. */
export function warehouseQuery(sql: string, tables: readonly string[]): { sql: string } | { reason: string } {
  const words = sqlWords(sql);
  if ("reason" in words) return words;
  const reason = refusal(words, tables);
  return reason === undefined ? { sql: spell(words).join(" ") } : { reason };
}

function refusal(words: readonly Word[], tables: readonly string[]): string | undefined {
  const lower = (i: number) => keyword(words[i]);
  const known = readable(words, tables);
  if (typeof known === "string") return known;
  const { names, start } = known;
  if (lower(start) !== "select") return "it must be one SELECT";
  /** For each open parenthesis and the outside: whether a comma would now join a table. */
  const inFrom: boolean[] = [false];
  for (const [i, word] of words.entries()) {
    const small = lower(i);
    if (isSign(word, "(")) inFrom.push(false);
    else if (isSign(word, ")")) {
      inFrom.pop();
      if (inFrom.length === 0) return "a ) has no ( before it";
    } else if (isSign(word, ",") && inFrom.at(-1) === true) return "tables joined by a comma: write JOIN";
    else if (small === "select" || (small === "group" && lower(i + 1) === "by")) inFrom[inFrom.length - 1] = false;
    const table = (small === "from" && !isComparison(words, i - 1)) || small === "join";
    if (table) {
      inFrom[inFrom.length - 1] = true;
      const next = words[i + 1];
      // A WITH there is refused where it stands.
      const subquery = isSign(next, "(") && (lower(i + 2) === "select" || lower(i + 2) === "with");
      const from = next !== undefined && isName(next) ? names.get(next.value.toLowerCase()) : undefined;
      const own = from !== undefined && i > from && !isSign(words[i + 2], ".") && !isSign(words[i + 2], "(");
      if (!subquery && !own)
        return `it reads ${next === undefined ? "nothing" : JSON.stringify(next.value)}, which is not the contract's table`;
    }
    const problem = keywordProblem(words, i, start) ?? wordProblem(words, i);
    if (problem !== undefined) return problem;
  }
  return inFrom.length === 1 ? undefined : "a ( is not closed";
}

function isSign(word: Word | undefined, value: string): boolean {
  return word?.kind === "sign" && word.value === value;
}

function isName(word: Word): boolean {
  return word.kind === "name" || (word.kind === "word" && keyword(word) === undefined);
}

/** The word of the language in small letters; undefined for a name of the data, a text and the like. */
function keyword(word: Word | undefined): string | undefined {
  const small = word?.kind === "word" ? word.value.toLowerCase() : "";
  return WORDS.has(small) ? small : undefined;
}

interface Readable {
  /** The tables that may be read, each with the place behind which its name means it. */
  names: ReadonlyMap<string, number>;
  /** Where the SELECT stands that is asked. */
  start: number;
}

/** A name of a WITH means its query only behind its end: before it and inside it, it means a table of the store. */
function readable(words: readonly Word[], tables: readonly string[]): Readable | string {
  const names = new Map(tables.map((name) => [name.toLowerCase(), -1]));
  if (keyword(words[0]) !== "with") return { names, start: 0 };
  for (let i = 1; ; i++) {
    const name = words[i];
    const named = name !== undefined && isName(name) && keyword(words[i + 1]) === "as";
    if (!named || !isSign(words[i + 2], "(") || keyword(words[i + 3]) !== "select")
      return "a WITH is understood as: with name as (select …), … select …";
    if (names.has(name.value.toLowerCase())) return `the name ${name.value} is taken: a WITH needs a name of its own`;
    i = closing(words, i + 2);
    names.set(name.value.toLowerCase(), i);
    i++;
    if (!isSign(words[i], ",")) return { names, start: i };
  }
}

/** True if the DISTINCT there compares: `a is distinct from b`, `a is not distinct from b`. Its FROM names no table. */
function isComparison(words: readonly Word[], i: number): boolean {
  const is = keyword(words[i - 1]) === "not" ? i - 2 : i - 1;
  const operand = words[is - 1];
  if (operand === undefined || keyword(words[i]) !== "distinct" || keyword(words[is]) !== "is") return false;
  const small = keyword(operand);
  return operand.kind === "sign" ? operand.value === ")" : small === undefined || VALUES.has(small);
}

/** A warehouse takes a word of the language for a name where a name may stand: there it would begin or end no clause. */
function keywordProblem(words: readonly Word[], i: number, start: number): string | undefined {
  const small = keyword(words[i]);
  const before = words[i - 1];
  if (small === undefined) return undefined;
  if (keyword(before) === "as" || isSign(before, "."))
    return `${JSON.stringify(words[i]?.value)} is a word of the language; as a name it stands in double quotes`;
  if (small === "with" && i > 0) return "WITH is understood at the beginning of the query only";
  const opens = isSign(before, "(");
  if (
    small === "distinct" &&
    keyword(before) !== "select" &&
    !opens &&
    !isComparison(words, i) &&
    !isNextSelect(words, i + 1)
  )
    return "DISTINCT is understood behind SELECT, in count and in IS DISTINCT FROM only";
  if (small === "select" && i !== start && !opens && !isNextSelect(words, i))
    return "SELECT begins the query, a ( or what stands behind UNION, EXCEPT or INTERSECT";
  return undefined;
}

/** True behind `union`, `union all` and the like. */
function isNextSelect(words: readonly Word[], i: number): boolean {
  const before = keyword(words[i - 1]);
  const which = before === "all" || before === "distinct" ? keyword(words[i - 2]) : before;
  return which !== undefined && BETWEEN_SELECTS.has(which);
}

function wordProblem(words: readonly Word[], i: number): string | undefined {
  const word = words[i];
  if (word === undefined) return undefined;
  const { kind, value } = word;
  const small = value.toLowerCase();
  const next = words[i + 1];
  const before = words[i - 1];
  const called = next?.kind === "sign" && next.value === "(";
  if (kind === "word" && OTHER_WORDS.has(small) && before?.value !== ".")
    return `${JSON.stringify(value)} may mean something else on a warehouse; a column of that name stands in double quotes`;
  if (kind === "name" && called) return `${JSON.stringify(value)} cannot be called`;
  if ((kind === "name" || kind === "word") && !canBeNamed(value))
    return `${JSON.stringify(value)} cannot be a name there`;
  if (kind === "word" && called && !WORDS.has(small) && !Object.hasOwn(FUNCTIONS, small))
    return `the function ${small} may answer otherwise on a warehouse; known: ${Object.keys(FUNCTIONS).join(", ")}`;
  if (kind === "text" && before?.kind === "text") return "two texts stand side by side";
  if (kind === "word" && next?.kind === "text" && !WORDS.has(small) && !(small === "date" && isDay(next.value)))
    return `${JSON.stringify(value)} before a text is not understood; a day is written date '2026-11-30'`;
  if (kind === "text" && before?.value.toLowerCase() === "like" && value.includes("\\"))
    return "a \\ in a LIKE is read differently by each engine";
  if (small === "like" && kind === "word" && next?.kind !== "text") return "LIKE needs a text beside it";
  if (kind === "word" && called && (small === "count" || small === "sum" || small === "avg"))
    return aggregateProblem(words, i);
  if (kind === "sign" && value === "/" && primaryEnd(words, i + 1) === undefined)
    return "what stands behind / must be a name, a number, a function or in parentheses";
  return undefined;
}

function aggregateProblem(words: readonly Word[], i: number): string | undefined {
  const end = closing(words, i + 1);
  const distinct = words[i + 2]?.value.toLowerCase() === "distinct";
  const commas = topLevel(words.slice(i + 2, end)).some((word) => word.kind === "sign" && word.value === ",");
  if (commas) return `${words[i]?.value} takes one expression`;
  return distinct && words[i]?.value.toLowerCase() !== "count" ? "DISTINCT is understood in count only" : undefined;
}

/** The words outside inner parentheses. */
function topLevel(words: readonly Word[]): Word[] {
  let depth = 0;
  return words.filter((word) => {
    if (word.kind === "sign" && word.value === "(") depth++;
    if (word.kind === "sign" && word.value === ")") depth--;
    return depth === 0;
  });
}

/** The place of the parenthesis that closes the one at `open`. */
function closing(words: readonly Word[], open: number): number {
  let depth = 0;
  for (let i = open; i < words.length; i++) {
    const word = words[i];
    if (word?.kind !== "sign") continue;
    if (word.value === "(") depth++;
    if (word.value === ")") depth--;
    if (depth === 0) return i;
  }
  return words.length;
}

/** Where the operand that begins at `i` ends (the place behind it); undefined if it is none. */
function primaryEnd(words: readonly Word[], i: number): number | undefined {
  const word = words[i];
  if (word === undefined || word.kind === "text") return undefined;
  if (word.kind === "number") return i + 1;
  if (word.kind === "sign") return word.value === "(" ? closing(words, i) + 1 : undefined;
  if (word.kind === "word" && WORDS.has(word.value.toLowerCase())) return undefined;
  const next = words[i + 1];
  if (next?.kind === "sign" && next.value === "(") return closing(words, i + 1) + 1;
  return next?.kind === "sign" && next.value === "." ? i + 3 : i + 1;
}

/** Division and averages are of doubles, as in DuckDB: there a decimal would be cut at some place. */
function spell(words: readonly Word[]): string[] {
  const out: string[] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i];
    if (word === undefined) continue;
    const small = word.value.toLowerCase();
    const called = words[i + 1]?.kind === "sign" && words[i + 1]?.value === "(";
    if (word.kind === "sign" && word.value === "/") {
      const end = primaryEnd(words, i + 1) ?? i + 2;
      out.push("/", "cast(", ...spell(words.slice(i + 1, end)), "as DOUBLE)");
      i = end - 1;
    } else if (word.kind === "word" && called && small === "avg") {
      const end = closing(words, i + 1);
      out.push("avg(cast((", ...spell(words.slice(i + 2, end)), ") as DOUBLE))");
      i = end;
    } else if (word.kind === "word" && small === "date" && words[i + 1]?.kind === "text") {
      out.push("cast(", databricksDialect.text(words[i + 1]?.value ?? ""), "as DATE)");
      i++;
    } else if (word.kind === "text") out.push(databricksDialect.text(word.value));
    else if (word.kind === "name") out.push(databricksDialect.identifier(word.value));
    else if (word.kind !== "word") out.push(word.value);
    else if (called && Object.hasOwn(FUNCTIONS, small)) out.push(FUNCTIONS[small] ?? small);
    else if (WORDS.has(small)) out.push(small);
    else out.push(databricksDialect.identifier(word.value));
  }
  return out;
}
