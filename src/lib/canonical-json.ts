/**
 * Canonical JSON by RFC 8785 (JCS): keys sorted by UTF-16 code units, numbers as ECMAScript prints them,
 * no white space. Throws on what JSON cannot carry (NaN, Infinity, lone surrogates); `undefined` members are left out.
 */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value === "boolean") return JSON.stringify(value);
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw new TypeError(`${value} has no JSON form`);
    return JSON.stringify(value);
  }
  if (typeof value === "string") {
    if (!value.isWellFormed()) throw new TypeError("a string with a lone surrogate has no canonical JSON form");
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(",")}]`;
  if (typeof value === "object") {
    let members = "";
    for (const [key, member] of Object.entries(value).sort(byKey)) {
      if (member !== undefined) members += `${members === "" ? "" : ","}${canonicalJson(key)}:${canonicalJson(member)}`;
    }
    return `{${members}}`;
  }
  throw new TypeError(`${typeof value} has no JSON form`);
}

/** The value of a text that is canonical JSON, byte for byte; undefined when it is none, or JSON in another form. */
export function parseCanonicalJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    // JSON.stringify is five times as fast, and differs in nothing when the keys stand in order and no surrogate is written out.
    const same = isOrdered(value) && !text.includes("\\ud") ? JSON.stringify(value) : canonicalJson(value);
    return same === text ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Whether the keys of a value out of JSON stand as RFC 8785 sorts them, all the way down. */
function isOrdered(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return true;
  if (Array.isArray(value)) return value.every(isOrdered);
  let before: string | undefined;
  for (const [key, member] of Object.entries(value)) {
    if ((before !== undefined && key <= before) || !isOrdered(member)) return false;
    before = key;
  }
  return true;
}

function byKey([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
