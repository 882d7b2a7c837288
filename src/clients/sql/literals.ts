/**
 * A text as a literal of Spark's SQL. A backslash escapes there, so both it and the quote are escaped; line ends and NUL are written by
 * name, which keeps a statement on one line in the warehouse's history. Pure.
 */
export function sqlText(text: string): string {
  const escaped = text
    .replace(/\\/g, "\\\\")
    .replace(/'/g, "\\'")
    .replace(/\n/g, "\\n")
    .replace(/\r/g, "\\r")
    .replace(/\0/g, "\\0");
  return `'${escaped}'`;
}

/** A name with its dots as one or more quoted identifiers. Pure. */
export function sqlName(dotted: string): string {
  return dotted
    .split(".")
    .map((part) => `\`${part.replace(/`/g, "``")}\``)
    .join(".");
}
