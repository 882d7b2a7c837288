import { canBeNamed, databricksDialect, isDay } from "./databricks.ts";
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
/** Words after which a FROM clause has ended. */
const AFTER_FROM = new Set(["where", "group", "having", "union", "except", "intersect", "select"]);

/** The query in the warehouse's spelling, safe to stand in parentheses; or why it cannot run there. */
export function warehouseQuery(sql: string, tables: readonly string[]): { sql: string } | { reason: string } {
  const words = sqlWords(sql);
  if ("reason" in words) return words;
  const reason = refusal(words, tables);
  return reason === undefined ? { sql: spell(words).join(" ") } : { reason };
}

function refusal(words: readonly Word[], tables: readonly string[]): string | undefined {
  const lower = (i: number) => (words[i]?.kind === "word" ? words[i].value.toLowerCase() : undefined);
  const sign = (i: number) => (words[i]?.kind === "sign" ? words[i].value : undefined);
  if (lower(0) !== "select" && lower(0) !== "with") return "it must be one SELECT";
  const known = new Set(tables.map((name) => name.toLowerCase()));
  for (const [i, word] of words.entries()) {
    const isName = word.kind === "name" || (word.kind === "word" && !WORDS.has(word.value.toLowerCase()));
    if (!isName || lower(i + 1) !== "as" || sign(i + 2) !== "(") continue;
    if (known.has(word.value.toLowerCase()) && tables.some((name) => name.toLowerCase() === word.value.toLowerCase()))
      return `the name ${word.value} is the table's own`;
    known.add(word.value.toLowerCase());
  }
  /** For each open parenthesis and the outside: whether a FROM clause is being read. */
  const inFrom: boolean[] = [false];
  for (const [i, word] of words.entries()) {
    const { value, kind } = word;
    const small = kind === "word" ? value.toLowerCase() : "";
    if (value === "(" && kind === "sign") inFrom.push(false);
    else if (value === ")" && kind === "sign") {
      inFrom.pop();
      if (inFrom.length === 0) return "a ) has no ( before it";
    } else if (value === "," && kind === "sign" && inFrom.at(-1) === true)
      return "tables joined by a comma: write JOIN";
    else if (AFTER_FROM.has(small)) inFrom[inFrom.length - 1] = false;
    const table = (small === "from" && lower(i - 1) !== "distinct") || small === "join";
    if (table) {
      inFrom[inFrom.length - 1] = true;
      const next = words[i + 1];
      const subquery = sign(i + 1) === "(" && (lower(i + 2) === "select" || lower(i + 2) === "with");
      const named = next?.kind === "name" || (next?.kind === "word" && !WORDS.has(next.value.toLowerCase()));
      if (!subquery && !(named && known.has(next.value.toLowerCase()) && sign(i + 2) !== "." && sign(i + 2) !== "("))
        return `it reads ${next === undefined ? "nothing" : JSON.stringify(next.value)}, which is not the contract's table`;
    }
    const problem = wordProblem(words, i);
    if (problem !== undefined) return problem;
  }
  return inFrom.length === 1 ? undefined : "a ( is not closed";
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
