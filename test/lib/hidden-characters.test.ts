import { expect, test } from "vitest";
import { escapeHidden, PLAIN, showHidden } from "../../src/lib/hidden-characters.ts";

test("what is taken for plain without looking at its properties hides nothing", () => {
  // Between letters, so that no neighbour makes a hidden one honest.
  const hides = (character: string): boolean => showHidden(`ǿɐ${character}ɐ`) !== `ǿɐ${character}ɐ`;
  const wrong: string[] = [];
  let plain = 0;
  for (let code = 0; code <= 0xffff; code++) {
    const character = String.fromCharCode(code);
    if (!PLAIN.test(character)) continue;
    plain++;
    if (hides(character)) wrong.push(code.toString(16));
  }
  expect(wrong).toEqual([]);
  expect(plain).toBeGreaterThan(1000);
});

test.each([
  ["a mark of a direction", "a\u202eb", "a<U+202E>b", "a\\u202eb"],
  ["a soft hyphen", "a\u00adb", "a<U+00AD>b", "a\\u00adb"],
  ["a C1 control", "a\u009bb", "a<U+009B>b", "a\\u009bb"],
  ["delete", "a\u007fb", "a<U+007F>b", "a\\u007fb"],
  ["a line separator", "a\u2028b", "a<U+2028>b", "a\\u2028b"],
  ["a word joiner", "a\u2060b", "a<U+2060>b", "a\\u2060b"],
])("%s is told", (_, text, shown, escaped) => {
  expect([showHidden(text), escapeHidden(text)]).toEqual([shown, escaped]);
});
