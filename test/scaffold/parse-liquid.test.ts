import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Liquid } from "liquidjs";
import { describe, expect, it } from "vitest";
import { parseLiquid } from "../../src/scaffold/parse-liquid.ts";
import { root } from "../support/paths.ts";

const liquid = new Liquid({ locale: "en-US" });
/** The parser of liquidjs itself is the judge. */
const same = (text: string): void => {
  const tell = (parse: () => ReturnType<typeof parseLiquid>): string => {
    try {
      return JSON.stringify(parse().map(({ token }) => [token.kind, token.begin, token.end, token.getText()])).concat(
        String(liquid.renderSync(parse(), { a: 1, list: [1, 2] })),
      );
    } catch (error) {
      return String(error);
    }
  };
  expect(tell(() => parseLiquid(liquid, text))).toBe(tell(() => liquid.parse(text)));
};

describe("text between tags is found as liquidjs finds it", () => {
  it.each([
    "",
    "no tag",
    "{{ a }}",
    "x{{a}}y{%- if a -%} z {%- else %}w{% endif %} end",
    "  {{- a -}}  {{ a }}\n",
    "{% raw %}{{ a }}{% if %}{% endraw %} after {{ a }}",
    "{% comment %}{{ a }} {% unknown %}{% endcomment %}{{ a }}",
    "{% for each in list %}{{ each }},{% endfor %}{# no tag #}{ { % }",
    "a { b {{ a }} c } d }} e %} f",
    "line\n\nline {{ a",
    "{% if a %} not closed",
    "{% liquid assign b = 2\n echo b %}",
  ])("%j", same);

  it("in every file of the built-in templates", () => {
    const folder = join(root, "templates");
    const files = readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((each) => each.isFile() && each.name.endsWith(".liquid"))
      .map((each) => join(each.parentPath, each.name));
    expect(files.length).toBeGreaterThan(20);
    for (const path of files) same(readFileSync(path, "utf8"));
  });
});
