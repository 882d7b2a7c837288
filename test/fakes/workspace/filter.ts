import { badValue } from "./route.ts";

/** One comparison of a filter, such as `metrics.auc > 0.9`. */
export interface Clause {
  /** `metrics`, `params`, `tags`, `attributes`, … in the plural; a bare name is an attribute. */
  entity: string;
  key: string;
  op: string;
  value: string | number | readonly string[] | undefined;
}

export interface Order {
  entity: string;
  key: string;
  ascending: boolean;
}

const ENTITIES: Readonly<Record<string, string>> = {
  attribute: "attributes",
  attributes: "attributes",
  attr: "attributes",
  run: "attributes",
  metric: "metrics",
  metrics: "metrics",
  param: "params",
  params: "params",
  parameter: "params",
  parameters: "params",
  tag: "tags",
  tags: "tags",
  dataset: "datasets",
  datasets: "datasets",
};

const SPACE = /\s*/y;
const NAME = /(?:([A-Za-z_]+)\.)?(?:`([^`]*)`|"([^"]*)"|([\w./-]+))/y;
const OPERATOR = /(>=|<=|!=|=|<|>|NOT\s+IN\b|NOT\s+LIKE\b|IN\b|LIKE\b|ILIKE\b|IS\s+NOT\s+NULL\b|IS\s+NULL\b)/iy;
const VALUE = /'((?:[^']|'')*)'|"([^"]*)"|([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)|\(([^)]*)\)/iy;
const AND = /AND\b/iy;

/** Only AND joins comparisons (reference 2.2). */
export function parseFilter(text: string | undefined): Clause[] {
  if (text === undefined || text.trim() === "") return [];
  let at = 0;
  const bad = (): Error => badValue(`Invalid clause(s) in filter string: '${text.slice(at)}'`);
  const take = (pattern: RegExp): RegExpExecArray | undefined => {
    SPACE.lastIndex = at;
    SPACE.exec(text);
    pattern.lastIndex = SPACE.lastIndex;
    const found = pattern.exec(text);
    if (found === null) return undefined;
    at = pattern.lastIndex;
    return found;
  };
  const clauses: Clause[] = [];
  for (;;) {
    const name = take(NAME);
    const op = take(OPERATOR)?.[1]?.toUpperCase().replace(/\s+/g, " ");
    if (name === undefined || op === undefined) throw bad();
    const value = op.startsWith("IS") ? undefined : literal(take(VALUE));
    if (value === undefined && !op.startsWith("IS")) throw bad();
    clauses.push({ ...named(name[1], name[2] ?? name[3] ?? name[4] ?? ""), op, value });
    if (text.slice(at).trim() === "") return clauses;
    if (take(AND) === undefined) throw bad();
  }
}

export function parseOrder(texts: readonly string[]): Order[] {
  return texts.map((text) => {
    const found = /^\s*(?:([A-Za-z_]+)\.)?(?:`([^`]*)`|"([^"]*)"|(\S+))(?:\s+(ASC|DESC))?\s*$/i.exec(text);
    if (found === null) throw badValue(`Invalid order_by clause '${text}'`);
    return {
      ...named(found[1], found[2] ?? found[3] ?? found[4] ?? ""),
      ascending: found[5]?.toUpperCase() !== "DESC",
    };
  });
}

function named(prefix: string | undefined, key: string): { entity: string; key: string } {
  if (prefix === undefined) return { entity: "attributes", key };
  const entity = ENTITIES[prefix.toLowerCase()];
  if (entity === undefined) throw badValue(`Invalid entity type '${prefix}'.`);
  return { entity, key };
}

function literal(found: RegExpExecArray | undefined): Clause["value"] {
  if (found === undefined) return undefined;
  if (found[1] !== undefined) return found[1].replaceAll("''", "'");
  if (found[2] !== undefined) return found[2];
  if (found[3] !== undefined) return Number(found[3]);
  return [...(found[4] ?? "").matchAll(/'([^']*)'|"([^"]*)"/g)].map((each) => each[1] ?? each[2] ?? "");
}

type Held = string | number | undefined;

/** Whether a value that an object holds fulfils a comparison; what is absent fulfils none but IS NULL. */
export function holds({ op, value, entity, key }: Clause, held: Held): boolean {
  if (op === "IS NULL") return held === undefined;
  if (op === "IS NOT NULL") return held !== undefined;
  if (entity === "metrics" || NUMERIC.has(key)) {
    if (typeof value !== "number") throw badValue(`Expected a numeric value type for ${key}. Found ${String(value)}`);
    return typeof held === "number" && compares(op, held, value);
  }
  if (op === "IN" || op === "NOT IN") {
    if (!Array.isArray(value)) throw badValue(`Expected a list of values for ${key}`);
    return held !== undefined && value.includes(held) === (op === "IN");
  }
  if (typeof value !== "string")
    throw badValue(`Expected a quoted string value for ${key}. Got value ${String(value)}`);
  if (op === "LIKE" || op === "ILIKE" || op === "NOT LIKE")
    return typeof held === "string" && like(value, op === "ILIKE").test(held) === (op !== "NOT LIKE");
  if (op !== "=" && op !== "!=") throw badValue(`Invalid comparator '${op}' for ${key}`);
  return held !== undefined && (held === value) === (op === "=");
}

const NUMERIC = new Set([
  "start_time",
  "end_time",
  "creation_time",
  "last_update_time",
  "creation_timestamp",
  "last_updated_timestamp",
]);

function compares(op: string, a: number, b: number): boolean {
  switch (op) {
    case ">":
      return a > b;
    case ">=":
      return a >= b;
    case "<":
      return a < b;
    case "<=":
      return a <= b;
    case "=":
      return a === b;
    case "!=":
      return a !== b;
    default:
      throw badValue(`Invalid comparator '${op}' for a number`);
  }
}

function like(pattern: string, ignoreCase: boolean): RegExp {
  const source = pattern
    .replace(/[.*+?^${}()|[\]\\]/g, "\\$&")
    .replaceAll("%", ".*")
    .replaceAll("_", ".");
  return new RegExp(`^${source}$`, ignoreCase ? "is" : "s");
}

/** By each of the orders in turn; what is absent comes last. */
export function sorted<T>(items: readonly T[], orders: readonly Order[], held: (item: T, order: Order) => Held): T[] {
  return [...items].sort((a, b) => {
    for (const order of orders) {
      const [left, right] = [held(a, order), held(b, order)];
      if (left === right) continue;
      if (left === undefined) return 1;
      if (right === undefined) return -1;
      const direction = order.ascending ? 1 : -1;
      return left < right ? -direction : direction;
    }
    return 0;
  });
}
