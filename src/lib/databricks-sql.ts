import { usageError } from "./error.ts";

/**
 * A text as a literal of Databricks' SQL, and Spark's. Variables are put in for `${…}` before a statement is read, in literals too,
 * so that the brace is written by its number; backslashes escape. Line ends and NUL are escaped as well, which keeps a statement
 * on one line in the warehouse's history. Pure.
 */
export function sqlText(value: string): string {
  const escaped = value
    .replaceAll("\\", "\\\\")
    .replaceAll("'", "\\'")
    .replaceAll("\n", "\\n")
    .replaceAll("\r", "\\r")
    // Behind a short \0, digits of the text would be read as parts of the number.
    .replaceAll("\0", "\\u0000")
    .replaceAll("${", "$\\u007b");
  return `'${escaped}'`;
}

/** True if a name can stand in a statement: within backticks nothing can be escaped, so `${` would be replaced. Pure. */
export function canBeNamed(name: string): boolean {
  return name !== "" && !name.includes("${") && !name.includes("\0");
}

/** A name without its dots read, as a quoted identifier; one that cannot be named is an error. Pure. */
export function sqlIdentifier(name: string): string {
  if (!canBeNamed(name))
    throw usageError("sql.name", `no SQL statement can hold the name ${JSON.stringify(name)}`, "give it another name");
  return `\`${name.replaceAll("`", "``")}\``;
}

/** A name with its dots as one or more quoted identifiers. Pure. */
export function sqlName(dotted: string): string {
  return dotted.split(".").map(sqlIdentifier).join(".");
}
