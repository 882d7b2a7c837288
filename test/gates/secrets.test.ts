import { describe, expect, it } from "vitest";
import { searchText, secretsInLine } from "../../src/gates/secret-shapes.ts";

const inText = (text: string) => [...searchText(text, "a.txt")].flat();

/** Built from halves, so that this file holds no secret itself. */
const join = (...parts: string[]) => parts.join("");
const HEX = "0123456789abcdef0123456789abcdef";

describe("secrets", () => {
  it.each([
    ["Databricks token", join("dap", "i", HEX)],
    ["Databricks OAuth secret", join("dos", "e", HEX)],
    ["private key", join("-----BEGIN ", "PRIVATE KEY-----")],
    ["encrypted private key", join("-----BEGIN ENCRYPTED ", "PRIVATE KEY-----")],
    ["AWS key", join("AKI", "AQ3EGRXKZ5JW7NT2D")],
    ["GitHub token", join("gh", "p_", HEX, "ABCDEF")],
    ["GitLab token", join("glp", "at-", "abcDEF123456abcDEF123456")],
    ["Slack token", join("xox", "b-", "123456789012-abcdefghijkl")],
    ["password in a URL", join("postgresql://svc:", "hunter2hunter2", "@db.internal/x")],
    ["assigned password", join(`db_pass`, `word = "`, `q8Zr4Lw9Tn2Xv7`, `"`)],
    ["JSON web token", join("ey", "JhbGciOiJIUzI1NiJ9.", "ey", "JzdWIiOiIxMjM0NTY3ODkwIn0.", "abcdefghijklmnop")],
  ])("sees a %s", (_, line) => {
    expect(secretsInLine(line)).not.toEqual([]);
  });
  it.each([
    ["a reference", 'token: "$' + '{{ secrets.DATABRICKS_TOKEN }}"'],
    ["a digest", `sha256 = "${HEX}${HEX}"`],
    ["a placeholder", 'password = "<your password here>"'],
    ["a word about it", "the password is kept in the vault"],
    ["an address", "https://example.com/a:b@c"],
  ])("leaves %s alone", (_, line) => {
    expect(secretsInLine(line)).toEqual([]);
  });
  it("names what it looks like as it is spoken", () => {
    const said = (line: string) => inText(line).map((each) => each.message);
    expect(said(join("AKI", "AQ3EGRXKZ5JW7NT2D"))).toEqual(["looks like an AWS access key"]);
    expect(said(join("np", "m_", HEX, "ABCD"))).toEqual(["looks like an npm token"]);
    expect(said(join("dap", "i", HEX))).toEqual(["looks like a Databricks token"]);
  });
  it("finds a long token wherever it lies on a long line", () => {
    const token = join("ey", "JhbGciOiJIUzI1NiJ9.", "ey", "J", "a".repeat(3000), ".", "b".repeat(600));
    for (let offset = 0; offset < 20_000; offset += 997) {
      expect(inText(`${" ".repeat(offset)}${token} ${"y ".repeat(9000)}`), String(offset)).not.toEqual([]);
    }
  });
  it("finds one at the far end of a very long line, and never shows it", () => {
    const secret = join("dap", "i", HEX);
    const found = inText(`first\n${"x ".repeat(5000)}${secret}`);
    expect(found).toHaveLength(1);
    expect(found[0]?.where).toBe("a.txt:2");
    expect(JSON.stringify(found)).not.toContain(HEX);
  });
});
