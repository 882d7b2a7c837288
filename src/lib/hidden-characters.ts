/**
 * Characters that show nothing, steer a terminal (C1) or order what stands around them: names that look alike would be two, and a
 * sentence would read otherwise than it is (CVE-2021-42574). By properties, so that those of a later Unicode are among them.
 */
const HIDDEN = "[\\p{Default_Ignorable_Code_Point}\\p{Bidi_Control}\\p{Zl}\\p{Zp}\\u007f-\\u009f\\ufff9-\\ufffb]";

const RIGHT_TO_LEFT = "[\\p{sc=Hebrew}\\p{sc=Arabic}\\p{sc=Syriac}\\p{sc=Thaana}\\p{sc=Nko}]";
/** Scripts whose letters are joined, or kept from it, by U+200C and U+200D. */
const JOINING =
  "[\\p{sc=Arab}\\p{sc=Syrc}\\p{sc=Mong}\\p{sc=Deva}\\p{sc=Beng}\\p{sc=Guru}\\p{sc=Gujr}\\p{sc=Orya}\\p{sc=Taml}\\p{sc=Telu}\\p{sc=Knda}\\p{sc=Mlym}\\p{sc=Sinh}\\p{sc=Khmr}\\p{sc=Mymr}]";

/** Where honest text needs one: it orders and hides no more there than the letters and pictures beside it do. */
const HONEST = [
  "(?<=\\p{Extended_Pictographic}\\p{Emoji_Modifier}?\\ufe0f?)\\u200d(?=\\p{Extended_Pictographic}|[\\u2640\\u2642])",
  "(?<=\\p{Extended_Pictographic})[\\ufe0e\\ufe0f]",
  "(?<=[0-9#*])\\ufe0f(?=\\u20e3)",
  // Flags of parts of a country, such as Scotland's.
  "(?<=\\u{1f3f4})[\\u{e0061}-\\u{e007a}]{2}[\\u{e0030}-\\u{e0039}\\u{e0061}-\\u{e007a}]{1,3}\\u{e007f}",
  `(?<=${JOINING})[\\u200c\\u200d]`,
  "(?<=\\p{sc=Mongolian})[\\u180b-\\u180f]",
  "(?<=\\p{sc=Han})[\\ufe00-\\ufe02\\u{e0100}-\\u{e01ef}]",
  // Marks of a direction give way to a letter of it, and cannot override one.
  `(?<=${RIGHT_TO_LEFT}\\P{L}?)[\\u200e\\u200f\\u061c]`,
  `[\\u200e\\u200f\\u061c](?=\\P{L}?${RIGHT_TO_LEFT})`,
].join("|");

/**
 * Latin letters, punctuation, arrows, lines and marks, none of which is hidden: nearly all that a command says. Compiling the properties
 * takes 10 ms, which most commands can do without.
 */
export const PLAIN = /^[^\u007f-\u009f\u00ad\u0250-\u200f\u2028-\u202f\u205f-\u218f\u2c00-\uffff]*$/;
const ANY = new RegExp(HIDDEN, "u");
const EACH = new RegExp(`(?<honest>${HONEST})|${HIDDEN}`, "gu");

/** The text with each character that shows nothing or turns the order of others replaced by its name: `<U+202E>`. */
export function showHidden(text: string): string {
  return replaceHidden(
    text,
    (character) => `<U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}>`,
  );
}

/** JSON text in which such characters are written as JSON can: to a program it says the same, on a screen they are seen. */
export function escapeHidden(json: string): string {
  return replaceHidden(json, (character) =>
    [...Array(character.length).keys()]
      .map((i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, "0")}`)
      .join(""),
  );
}

function replaceHidden(text: string, by: (character: string) => string): string {
  if (PLAIN.test(text) || !ANY.test(text)) return text;
  return text.replace(EACH, (character, honest: string | undefined) => (honest === undefined ? by(character) : honest));
}
