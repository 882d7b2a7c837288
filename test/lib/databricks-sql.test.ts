import { describe, expect, test } from "vitest";
import { appendLines, readAfter } from "../../src/clients/ledger-delta/statements.ts";
import { canBeNamed, sqlIdentifier, sqlName, sqlText } from "../../src/lib/databricks-sql.ts";

const variable = (name: string) => ["$", `{${name}}`].join("");

/** What Spark makes of a literal: first it puts variables in, then it reads the escapes. */
function spark(literal: string): string {
  const replaced = literal.replace(/\$\{(?:\w+?:)?\S+?\}/g, "REPLACED");
  const inside = /^'((?:[^'\\]|\\.)*)'$/s.exec(replaced)?.[1];
  if (inside === undefined) throw new Error(`no literal: ${replaced}`);
  const named: Record<string, string> = { n: "\n", r: "\r", t: "\t", b: "\b", "0": "\0", Z: "\u001a" };
  return inside.replace(/\\(?:u([0-9a-fA-F]{4})|([01][0-7]{2})|(.))/gs, (_, hex?: string, octal?: string, one = "") =>
    hex !== undefined || octal !== undefined
      ? String.fromCharCode(Number.parseInt(hex ?? octal ?? "", hex === undefined ? 8 : 16))
      : (named[one] ?? one),
  );
}

describe("a text in a statement", () => {
  test.each([
    variable("env:HOME"),
    variable("spark.app.name"),
    `\\${variable("a")}`,
    `$${variable("a")}}`,
    "$\\u007ba}",
    "it's \\' and \\\\",
    "a\r\nb\0" + "12",
    "",
    "é 😀",
  ])("%j arrives as it is", (value) => {
    expect(spark(sqlText(value))).toBe(value);
    expect(sqlText(value)).not.toMatch(/[\n\r\0]/);
  });

  test("and so does an entry of the ledger with it, in the statement that appends", () => {
    const entry = JSON.stringify({ reason: variable("env:HOME") });
    const sql = appendLines({ name: "a.b.c", project: "p" }, [entry], { seq: 0, hash: "0".repeat(64) });
    expect(sql).not.toContain("${");
    expect(sql).toContain(`split(${sqlText(entry)}, `);
  });
});

describe("a name in a statement", () => {
  test("is quoted, its dots apart", () => {
    expect(sqlName("a.b-c.d`e")).toBe("`a`.`b-c`.`d``e`");
    expect(sqlIdentifier("a.b")).toBe("`a.b`");
  });
  test.each([variable("env:HOME"), "a${", "a\0b", ""])("%j is refused, since nothing can be escaped there", (name) => {
    expect(canBeNamed(name)).toBe(false);
    expect(() => sqlIdentifier(name)).toThrow(/no SQL statement can hold the name/);
    expect(() => sqlName(`a.${name}.c`)).toThrow(/no SQL statement can hold the name/);
    expect(() => readAfter({ name: `a.${name}`, project: "p" }, 0)).toThrow(/no SQL statement can hold the name/);
  });
});
