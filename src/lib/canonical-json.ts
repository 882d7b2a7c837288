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

function byKey([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
